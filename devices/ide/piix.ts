/**
 * Power-on configuration space of the PIIX3's IDE controller, function 0:1.1, as data.
 * Source: Intel 82371SB datasheet §2.4; values as QEMU's `pc` machine shows them.
 * @module
 */

import type { PciFunctionSpec } from "../pci.ts";

/** Base address register of the bus masters. */
export const PIIX3_IDE_BAR = 4;

/** Ports of one channel behind that register: first the primary's, then the secondary's. */
export const BUS_MASTER_PORTS = 8;

/** Intel 82371SB IDE controller: both channels at their legacy ports, able to master the bus. */
export const PIIX3_IDE: PciFunctionSpec = {
  vendor: 0x8086,
  device: 0x7010,
  revision: 0x00,
  classCode: 0x010180,
  subsystemVendor: 0x1af4,
  subsystem: 0x1100,
  status: 0x0280,
  bars: { [PIIX3_IDE_BAR]: { space: "io", size: 2 * BUS_MASTER_PORTS } },
};
