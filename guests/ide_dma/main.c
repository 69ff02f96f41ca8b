/*
 * ide_dma: an IDE disk driven by its PCI bus master.
 *
 * Proves that the controller is found by class 0101 and BAR4 works; READ and WRITE DMA by IRQ 14 in
 * LBA28 and LBA48 forms, with the same data as polled PIO; PRD tables of one descriptor and of
 * many, descriptors that start in the middle of a page, and a transfer across 64 KiB boundaries;
 * that a read past the end is refused. The disk is left as it was found.
 */
#include "ata.h"
#include "ata_driver.h"
#include "bus_master.h"
#include "guest.h"

#define TEST_SECTORS 40
#define LONG_SECTORS 512 /* more than LBA28 can ask for: READ DMA EXT by itself */
#define PIO_SECTORS 128
#define ODD_OFFSET 1536  /* of the buffer in its page */

static struct ata_identity disk;
static uint8_t *expected, *found, *scratch;

static void read_polled(uint64_t sector, uint8_t *data, uint32_t sectors)
{
    for (uint32_t done = 0; done < sectors; done += PIO_SECTORS) {
        const uint32_t count = sectors - done < PIO_SECTORS ? sectors - done : PIO_SECTORS;
        const struct ata_command command = {
            .code = ATA_READ_SECTORS, .addressed = true, .count = count, .lba = sector + done};
        const uint8_t error = ata_read_polled(&command, data + done * SECTOR_SIZE, count);
        check(error == 0, "polled read of sector %llu: error register %02x", sector + done, error);
    }
}

static void compare_with_pio(uint64_t sector, uint32_t sectors)
{
    uint8_t *const data = found + ODD_OFFSET;
    read_polled(sector, expected, sectors);
    memset(data, 0, sectors * SECTOR_SIZE);
    block_must(&ata_driver, BLOCK_READ, sector, data, sectors * SECTOR_SIZE);
    check(memcmp(expected, data, sectors * SECTOR_SIZE) == 0,
          "%u sectors from %llu by DMA differ from PIO", sectors, sector);
}

static void test_mode(const char *name, const struct ata_mode *mode)
{
    ata_driver_use(mode);
    compare_with_pio(0, 1);
    compare_with_pio(1, TEST_SECTORS);
    compare_with_pio(disk.sectors - PIO_SECTORS, PIO_SECTORS);
    block_write_test(&ata_driver, disk.sectors / 2, TEST_SECTORS * SECTOR_SIZE, scratch);
    const int status = block_run(&ata_driver, BLOCK_READ, disk.sectors, found, SECTOR_SIZE);
    check(status & (ER_IDNF | ER_ABRT), "read behind the last sector: error register %02x", status);
    compare_with_pio(disk.sectors - 1, 1);
    print("%s: ok\n", name);
}

void guest_main(const char *command_line)
{
    (void)command_line;
    ata_identify(&disk);
    print("disk: %s, %llu sectors%s\n", disk.model, disk.sectors, disk.lba48 ? ", LBA48" : "");
    check(disk.dma, "the disk has no DMA");
    check(bus_master_init(), "no PCI IDE controller");
    check(disk.sectors >= 2 * LONG_SECTORS, "the disk is too small for the test");
    expected = take_pages(LONG_SECTORS * SECTOR_SIZE / PAGE_SIZE);
    found = take_pages(LONG_SECTORS * SECTOR_SIZE / PAGE_SIZE + 1);
    scratch = take_pages(3 * TEST_SECTORS * SECTOR_SIZE / PAGE_SIZE);

    ata_driver_init(&disk);
    test_mode("dma", &(struct ata_mode){.transfer = ATA_BY_DMA});
    test_mode("dma, 1024-byte descriptors",
              &(struct ata_mode){.transfer = ATA_BY_DMA, .prd_limit = 1024});
    if (disk.lba48) {
        test_mode("dma ext", &(struct ata_mode){.transfer = ATA_BY_DMA, .always_lba48 = true});
        compare_with_pio(0, LONG_SECTORS);
        print("dma ext, %u sectors: ok\n", LONG_SECTORS);
    }
    print("ide_dma: ok\n");
}
