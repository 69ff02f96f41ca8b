/**
 * Power-on configuration space of the i440FX host bridge, the PIIX3 ISA bridge and the PIIX4 power
 * management function, as data.
 * Source: configuration space of QEMU's `pc` machine, non-zero bytes; register names and writable
 * bits from the Intel 82441FX, 82371SB and 82371AB datasheets.
 * @module
 */

import type { PciFunctionSpec } from "./pci.ts";

/** Subsystem that QEMU gives its own functions; SeaBIOS tells QEMU from other hardware by it. */
const QEMU_SUBSYSTEM = { subsystemVendor: 0x1af4, subsystem: 0x1100 } as const;

/** Intel 82441FX host bridge, function 0:0.0. */
export const I440FX: PciFunctionSpec = {
  ...QEMU_SUBSYSTEM,
  vendor: 0x8086,
  device: 0x1237,
  revision: 0x02,
  classCode: 0x060000,
  registers: [
    [0x57, 0x20], // DRAMC
    // PAM: two bits (read enable, write enable) for each 16 KiB of 0xC0000-0xEFFFF, 64 KiB of
    // 0xF0000
    [0x59, 0x00, 0x30],
    [0x5a, 0x00, 0x33],
    [0x5b, 0x00, 0x33],
    [0x5c, 0x00, 0x33],
    [0x5d, 0x00, 0x33],
    [0x5e, 0x00, 0x33],
    [0x5f, 0x00, 0x33],
    [0x72, 0x02, 0x78], // SMRAM: D_OPEN, D_CLS, D_LCK, G_SMRAME; C_BASE_SEG is fixed
  ],
};

/** Intel 82371SB ISA bridge, function 0:1.0 of a multi-function device. */
export const PIIX3_ISA: PciFunctionSpec = {
  ...QEMU_SUBSYSTEM,
  vendor: 0x8086,
  device: 0x7000,
  revision: 0x00,
  classCode: 0x060100,
  headerType: 0x80,
  status: 0x0200,
  registers: [
    [0x4c, 0x4d], // IORT: I/O recovery timer
    [0x4e, 0x03], // XBCS: X-bus chip select
    // PIRQRC[A:D]: bit 7 routing off, bits 3:0 ISA interrupt
    [0x60, 0x80, 0x8f],
    [0x61, 0x80, 0x8f],
    [0x62, 0x80, 0x8f],
    [0x63, 0x80, 0x8f],
    [0x69, 0x02], // TOM: top of memory
    [0x70, 0x80], // MBIRQ0
    [0x76, 0x0c], // MBDMA0
    [0x77, 0x0c], // MBDMA1
    [0x78, 0x02], // PCSC
    [0xa0, 0x08], // SMICNTL
    [0xa8, 0x0f], // FTMR
  ],
};

/** Intel 82371AB power management, function 0:1.3. Its I/O base registers are no BARs. */
export const PIIX4_PM: PciFunctionSpec = {
  ...QEMU_SUBSYSTEM,
  vendor: 0x8086,
  device: 0x7113,
  revision: 0x03,
  classCode: 0x068000,
  status: 0x0280,
  interruptPin: 1,
  registers: [
    // PMBA: 64 ports, decoded while bit 0 of PMREGMISC is set
    [0x40, 0x01, 0xc0],
    [0x41, 0x00],
    [0x42, 0x00, 0x00],
    [0x43, 0x00, 0x00],
    // DEVACTB bit 25, APMC_EN: somebody has set SMM up already. There is none, and SeaBIOS would
    // wait for its first SMI for ever.
    [0x5b, 0x02],
    [0x5f, 0x90], // DEVRESD
    [0x63, 0x60], // DEVRESE
    [0x67, 0x08], // DEVRESF
    [0x80, 0x00, 0x01], // PMREGMISC
    // SMBBA: 16 ports, decoded while bit 0 of SMBHSTCFG is set
    [0x90, 0x01, 0xf0],
    [0x91, 0xb1],
    [0xd2, 0x09], // SMBHSTCFG
  ],
};
