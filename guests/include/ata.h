/*
 * ATA disks on the primary channel, register by register.
 * Source: ATA/ATAPI-7 vol. 1, clauses 5-7. The order of accesses is that of Linux's libata
 * (drivers/ata/libata-sff.c, 6.1), so that exits per command can be compared with a stock guest's.
 */
#ifndef ATA_H
#define ATA_H

#include <stdbool.h>
#include <stdint.h>

enum {
    ATA_DATA = 0x1f0,
    ATA_ERROR = 0x1f1,
    ATA_FEATURES = 0x1f1,
    ATA_COUNT = 0x1f2,
    ATA_LBA_LOW = 0x1f3,
    ATA_LBA_MID = 0x1f4,
    ATA_LBA_HIGH = 0x1f5,
    ATA_DEVICE = 0x1f6,
    ATA_STATUS = 0x1f7,
    ATA_COMMAND = 0x1f7,
    ATA_ALT_STATUS = 0x3f6,
    ATA_CONTROL = 0x3f6,
};

enum {
    SR_ERR = 0x01,
    SR_DRQ = 0x08,
    SR_DF = 0x20,
    SR_DRDY = 0x40,
    SR_BSY = 0x80,
};

enum {
    ER_ABRT = 0x04,
    ER_IDNF = 0x10,
};

enum {
    ATA_READ_SECTORS = 0x20,
    ATA_READ_SECTORS_EXT = 0x24,
    ATA_READ_DMA_EXT = 0x25,
    ATA_READ_MULTIPLE_EXT = 0x29,
    ATA_WRITE_SECTORS = 0x30,
    ATA_WRITE_SECTORS_EXT = 0x34,
    ATA_WRITE_DMA_EXT = 0x35,
    ATA_WRITE_MULTIPLE_EXT = 0x39,
    ATA_READ_MULTIPLE = 0xc4,
    ATA_WRITE_MULTIPLE = 0xc5,
    ATA_SET_MULTIPLE = 0xc6,
    ATA_READ_DMA = 0xc8,
    ATA_WRITE_DMA = 0xca,
    ATA_FLUSH = 0xe7,
    ATA_FLUSH_EXT = 0xea,
    ATA_IDENTIFY = 0xec,
};

/* One command, ready for the taskfile. */
struct ata_command {
    uint8_t code;
    bool addressed; /* has a count and an address; else only the device register is written */
    bool lba48;
    uint32_t count; /* sectors, 1-256 (LBA28) or 1-65536 (LBA48), or the setting of SET MULTIPLE */
    uint64_t lba;
};

/* What IDENTIFY DEVICE tells. */
struct ata_identity {
    uint64_t sectors;
    bool lba48;
    bool dma;
    uint8_t max_multiple; /* sectors a READ MULTIPLE block may have; 0: not supported */
    char model[41];
};

/* Selects drive 0 or 1 and waits until it is idle: 4 accesses. */
void ata_select(unsigned drive);

/* Writes the taskfile for drive 0: 7 accesses, with LBA48 12, without an address 2. */
void ata_load(const struct ata_command *command);

/* Writes the command register, then pauses by one alternate status read: 2 accesses. */
void ata_execute(uint8_t code);

/* Reads status until BSY and DRQ are clear, at least once. */
uint8_t ata_wait_idle(void);

/* Reads status until BSY is clear, at least once. */
uint8_t ata_wait_ready(void);

/*
 * Runs a PIO data-in command with interrupts disabled at the drive (nIEN), one sector a DRQ block.
 * Returns 0, or the error register.
 */
uint8_t ata_read_polled(const struct ata_command *command, uint8_t *data, uint32_t sectors);

/* Runs a non-data command the same way. */
uint8_t ata_run_polled(const struct ata_command *command);

/* Identifies drive 0; fails if there is no usable disk. */
void ata_identify(struct ata_identity *identity);

/* Whether any drive answers at position `drive`: its status is neither 00 nor FF when selected. */
bool ata_present(unsigned drive);

#endif
