/*
 * The five paths of diskcmp: what has to happen before and after the requests of each.
 */
#include "paths.h"

#include "ata.h"
#include "ata_driver.h"
#include "blkfront.h"
#include "bus_master.h"
#include "events.h"
#include "grants.h"
#include "guest.h"
#include "platform.h"
#include "xen.h"
#include "xenstore.h"

#define MULTIPLE 16

enum { IDE_PIO, IDE_PIO_MULTIPLE, IDE_DMA, PV, PV_PERSISTENT };

const struct path path_table[PATH_COUNT] = {
    [IDE_PIO] = {"ide-pio", 1, false, &ata_driver},
    [IDE_PIO_MULTIPLE] = {"ide-pio-multiple", 2, false, &ata_driver},
    [IDE_DMA] = {"ide-dma", 3, false, &ata_driver},
    [PV] = {"pv", 4, true, &blkfront_driver},
    [PV_PERSISTENT] = {"pv-persistent", 5, true, &blkfront_driver},
};

static const struct ata_mode ide_mode[] = {
    [IDE_PIO] = {.transfer = ATA_BY_SECTORS},
    [IDE_PIO_MULTIPLE] = {.transfer = ATA_BY_MULTIPLE, .multiple = MULTIPLE},
    [IDE_DMA] = {.transfer = ATA_BY_DMA},
};

static struct ata_identity disk;
static bool xen_is_up;

uint32_t path_index(const char *name)
{
    for (uint32_t index = 0; index < PATH_COUNT; index++)
        if (strcmp(path_table[index].name, name) == 0)
            return index;
    fail("path %s is unknown: want all, ide-pio, ide-pio-multiple, ide-dma, pv or pv-persistent",
         name);
}

uint32_t paths_init(void)
{
    ata_identify(&disk);
    bus_master_init();
    ata_driver_init(&disk);
    return disk.sectors > UINT32_MAX ? UINT32_MAX : (uint32_t)disk.sectors;
}

/* From here on the disk is reached through the backend only. */
static void leave_ide(void)
{
    xen_init();
    platform_unplug_disks();
    grants_init(platform_init());
    events_init();
    xenstore_init();
    xen_is_up = true;
}

void path_enter(uint32_t index)
{
    if (!path_table[index].is_paravirtual) {
        check(index != IDE_DMA || (disk.dma && bus_master_present()), "the IDE disk has no DMA");
        ata_driver_use(&ide_mode[index]);
        return;
    }
    if (!xen_is_up)
        leave_ide();
    const uint64_t sectors = blkfront_connect(index == PV_PERSISTENT);
    check(sectors == disk.sectors, "the backend has %llu sectors, IDENTIFY told %llu", sectors,
          disk.sectors);
}

void path_leave(uint32_t index)
{
    if (path_table[index].is_paravirtual)
        blkfront_close();
}
