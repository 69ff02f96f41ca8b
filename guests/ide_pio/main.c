/*
 * ide_pio: an IDE disk driven by programmed I/O alone.
 *
 * Proves IDENTIFY; READ SECTORS polled; READ and WRITE SECTORS and MULTIPLE by IRQ 14, in LBA28 and
 * LBA48 forms, with FLUSH CACHE between write and read-back; a 256-sector request, whose count
 * register is 0; that an absent slave stays silent; that reads and writes past the end are refused
 * and leave the drive usable. The disk is left as it was found.
 */
#include "ata.h"
#include "ata_driver.h"
#include "guest.h"
#include "port.h"

#define TEST_SECTORS 40 /* two full blocks of 16 and a short one */
#define LONG_SECTORS 256
#define MULTIPLE 16

static struct ata_identity disk;
static uint8_t *expected, *found, *scratch;

static void read_polled(uint64_t sector, uint8_t *data, uint32_t sectors, bool lba48)
{
    const struct ata_command command = {
        .code = lba48 ? ATA_READ_SECTORS_EXT : ATA_READ_SECTORS,
        .addressed = true,
        .lba48 = lba48,
        .count = sectors,
        .lba = sector,
    };
    const uint8_t error = ata_read_polled(&command, data, sectors);
    check(error == 0, "polled read of sector %llu: error register %02x", sector, error);
}

static void test_polled(void)
{
    read_polled(0, expected, TEST_SECTORS, false);
    for (uint32_t i = 0; i < TEST_SECTORS; i++)
        read_polled(i, found + i * SECTOR_SIZE, 1, false);
    check(memcmp(expected, found, TEST_SECTORS * SECTOR_SIZE) == 0,
          "a sector by itself differs from the same one in a longer read");
    if (disk.lba48) {
        memset(found, 0, TEST_SECTORS * SECTOR_SIZE);
        read_polled(0, found, TEST_SECTORS, true);
        check(memcmp(expected, found, TEST_SECTORS * SECTOR_SIZE) == 0,
              "READ SECTORS EXT differs from READ SECTORS");
    }
    print("polled reads: ok\n");
}

static void compare_with_polled(uint64_t sector, uint32_t sectors)
{
    for (uint32_t done = 0; done < sectors; done += LONG_SECTORS / 2)
        read_polled(sector + done, expected + done * SECTOR_SIZE,
                    sectors - done < LONG_SECTORS / 2 ? sectors - done : LONG_SECTORS / 2, false);
    memset(found, 0, sectors * SECTOR_SIZE);
    block_must(&ata_driver, BLOCK_READ, sector, found, sectors * SECTOR_SIZE);
    check(memcmp(expected, found, sectors * SECTOR_SIZE) == 0,
          "%u sectors from %llu by interrupt differ from the polled read", sectors, sector);
}

/* Requests that lie behind the disk or leave it must fail, and the drive must go on. */
static void test_out_of_range(void)
{
    static const uint8_t refused = ER_IDNF | ER_ABRT;
    const int behind = block_run(&ata_driver, BLOCK_READ, disk.sectors, found, SECTOR_SIZE);
    check(behind & refused, "read behind the last sector: error register %02x", behind);
    const int across = block_run(&ata_driver, BLOCK_READ, disk.sectors - 1, found, 2 * SECTOR_SIZE);
    check(across & refused, "read across the end: error register %02x", across);
    const int write = block_run(&ata_driver, BLOCK_WRITE, disk.sectors, found, SECTOR_SIZE);
    check(write & refused, "write behind the last sector: error register %02x", write);
    compare_with_polled(disk.sectors - 1, 1);
}

static void test_mode(const char *name, const struct ata_mode *mode)
{
    ata_driver_use(mode);
    compare_with_polled(0, 1);
    compare_with_polled(1, TEST_SECTORS);
    compare_with_polled(disk.sectors - LONG_SECTORS, LONG_SECTORS);
    block_write_test(&ata_driver, disk.sectors / 2, TEST_SECTORS * SECTOR_SIZE, scratch);
    block_write_test(&ata_driver, disk.sectors - 1, SECTOR_SIZE, scratch);
    test_out_of_range();
    print("%s: ok\n", name);
}

static void test_slave(void)
{
    if (ata_present(1)) {
        print("slave: present\n");
        return;
    }
    outb(ATA_COMMAND, ATA_IDENTIFY); /* still selected; nobody may answer */
    for (unsigned i = 0; i < 100; i++)
        check(!(inb(ATA_ALT_STATUS) & (SR_BSY | SR_DRQ)), "the absent slave executes IDENTIFY");
    print("slave: absent\n");
}

void guest_main(const char *command_line)
{
    (void)command_line;
    ata_identify(&disk);
    print("disk: %s, %llu sectors%s\n", disk.model, disk.sectors, disk.lba48 ? ", LBA48" : "");
    check(disk.sectors >= 2 * LONG_SECTORS, "the disk is too small for the test");
    check(disk.max_multiple >= MULTIPLE, "READ MULTIPLE takes %u sectors at most",
          disk.max_multiple);
    expected = take_pages(LONG_SECTORS * SECTOR_SIZE / PAGE_SIZE);
    found = take_pages(LONG_SECTORS * SECTOR_SIZE / PAGE_SIZE);
    scratch = take_pages(3 * TEST_SECTORS * SECTOR_SIZE / PAGE_SIZE);

    test_slave();
    test_polled();
    ata_driver_init(&disk);
    test_mode("sectors", &(struct ata_mode){.transfer = ATA_BY_SECTORS});
    test_mode("multiple", &(struct ata_mode){.transfer = ATA_BY_MULTIPLE, .multiple = MULTIPLE});
    if (disk.lba48) {
        test_mode("sectors ext",
                  &(struct ata_mode){.transfer = ATA_BY_SECTORS, .always_lba48 = true});
        test_mode("multiple ext", &(struct ata_mode){.transfer = ATA_BY_MULTIPLE,
                                                     .multiple = MULTIPLE,
                                                     .always_lba48 = true});
    }
    print("ide_pio: ok\n");
}
