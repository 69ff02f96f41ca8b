/*
 * blkfront: the same disk by both paths, one after the other.
 *
 * Proves Xen detection, hypercall page, shared_info and upcall vector; that the unplug takes the
 * IDE disk away; grant table, xenstore ring and xenbus handshake; READ, WRITE and FLUSH on the
 * ring, requests longer than one ring request, an odd first sector in a page; that a read past the
 * end is refused; disconnecting, and connecting again with persistent grants. What it reads must be
 * what IDE had read before the unplug. The disk is left as it was found.
 */
#include "ata.h"
#include "ata_driver.h"
#include "blkfront.h"
#include "events.h"
#include "grants.h"
#include "guest.h"
#include "platform.h"
#include "xen.h"
#include "xenstore.h"

#define SAMPLE_SECTORS 256 /* 128 KiB: three ring requests */
#define SAMPLES 3
#define TEST_SECTORS 112 /* 14 pages: two ring requests */
#define MULTIPLE 16
#define ODD_OFFSET 1536 /* of the buffer in its page */

static struct ata_identity disk;
static uint64_t sample_sector[SAMPLES];
static uint8_t *sample[SAMPLES], *found, *scratch;

/* Reads the samples over IDE, while there is IDE. */
static void read_samples(void)
{
    ata_driver_init(&disk);
    ata_driver_use(&(struct ata_mode){.transfer = ATA_BY_MULTIPLE, .multiple = MULTIPLE});
    sample_sector[0] = 0;
    sample_sector[1] = disk.sectors / 2 + 1;
    sample_sector[2] = disk.sectors - SAMPLE_SECTORS;
    for (unsigned i = 0; i < SAMPLES; i++) {
        sample[i] = take_pages(SAMPLE_SECTORS * SECTOR_SIZE / PAGE_SIZE);
        block_must(&ata_driver, BLOCK_READ, sample_sector[i], sample[i],
                   SAMPLE_SECTORS * SECTOR_SIZE);
    }
}

static void compare_samples(void)
{
    uint8_t *const data = found + ODD_OFFSET;
    for (unsigned i = 0; i < SAMPLES; i++) {
        memset(data, 0, SAMPLE_SECTORS * SECTOR_SIZE);
        block_must(&blkfront_driver, BLOCK_READ, sample_sector[i], data,
                   SAMPLE_SECTORS * SECTOR_SIZE);
        check(memcmp(sample[i], data, SAMPLE_SECTORS * SECTOR_SIZE) == 0,
              "%u sectors from %llu differ from what IDE has read", SAMPLE_SECTORS,
              sample_sector[i]);
    }
}

static void test_path(const char *name, bool persistent)
{
    const uint64_t sectors = blkfront_connect(persistent);
    check(sectors == disk.sectors, "the backend has %llu sectors, IDENTIFY told %llu", sectors,
          disk.sectors);
    compare_samples();
    block_write_test(&blkfront_driver, disk.sectors / 2, TEST_SECTORS * SECTOR_SIZE, scratch);
    block_write_test(&blkfront_driver, disk.sectors - 1, SECTOR_SIZE, scratch + ODD_OFFSET);
    const int status =
        block_run(&blkfront_driver, BLOCK_READ, disk.sectors - 1, found, 2 * SECTOR_SIZE);
    check(status < 0, "read across the end of the disk: status %d", status);
    compare_samples();
    blkfront_close();
    print("%s: ok\n", name);
}

void guest_main(const char *command_line)
{
    (void)command_line;
    ata_identify(&disk);
    print("disk: %s, %llu sectors\n", disk.model, disk.sectors);
    check(disk.sectors >= 4 * SAMPLE_SECTORS, "the disk is too small for the test");
    found = take_pages(SAMPLE_SECTORS * SECTOR_SIZE / PAGE_SIZE + 1);
    scratch = take_pages(3 * TEST_SECTORS * SECTOR_SIZE / PAGE_SIZE);
    read_samples();

    xen_init();
    platform_unplug_disks();
    check(!ata_present(0), "the IDE disk is still there after the unplug");
    print("unplug: ok\n");
    grants_init(platform_init());
    events_init();
    xenstore_init();
    test_path("blkfront", false);
    test_path("blkfront, persistent grants", true);
    print("blkfront: ok\n");
}
