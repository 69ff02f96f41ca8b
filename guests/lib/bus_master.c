/*
 * Bus-master IDE, primary channel; see bus_master.h.
 */
#include "bus_master.h"

#include "ata.h"
#include "guest.h"
#include "pci.h"
#include "port.h"

#define BM_COMMAND 0
#define BM_STATUS 2
#define BM_TABLE 4
#define COMMAND_START 0x01
#define COMMAND_TO_MEMORY 0x08

#define CLASS_IDE 0x0101
#define BAR4 0x20
#define BAR4_DEFAULT 0xc000
#define IDE_TIMING_PRIMARY 0x40
#define IDE_DECODE_ENABLE 0x8000

#define PRD_END 0x80000000
#define PRD_BOUNDARY 0x10000u
#define PRD_ENTRIES 512

struct prd {
    uint32_t address;
    uint32_t count; /* bits 15:0, 0 means 64 KiB; bit 31 ends the table */
};

static struct prd table[PRD_ENTRIES] __attribute__((aligned(4096)));
static uint16_t base;

bool bus_master_init(void)
{
    uint32_t function;
    if (!pci_find_class(CLASS_IDE, &function))
        return false;
    base = pci_assign_bar(function, BAR4, BAR4_DEFAULT) & 0xfff0;
    pci_enable(function, PCI_COMMAND_IO | PCI_COMMAND_BUS_MASTER);
    const uint32_t timing = pci_read(function, IDE_TIMING_PRIMARY);
    if (!(timing & IDE_DECODE_ENABLE))
        pci_write(function, IDE_TIMING_PRIMARY, timing | IDE_DECODE_ENABLE);
    return true;
}

bool bus_master_present(void)
{
    return base != 0;
}

/* No descriptor may cross a 64 KiB boundary. */
static void build_table(uint32_t address, uint32_t length, uint32_t prd_limit)
{
    struct prd *entry = table;
    while (length) {
        uint32_t bytes = PRD_BOUNDARY - address % PRD_BOUNDARY;
        if (prd_limit && bytes > prd_limit)
            bytes = prd_limit;
        if (bytes > length)
            bytes = length;
        check(entry < table + PRD_ENTRIES, "the PRD table is full");
        *entry++ = (struct prd){address, bytes & 0xffff};
        address += bytes;
        length -= bytes;
    }
    entry[-1].count |= PRD_END;
}

void bus_master_prepare(const uint8_t *data, uint32_t length, bool to_memory, uint32_t prd_limit)
{
    build_table((uint32_t)data, length, prd_limit);
    outl(base + BM_TABLE, (uint32_t)table);
    const uint8_t command = inb(base + BM_COMMAND) & ~(COMMAND_START | COMMAND_TO_MEMORY);
    outb(base + BM_COMMAND, to_memory ? command | COMMAND_TO_MEMORY : command);
}

void bus_master_start(void)
{
    outb(base + BM_COMMAND, inb(base + BM_COMMAND) | COMMAND_START);
}

void bus_master_stop(void)
{
    outb(base + BM_COMMAND, inb(base + BM_COMMAND) & ~COMMAND_START);
    inb(ATA_ALT_STATUS);
}

uint8_t bus_master_status(void)
{
    return inb(base + BM_STATUS);
}

void bus_master_clear(void)
{
    outb(base + BM_STATUS, inb(base + BM_STATUS));
}
