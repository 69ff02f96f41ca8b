/*
 * The way to a healthy disk, which every offence needs before and after itself.
 */
#include "offences.h"

#include "ata.h"
#include "ata_driver.h"
#include "blkfront.h"
#include "events.h"
#include "grants.h"
#include "guest.h"
#include "platform.h"
#include "xen.h"
#include "xenstore.h"

#define SAMPLE_BYTES (3 * PAGE_SIZE)

static uint8_t *sample, *found;

uint64_t read_sample(void)
{
    struct ata_identity disk;
    ata_identify(&disk);
    ata_driver_init(&disk);
    ata_driver_use(&(struct ata_mode){.transfer = ATA_BY_SECTORS});
    sample = take_pages(SAMPLE_BYTES / PAGE_SIZE);
    found = take_pages(SAMPLE_BYTES / PAGE_SIZE);
    block_must(&ata_driver, BLOCK_READ, 0, sample, SAMPLE_BYTES);
    return disk.sectors;
}

void reach_xen(void)
{
    xen_init();
    platform_unplug_disks();
    grants_init(platform_init());
    events_init();
    xenstore_init();
}

void check_blkfront(void)
{
    memset(found, 0, SAMPLE_BYTES);
    block_must(&blkfront_driver, BLOCK_READ, 0, found, SAMPLE_BYTES);
    check(memcmp(found, sample, SAMPLE_BYTES) == 0, "blkfront reads other data than IDE did");
}

void check_reconnect(void)
{
    blkfront_connect(false);
    check_blkfront();
    blkfront_close();
}
