/*
 * PCI configuration mechanism #1; see pci.h.
 */
#include "pci.h"

#include "guest.h"
#include "port.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define CONFIG_ENABLE 0x80000000
#define NO_DEVICE 0xffffffff

#define REGISTER_ID 0x00
#define REGISTER_COMMAND 0x04
#define REGISTER_CLASS 0x08
#define REGISTER_HEADER 0x0c
#define HEADER_MULTI_FUNCTION 0x00800000

uint32_t pci_read(uint32_t function, uint8_t offset)
{
    outl(CONFIG_ADDRESS, function | offset);
    return inl(CONFIG_DATA);
}

void pci_write(uint32_t function, uint8_t offset, uint32_t value)
{
    outl(CONFIG_ADDRESS, function | offset);
    outl(CONFIG_DATA, value);
}

/* Finds the first function of bus 0 whose register, shifted right, equals `wanted`. */
static bool find(uint8_t offset, unsigned shift, uint32_t wanted, uint32_t *found)
{
    for (uint32_t device = 0; device < 32; device++) {
        uint32_t functions = 1;
        for (uint32_t number = 0; number < functions; number++) {
            const uint32_t function = CONFIG_ENABLE | device << 11 | number << 8;
            if (pci_read(function, REGISTER_ID) == NO_DEVICE)
                continue;
            if (number == 0 && pci_read(function, REGISTER_HEADER) & HEADER_MULTI_FUNCTION)
                functions = 8;
            if (pci_read(function, offset) >> shift == wanted) {
                *found = function;
                return true;
            }
        }
    }
    return false;
}

bool pci_find_class(uint16_t class, uint32_t *function)
{
    return find(REGISTER_CLASS, 16, class, function);
}

bool pci_find_id(uint32_t id, uint32_t *function)
{
    return find(REGISTER_ID, 0, id, function);
}

uint32_t pci_assign_bar(uint32_t function, uint8_t bar, uint32_t address)
{
    const uint32_t found = pci_read(function, bar);
    if (found & ~0xfu)
        return found;
    pci_write(function, bar, address);
    const uint32_t taken = pci_read(function, bar);
    check((taken & ~0xfu) == address, "BAR at %02x reads %08x after %08x was written", bar, taken,
          address);
    return taken;
}

void pci_enable(uint32_t function, uint16_t bits)
{
    /* The status half of this register is write-1-to-clear; zeros leave it alone. */
    pci_write(function, REGISTER_COMMAND, (pci_read(function, REGISTER_COMMAND) & 0xffff) | bits);
}
