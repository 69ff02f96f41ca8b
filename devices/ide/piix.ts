/**
 * PCI function 1 of the 82371SB (PIIX3): the IDE controller's configuration space, as data.
 * Source: Intel 82371SB datasheet §2.4; values after power-on as QEMU 7.2 shows them.
 * @module
 */

/** Consecutive bytes of configuration space. */
export type ConfigRow = readonly [offset: number, ...bytes: number[]];

/** Contents after power-on; bytes without a row are 0. Multi-byte fields are little-endian. */
export const PIIX3_IDE_CONFIG: readonly ConfigRow[] = [
  [0x00, 0x86, 0x80, 0x10, 0x70], // Intel, PIIX3 IDE
  [0x06, 0x80, 0x02], // status: fast back-to-back, DEVSEL medium
  [0x08, 0x00, 0x80, 0x01, 0x01], // revision 0; class 0101, bus master, both channels in legacy mode
  [0x20, 0x01, 0x00, 0x00, 0x00], // BAR 4: I/O, not assigned
  // IDETIM: a BIOS sets bit 15, "decode the channel's ports". None runs here, and Linux's ata_piix silently
  // finds no disk on a channel where it is 0.
  [0x40, 0x00, 0x80, 0x00, 0x80],
];

/** Bits that a guest may change; in bytes without a row none. */
export const PIIX3_IDE_WRITABLE: readonly ConfigRow[] = [
  [0x04, 0x05], // command: I/O space, bus master
  [0x0d, 0xf0], // latency timer
  [0x20, 0xf0, 0xff, 0xff, 0xff], // BAR 4
  [0x40, 0xff, 0xff, 0xff, 0xff, 0xff], // IDETIM, SIDETIM: kept, without effect
];

/** Index of the base address register of the bus master. */
export const PIIX3_IDE_BAR = 4;

/** Ports behind that register: eight for each channel. */
export const PIIX3_IDE_BAR_SIZE = 16;
