/*
 * PCI configuration mechanism #1, bus 0.
 * Source: PCI Local Bus Specification 3.0, sections 3.2.2.3 and 6.2.
 */
#ifndef PCI_H
#define PCI_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_COMMAND_IO 0x1
#define PCI_COMMAND_MEMORY 0x2
#define PCI_COMMAND_BUS_MASTER 0x4

/* A function is named by its CF8 address: bit 31, device << 11, function << 8. */
uint32_t pci_read(uint32_t function, uint8_t offset);
void pci_write(uint32_t function, uint8_t offset, uint32_t value);

/* Finds the first function whose class and subclass are `class`. */
bool pci_find_class(uint16_t class, uint32_t *function);

/* Finds the first function whose id register is `id`: device << 16 | vendor. */
bool pci_find_id(uint32_t id, uint32_t *function);

/* Returns a BAR; if it has no address yet, gives it `address` first and checks that it took it. */
uint32_t pci_assign_bar(uint32_t function, uint8_t bar, uint32_t address);

/* Sets bits of the command register. */
void pci_enable(uint32_t function, uint16_t bits);

#endif
