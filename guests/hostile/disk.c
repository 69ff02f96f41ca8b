/*
 * Offences against the emulated disk and its unplug.
 */
#include "offences.h"

#include "ata.h"
#include "ata_driver.h"
#include "blkfront.h"
#include "bus_master.h"
#include "guest.h"
#include "platform.h"

#define RESPONSE_ERROR (-1) /* BLKIF_RSP_ERROR */

/* One sector behind the end, and two that begin on the last one. */
static void cross_end(const struct block_driver *driver, const char *name, uint64_t sectors,
                      int wanted)
{
    uint8_t *const data = take_pages(1);
    for (unsigned i = 0; i < 4; i++) {
        const bool across = i & 1;
        const enum block_operation operation = i < 2 ? BLOCK_READ : BLOCK_WRITE;
        /* A drive may take the sectors before the bad one, so they are written as they are. */
        if (across)
            block_must(driver, BLOCK_READ, sectors - 1, data, SECTOR_SIZE);
        const int status = block_run(driver, operation, sectors - across, data,
                                     across ? 2 * SECTOR_SIZE : SECTOR_SIZE);
        check(status == wanted, "%s past the end, case %u: status %d, not %d", name, i, status,
              wanted);
    }
    block_must(driver, BLOCK_READ, sectors - 1, data, SECTOR_SIZE);
}

void offend_past_end(void)
{
    const uint64_t sectors = read_sample();
    cross_end(&ata_driver, "ide-pio", sectors, ER_IDNF);
    check(bus_master_init(), "no bus master");
    ata_driver_use(&(struct ata_mode){.transfer = ATA_BY_DMA});
    cross_end(&ata_driver, "ide-dma", sectors, ER_IDNF);
    ata_driver_use(&(struct ata_mode){.transfer = ATA_BY_DMA, .always_lba48 = true});
    cross_end(&ata_driver, "ide-dma with LBA48", sectors, ER_IDNF);
    reach_xen();
    blkfront_connect(false);
    cross_end(&blkfront_driver, "blkfront", sectors, RESPONSE_ERROR);
    check_blkfront();
    blkfront_close();
}

static void unplug_again(void)
{
    platform_unplug_disks();
    check(!ata_present(0) && !ata_present(1), "a disk is there after the unplug");
}

void offend_unplug_twice(void)
{
    read_sample();
    reach_xen();
    unplug_again();
    blkfront_connect(true);
    check_blkfront();
    unplug_again();
    check_blkfront();
    blkfront_close();
}
