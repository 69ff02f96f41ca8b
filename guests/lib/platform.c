/*
 * Xen platform device; see platform.h.
 */
#include "platform.h"

#include "guest.h"
#include "pci.h"
#include "port.h"

#define PLATFORM_ID 0x00015853
#define BAR1 0x14
#define BAR1_DEFAULT 0xf0000000 /* where hvmloader puts it */

#define UNPLUG_PORT 0x10
#define PROTOCOL_PORT 0x12
#define UNPLUG_MAGIC 0x49d2
#define UNPLUG_PROTOCOL 1
#define PRODUCT_LINUX 3
#define BUILD_NUMBER 1
#define UNPLUG_ALL_DISKS 0x0001

uint32_t platform_init(void)
{
    uint32_t function;
    check(pci_find_id(PLATFORM_ID, &function), "no Xen platform device 5853:0001");
    const uint32_t address = pci_assign_bar(function, BAR1, BAR1_DEFAULT) & ~0xfu;
    pci_enable(function, PCI_COMMAND_MEMORY);
    return address;
}

static void check_magic(void)
{
    const uint16_t magic = inw(UNPLUG_PORT);
    check(magic == UNPLUG_MAGIC, "unplug port reads 0x%04x, not the magic 0x%04x", magic,
          UNPLUG_MAGIC);
}

void platform_unplug_disks(void)
{
    check_magic();
    const uint8_t protocol = inb(PROTOCOL_PORT);
    check(protocol == UNPLUG_PROTOCOL, "unplug protocol %u is unknown", protocol);
    outw(PROTOCOL_PORT, PRODUCT_LINUX);
    outl(UNPLUG_PORT, BUILD_NUMBER);
    check_magic(); /* another value now would mean that this driver is blacklisted */
    outw(UNPLUG_PORT, UNPLUG_ALL_DISKS);
}
