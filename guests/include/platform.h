/*
 * The Xen platform PCI device 5853:0001: unplug ports and the memory that grant frames go to.
 * Source: xen/docs/misc/hvm-emulated-unplug.pandoc; Linux arch/x86/xen/platform-pci-unplug.c.
 */
#ifndef PLATFORM_H
#define PLATFORM_H

#include <stdint.h>

/* Finds the device, assigns and enables its memory BAR; returns that address. */
uint32_t platform_init(void);

/* Takes the emulated IDE disks away, by Linux's handshake; there is no way back until reset. */
void platform_unplug_disks(void);

#endif
