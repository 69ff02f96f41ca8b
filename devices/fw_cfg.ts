/**
 * QEMU's firmware configuration device: numbered items of bytes, some of them named files, that a
 * BIOS reads through a selector and a data port or has copied into memory.
 *
 * | port | access | what |
 * |---|---|---|
 * | +0 | word, write | selects an item, from its first byte |
 * | +1 | byte, read | its next byte; 0 behind the last one |
 * | DMA +0, +4 | dword, big-endian | address of a request; the low half starts it |
 *
 * Source: QEMU, docs/specs/fw_cfg.rst.
 * @module
 */

import { littleEndian } from "../core/bits.ts";
import type { AccessSize, Gpa, GuestMemory, PortDevice } from "../core/types.ts";

/** Ports of selector and data. */
export const FW_CFG_PORTS = 2;
/** Ports of the DMA interface. */
export const FW_CFG_DMA_PORTS = 8;

/** Items that every version has. */
export const FW_CFG = {
  SIGNATURE: 0x0000,
  ID: 0x0001,
  RAM_SIZE: 0x0003,
  NO_GRAPHICS: 0x0004,
  CPU_COUNT: 0x0005,
  NUMA: 0x000d,
  BOOT_MENU: 0x000e,
  MAX_CPUS: 0x000f,
  FILE_DIR: 0x0019,
  FILE_FIRST: 0x0020,
  IRQ0_OVERRIDE: 0x8002,
} as const;

const TEXT = new TextEncoder();
const SIGNATURE = TEXT.encode("QEMU");
/** The selector interface and the DMA interface are there. */
const FEATURES = 0x3;
/** What the DMA register reads: "QEMU CFG". */
const DMA_SIGNATURE = [0x51454d55, 0x20434647] as const;

/** A directory entry: size, selector, reserved word, name; big-endian. */
const ENTRY = { SIZE: 0, SELECTOR: 4, NAME: 8, BYTES: 64 } as const;
const COUNT_BYTES = 4;
const LONGEST_NAME = 55;

/** A request in memory: control, length, address; big-endian. */
const REQUEST = { CONTROL: 0, LENGTH: 4, ADDRESS_HIGH: 8, ADDRESS_LOW: 12 } as const;
const CONTROL = { ERROR: 0x01, READ: 0x02, SKIP: 0x04, SELECT: 0x08, WRITE: 0x10 } as const;

const NOTHING = new Uint8Array(0);

/** What a firmware is told. */
export interface FwCfgContents {
  /** Items by number. */
  readonly items: ReadonlyMap<number, Uint8Array>;
  /** Files by name, at most 55 characters of ASCII. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** The device. Items never change and cannot be written. */
export class FwCfg implements PortDevice {
  /** The DMA interface, at ports of its own. */
  readonly dma: PortDevice;
  readonly #contents: () => FwCfgContents;
  #items: ReadonlyMap<number, Uint8Array> | undefined;
  #item: Uint8Array = SIGNATURE;
  #at = 0;

  /** @param contents asked for once, when a guest looks: most never do */
  constructor(memory: GuestMemory, contents: () => FwCfgContents) {
    this.#contents = contents;
    this.dma = new FwCfgDma(memory, this);
  }

  /** Goes to the first byte of an item; an unknown one is empty. */
  select(item: number): void {
    this.#items ??= allItems(this.#contents());
    this.#item = this.#items.get(item) ?? NOTHING;
    this.#at = 0;
  }

  /** The next `length` bytes; fewer at the item's end, which is passed all the same. */
  next(length: number): Uint8Array {
    const bytes = this.#item.subarray(this.#at, this.#at + length);
    this.#at += length;
    return bytes;
  }

  readPort(offset: number, size: AccessSize): number {
    if (offset !== 1 || size !== 1) return 0;
    return this.#item[this.#at++] ?? 0;
  }

  writePort(offset: number, size: AccessSize, value: number): void {
    if (offset === 0 && size === 2) this.select(value);
  }

  readPortString(offset: number, size: AccessSize, into: Uint8Array): void {
    into.fill(0);
    if (offset === 1 && size === 1) into.set(this.next(into.length));
  }
}

/** The items given, those of the device itself, and the files behind a directory. */
function allItems({ items, files }: FwCfgContents): Map<number, Uint8Array> {
  const all = new Map(items);
  all.set(FW_CFG.SIGNATURE, SIGNATURE);
  all.set(FW_CFG.ID, Uint8Array.from(littleEndian(FEATURES, 4)));
  all.set(FW_CFG.FILE_DIR, directory(files));
  [...files.values()].forEach((bytes, i) => all.set(FW_CFG.FILE_FIRST + i, bytes));
  return all;
}

/** Copies items into memory on request. */
class FwCfgDma implements PortDevice {
  readonly #memory: GuestMemory;
  readonly #items: FwCfg;
  #high = 0;

  constructor(memory: GuestMemory, items: FwCfg) {
    this.#memory = memory;
    this.#items = items;
  }

  readPort(offset: number, size: AccessSize): number {
    let value = 0;
    for (let lane = 0; lane < size; lane++) {
      const at = offset + lane;
      const byte = (DMA_SIGNATURE[at >> 2] ?? 0) >>> 24 - 8 * (at % 4) & 0xff;
      value |= byte << 8 * lane;
    }
    return value >>> 0;
  }

  writePort(offset: number, size: AccessSize, value: number): void {
    if (size !== 4) return;
    if (offset === 0) this.#high = swap32(value);
    else if (offset === 4) {
      if (this.#high === 0) this.#serve(swap32(value));
      this.#high = 0;
    }
  }

  #serve(request: Gpa): void {
    const control = this.#read(request + REQUEST.CONTROL);
    if ((control & CONTROL.SELECT) !== 0) this.#items.select(control >>> 16);
    const done = this.#transfer(control, request);
    this.#memory.write32(request + REQUEST.CONTROL, done ? 0 : swap32(CONTROL.ERROR));
  }

  #transfer(control: number, request: Gpa): boolean {
    const length = this.#read(request + REQUEST.LENGTH);
    if ((control & CONTROL.READ) !== 0) {
      if (this.#read(request + REQUEST.ADDRESS_HIGH) !== 0) return false;
      return this.#copy(this.#read(request + REQUEST.ADDRESS_LOW), length);
    }
    if ((control & CONTROL.WRITE) !== 0) return false;
    if ((control & CONTROL.SKIP) !== 0) this.#items.next(length);
    return true;
  }

  #copy(gpa: Gpa, length: number): boolean {
    if (length > this.#memory.size) return false;
    const bytes = this.#items.next(length);
    const target = this.#memory.range(gpa, length);
    if (target === undefined) {
      for (let i = 0; i < length; i++) this.#memory.write8(gpa + i, bytes[i] ?? 0);
      return true;
    }
    target.set(bytes);
    target.fill(0, bytes.length);
    this.#memory.wrote(target);
    return true;
  }

  #read(gpa: Gpa): number {
    return swap32(this.#memory.read32(gpa));
  }
}

function swap32(value: number): number {
  return (value << 24 | (value & 0xff00) << 8 | value >>> 8 & 0xff00 | value >>> 24) >>> 0;
}

function directory(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const bytes = new Uint8Array(COUNT_BYTES + files.size * ENTRY.BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, files.size);
  [...files].forEach(([name, file], i) => {
    const at = COUNT_BYTES + i * ENTRY.BYTES;
    view.setUint32(at + ENTRY.SIZE, file.length);
    view.setUint16(at + ENTRY.SELECTOR, FW_CFG.FILE_FIRST + i);
    bytes.set(TEXT.encode(name).subarray(0, LONGEST_NAME), at + ENTRY.NAME);
  });
  return bytes;
}
