/*
 * Interrupt-driven ATA driver for primary master; see ata_driver.h.
 */
#include "ata_driver.h"

#include "bus_master.h"
#include "guest.h"
#include "interrupts.h"
#include "port.h"

#define LBA28_LIMIT (1u << 28)
#define LBA28_MAX_COUNT 256
#define LBA48_MAX_COUNT 65536

/* By transfer, direction (read, write) and form (LBA28, LBA48). */
static const uint8_t command_code[3][2][2] = {
    [ATA_BY_SECTORS] = {{ATA_READ_SECTORS, ATA_READ_SECTORS_EXT},
                        {ATA_WRITE_SECTORS, ATA_WRITE_SECTORS_EXT}},
    [ATA_BY_MULTIPLE] = {{ATA_READ_MULTIPLE, ATA_READ_MULTIPLE_EXT},
                         {ATA_WRITE_MULTIPLE, ATA_WRITE_MULTIPLE_EXT}},
    [ATA_BY_DMA] = {{ATA_READ_DMA, ATA_READ_DMA_EXT}, {ATA_WRITE_DMA, ATA_WRITE_DMA_EXT}},
};

static struct ata_mode mode;
static bool flush_is_ext, can_lba48;

static struct block_queue queue;
static struct block_request *active;
static uint8_t *next_data;    /* PIO: where the next DRQ block goes or comes from */
static uint32_t sectors_left; /* PIO: sectors of the blocks to come */

static bool is_pio(const struct block_request *request)
{
    return request->operation != BLOCK_FLUSH && mode.transfer != ATA_BY_DMA;
}

static struct ata_command command_for(const struct block_request *request)
{
    if (request->operation == BLOCK_FLUSH)
        return (struct ata_command){.code = flush_is_ext ? ATA_FLUSH_EXT : ATA_FLUSH};
    const uint32_t count = request->length / SECTOR_SIZE;
    const bool lba48 = mode.always_lba48 || count > LBA28_MAX_COUNT ||
                       (can_lba48 && request->sector + count > LBA28_LIMIT);
    return (struct ata_command){
        .code = command_code[mode.transfer][request->operation][lba48],
        .addressed = true,
        .lba48 = lba48,
        .count = count,
        .lba = request->sector,
    };
}

/* Moves one DRQ block, then reads alternate status so that the last word has arrived. */
static void move_block(void)
{
    uint32_t sectors = mode.transfer == ATA_BY_MULTIPLE ? mode.multiple : 1;
    if (sectors > sectors_left)
        sectors = sectors_left;
    const uint32_t dwords = sectors * SECTOR_SIZE / 4;
    if (active->operation == BLOCK_READ)
        insl(ATA_DATA, next_data, dwords);
    else
        outsl(ATA_DATA, next_data, dwords);
    next_data += sectors * SECTOR_SIZE;
    sectors_left -= sectors;
    inb(ATA_ALT_STATUS);
}

static void finish(int status)
{
    active->status = status;
    active->done = true;
    active = NULL;
}

/*
 * The first block of a PIO write has no interrupt: the drive asks for it by DRQ alone. A refusal
 * has one, but reading the status has taken it back, so it must be dealt with here.
 */
static void start_pio_write(void)
{
    const uint8_t status = ata_wait_ready();
    if (status & (SR_ERR | SR_DF)) {
        finish(inb(ATA_ERROR));
        return;
    }
    check(status & SR_DRQ, "write without DRQ: status %02x", status);
    move_block();
}

static void start(struct block_request *request)
{
    const struct ata_command command = command_for(request);
    const bool dma = request->operation != BLOCK_FLUSH && mode.transfer == ATA_BY_DMA;
    active = request;
    next_data = request->data;
    sectors_left = request->length / SECTOR_SIZE;
    ata_select(0);
    ata_load(&command);
    if (dma)
        bus_master_prepare(request->data, request->length, request->operation == BLOCK_READ,
                           mode.prd_limit);
    ata_execute(command.code);
    if (dma)
        bus_master_start();
    else if (request->operation == BLOCK_WRITE)
        start_pio_write();
}

/* Goes on with a PIO command whose drive has raised INTRQ without an error. */
static void continue_pio(uint8_t status)
{
    if (active->operation == BLOCK_WRITE && !sectors_left) {
        finish(0);
        return;
    }
    check(status & SR_DRQ, "PIO interrupt without DRQ: status %02x", status);
    move_block();
    if (active->operation == BLOCK_READ && !sectors_left) {
        ata_wait_idle();
        finish(0);
    }
}

static void on_interrupt(void)
{
    const bool dma = active && active->operation != BLOCK_FLUSH && mode.transfer == ATA_BY_DMA;
    if (dma) {
        if (!(bus_master_status() & BM_STATUS_INTERRUPT))
            return;
        bus_master_stop();
    }
    if (inb(ATA_ALT_STATUS) & SR_BSY)
        return;
    const uint8_t status = inb(ATA_STATUS);
    if (bus_master_present())
        bus_master_clear();
    if (!active)
        return;
    if (status & (SR_ERR | SR_DF))
        finish(inb(ATA_ERROR));
    else if (is_pio(active))
        continue_pio(status);
    else
        finish(0);
}

static void submit(struct block_request *request)
{
    const uint32_t limit = mode.transfer == ATA_BY_DMA ? BUS_MASTER_MAX_BYTES
                                                       : LBA48_MAX_COUNT * SECTOR_SIZE;
    check(request->length <= limit, "a request of %u bytes is too long for one command",
          request->length);
    block_enqueue(&queue, request);
}

static void kick(void)
{
    if (active || !queue.first)
        return;
    struct block_request *const request = queue.first;
    block_dequeue(&queue);
    start(request);
}

const struct block_driver ata_driver = {submit, kick};

void ata_driver_init(const struct ata_identity *identity)
{
    can_lba48 = identity->lba48;
    flush_is_ext = identity->lba48 && identity->sectors > LBA28_LIMIT;
    irq_enable(IRQ_PRIMARY_IDE, on_interrupt);
}

void ata_driver_use(const struct ata_mode *wanted)
{
    mode = *wanted;
    if (mode.transfer != ATA_BY_MULTIPLE)
        return;
    const struct ata_command set = {
        .code = ATA_SET_MULTIPLE, .addressed = true, .count = mode.multiple};
    const uint8_t error = ata_run_polled(&set);
    check(error == 0, "SET MULTIPLE MODE %u: error register %02x", mode.multiple, error);
}
