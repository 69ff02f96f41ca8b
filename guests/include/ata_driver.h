/*
 * Interrupt-driven ATA disk driver: one command at a time, by PIO or by bus master.
 *
 * Control accesses of one request of n DRQ blocks, as libata with ata_piix makes them:
 * PIO read 14 + 5n, PIO write 14 + 5n, DMA 26, flush 12; LBA48 adds 5 to any but the flush. The
 * data come on top: one REP INSL or OUTSL a DRQ block.
 */
#ifndef ATA_DRIVER_H
#define ATA_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "ata.h"
#include "block.h"

enum ata_transfer {
    ATA_BY_SECTORS,  /* READ/WRITE SECTORS: one sector a DRQ block */
    ATA_BY_MULTIPLE, /* READ/WRITE MULTIPLE: `multiple` sectors a DRQ block */
    ATA_BY_DMA,      /* READ/WRITE DMA through the bus master */
};

/* How requests are carried out from now on. */
struct ata_mode {
    enum ata_transfer transfer;
    bool always_lba48;  /* use the EXT commands even where LBA28 would do */
    uint32_t multiple;  /* ATA_BY_MULTIPLE: sectors a block, set by ata_driver_use() */
    uint32_t prd_limit; /* ATA_BY_DMA: most bytes of a descriptor, even; 0: as the format allows */
};

extern const struct block_driver ata_driver;

/* Hooks IRQ 14. The disk has been identified. */
void ata_driver_init(const struct ata_identity *identity);

/* Chooses the mode of all later requests; nothing may be queued. */
void ata_driver_use(const struct ata_mode *mode);

#endif
