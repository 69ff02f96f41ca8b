/*
 * ATA registers and polled commands; see ata.h.
 */
#include "ata.h"

#include "guest.h"
#include "port.h"

#define DEVICE_BASE 0xa0
#define DEVICE_LBA 0x40
#define CONTROL_IRQ_ON 0x08
#define CONTROL_IRQ_OFF 0x0a
#define IDLE_TRIES 1000 /* as libata's ata_wait_idle() */
#define READY_TRIES 100000000

uint8_t ata_wait_idle(void)
{
    uint8_t status;
    unsigned tries = IDLE_TRIES;
    do
        status = inb(ATA_STATUS);
    while (status & (SR_BSY | SR_DRQ) && --tries);
    return status;
}

uint8_t ata_wait_ready(void)
{
    for (unsigned tries = READY_TRIES; tries; tries--) {
        const uint8_t status = inb(ATA_STATUS);
        if (!(status & SR_BSY))
            return status;
    }
    fail("the drive stays busy");
}

void ata_select(unsigned drive)
{
    ata_wait_idle();
    outb(ATA_DEVICE, DEVICE_BASE | drive << 4);
    inb(ATA_ALT_STATUS);
    ata_wait_idle();
}

/* The five address registers. For LBA48 they are two bytes deep and take the high bytes first. */
static void load_address(uint32_t count, uint8_t low, uint8_t mid, uint8_t high)
{
    outb(ATA_FEATURES, 0);
    outb(ATA_COUNT, (uint8_t)count);
    outb(ATA_LBA_LOW, low);
    outb(ATA_LBA_MID, mid);
    outb(ATA_LBA_HIGH, high);
}

void ata_load(const struct ata_command *command)
{
    const uint64_t lba = command->lba;
    uint8_t device = DEVICE_BASE;
    if (command->addressed) {
        if (command->lba48)
            load_address(command->count >> 8, lba >> 24, lba >> 32, lba >> 40);
        else
            device |= lba >> 24 & 0x0f;
        load_address(command->count, lba, lba >> 8, lba >> 16);
        device |= DEVICE_LBA;
    }
    outb(ATA_DEVICE, device);
    ata_wait_idle();
}

void ata_execute(uint8_t code)
{
    outb(ATA_COMMAND, code);
    inb(ATA_ALT_STATUS);
}

static void start_polled(const struct ata_command *command)
{
    outb(ATA_CONTROL, CONTROL_IRQ_OFF);
    ata_select(0);
    ata_load(command);
    ata_execute(command->code);
}

/* Returns 0, or the error register of a command that has ended with ERR or DF. */
static uint8_t finish_polled(uint8_t status)
{
    const uint8_t error = status & (SR_ERR | SR_DF) ? inb(ATA_ERROR) : 0;
    outb(ATA_CONTROL, CONTROL_IRQ_ON);
    return error;
}

uint8_t ata_read_polled(const struct ata_command *command, uint8_t *data, uint32_t sectors)
{
    start_polled(command);
    for (; sectors; sectors--, data += SECTOR_SIZE) {
        const uint8_t status = ata_wait_ready();
        if (status & (SR_ERR | SR_DF))
            return finish_polled(status);
        check(status & SR_DRQ, "command %02x: status %02x without DRQ", command->code, status);
        insl(ATA_DATA, data, SECTOR_SIZE / 4);
    }
    const uint8_t status = ata_wait_ready();
    check(!(status & SR_DRQ), "command %02x: DRQ after the last sector", command->code);
    return finish_polled(status);
}

uint8_t ata_run_polled(const struct ata_command *command)
{
    start_polled(command);
    return finish_polled(ata_wait_ready());
}

/* Strings in IDENTIFY have the first character of each pair in the high byte. */
static void copy_model(char *model, const uint16_t *words)
{
    unsigned length = 0;
    for (unsigned i = 0; i < 40; i++) {
        model[i] = (char)(i & 1 ? words[i / 2] : words[i / 2] >> 8);
        if (model[i] != ' ')
            length = i + 1;
    }
    model[length] = '\0';
}

void ata_identify(struct ata_identity *identity)
{
    uint16_t word[256];
    check(ata_present(0), "no drive at primary master");
    const struct ata_command command = {.code = ATA_IDENTIFY};
    const uint8_t error = ata_read_polled(&command, (uint8_t *)word, 1);
    check(error == 0, "IDENTIFY DEVICE: error register %02x", error);
    check(!(word[0] & 0x8000) && word[49] & 0x0200, "primary master is no ATA disk with LBA");
    identity->lba48 = word[83] >> 10 & 1;
    identity->dma = word[49] >> 8 & 1;
    identity->max_multiple = word[47] & 0xff;
    identity->sectors = word[60] | (uint32_t)word[61] << 16;
    if (identity->lba48)
        identity->sectors = word[100] | (uint32_t)word[101] << 16 | (uint64_t)word[102] << 32 |
                            (uint64_t)word[103] << 48;
    copy_model(identity->model, &word[27]);
}

bool ata_present(unsigned drive)
{
    outb(ATA_DEVICE, DEVICE_BASE | drive << 4);
    inb(ATA_ALT_STATUS);
    const uint8_t status = inb(ATA_STATUS);
    return status != 0x00 && status != 0xff;
}
