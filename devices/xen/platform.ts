/**
 * The Xen platform device: fixed ports 0x10–0x1f, by which a guest removes its emulated disks, and
 * the PCI function that announces it.
 * Source: docs/misc/hvm-emulated-unplug.pandoc of Xen; hw/i386/xen/xen_platform.c of QEMU.
 * @module
 */

import { allOnes } from "../../core/bits.ts";
import type { AccessSize, MmioDevice, PortDevice } from "../../core/types.ts";
import { PCI_COMMAND, type PciFunctionSpec } from "../pci.ts";

/** Bytes of BAR1: room for any grant table. */
export const PLATFORM_BAR1_BYTES: number = 16 << 20;

/** BAR1 where the guest has mapped nothing into it: there are no registers. */
export const PLATFORM_BAR1: MmioDevice = { readMmio: () => 0, writeMmio: () => {} };

/**
 * The platform device's PCI function. Guests take BAR1 as room for grant table and shared pages.
 */
export const XEN_PLATFORM_PCI: PciFunctionSpec = {
  vendor: 0x5853,
  device: 0x0001,
  revision: 1,
  classCode: 0xff8000,
  subsystemVendor: 0x5853,
  subsystem: 0x0001,
  command: PCI_COMMAND.IO | PCI_COMMAND.MEMORY,
  interruptPin: 1,
  bars: {
    0: { space: "io", size: 0x100 },
    1: { space: "memory", size: PLATFORM_BAR1_BYTES, prefetchable: true },
  },
};

/** Bits of an unplug request. */
export const UNPLUG = {
  ALL_DISKS: 0x1, // IDE and SCSI, not CD-ROM
  ALL_NICS: 0x2,
  AUX_IDE_DISKS: 0x4, // all but the primary master
  NVME_DISKS: 0x8,
} as const;

const UNPLUG_MASK = 0xf;
const MAGIC = 0x49d2;
const PROTOCOL_VERSION = 1;
const FLAG_ROM_LOCK = 0x01;

/** Fixed functions. The hexadecimal digits are the offset from port 0x10 and the width in bytes. */
const FIXED = {
  FLAGS: 0x01,
  MAGIC_AND_UNPLUG: 0x02,
  BUILD: 0x04,
  VERSION_AND_LOG: 0x21,
  PRODUCT: 0x22,
} as const;

const BAR0 = { FLAGS: 0, UNPLUG_ALL: 4, UNPLUG_OR_LOG: 8 } as const;
const BAR0_DISKS = 1;
const BAR0_NICS = 2;

/** What a guest does to the platform device. */
export interface PlatformEvents {
  /** @param mask bits of {@link UNPLUG}, each reported once */
  onUnplug(mask: number): void;
  /** A character for the host's log; a newline ends the line. */
  onLog(byte: number): void;
  /** Memory from 0xc0000 up to 1 MiB can be written from now on, or no longer. */
  onRomLock(locked: boolean): void;
}

/** Ports 0x10–0x1f. The width of an access tells the functions apart. */
export class XenPlatform implements PortDevice {
  /** The port BAR of the PCI function. */
  readonly bar0: PortDevice;
  readonly #events: PlatformEvents;
  #flags = 0;
  #unplugged = 0;
  #product = 0;
  #build = 0;

  constructor(events: PlatformEvents) {
    this.#events = events;
    this.bar0 = {
      readPort: (offset, size) => this.#readBar0(offset, size),
      writePort: (offset, size, value) => this.#writeBar0(offset, size, value),
    };
  }

  /** Bits of {@link UNPLUG} that the guest has asked for. Nothing but a reset undoes it. */
  get unplugged(): number {
    return this.#unplugged;
  }

  /** Who drives the device: product (3 is Linux) and build number, 0 until told. */
  get driver(): { readonly product: number; readonly build: number } {
    return { product: this.#product, build: this.#build };
  }

  readPort(offset: number, size: AccessSize): number {
    switch (offset << 4 | size) {
      case FIXED.FLAGS:
        return this.#flags;
      case FIXED.MAGIC_AND_UNPLUG:
        return MAGIC;
      case FIXED.VERSION_AND_LOG:
        return PROTOCOL_VERSION;
      default:
        return allOnes(size);
    }
  }

  writePort(offset: number, size: AccessSize, value: number): void {
    switch (offset << 4 | size) {
      case FIXED.FLAGS:
        return this.#setFlags(value);
      case FIXED.MAGIC_AND_UNPLUG:
        return this.#unplug(value);
      case FIXED.BUILD:
        this.#build = value;
        return;
      case FIXED.VERSION_AND_LOG:
        return this.#events.onLog(value & 0xff);
      case FIXED.PRODUCT:
        this.#product = value;
        return;
    }
  }

  #setFlags(value: number): void {
    this.#flags = value & FLAG_ROM_LOCK;
    this.#events.onRomLock((value & FLAG_ROM_LOCK) !== 0);
  }

  #unplug(mask: number): void {
    const fresh = mask & UNPLUG_MASK & ~this.#unplugged;
    this.#unplugged |= fresh;
    if (fresh !== 0) this.#events.onUnplug(fresh);
  }

  #readBar0(offset: number, size: AccessSize): number {
    return offset === BAR0.FLAGS && size === 1 ? this.#flags : allOnes(size);
  }

  /** Offsets 4 and 8 are an older way to unplug, kept for the guests of SUSE. */
  #writeBar0(offset: number, size: AccessSize, value: number): void {
    if (offset === BAR0.FLAGS && size === 1) this.#setFlags(value);
    if (offset === BAR0.UNPLUG_ALL && value === 1) this.#unplug(UNPLUG.ALL_DISKS | UNPLUG.ALL_NICS);
    if (offset === BAR0.UNPLUG_OR_LOG) this.#unplugOrLog(value & 0xff);
  }

  #unplugOrLog(value: number): void {
    if (value === BAR0_DISKS) this.#unplug(UNPLUG.ALL_DISKS);
    else if (value === BAR0_NICS) this.#unplug(UNPLUG.ALL_NICS);
    else this.#events.onLog(value);
  }
}
