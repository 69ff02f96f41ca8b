/**
 * Bus-master half of a PIIX3 IDE channel: eight registers, and the walk along the descriptor table.
 * Source: Programming Interface for Bus Master IDE Controller, rev. 1.0; Intel 82371SB (PIIX3)
 * datasheet §2.5.
 * @module
 */

import { allOnes } from "../../core/bits.ts";
import { PAGE_SIZE, SECTOR_SIZE } from "../../core/types.ts";
import type { AccessSize, Gpa, GuestMemory, PortDevice } from "../../core/types.ts";

/** Register offsets in the half of BAR4 that belongs to a channel. */
export const BM_COMMAND = 0;
export const BM_STATUS = 2;
export const BM_TABLE = 4;

/** Command bits. */
export const BM_START = 0x01;
/** Towards memory (disk read). The drive's command decides; the bit is only kept. */
export const BM_TO_MEMORY = 0x08;

/** Status bits; ERROR and INTERRUPT are cleared by writing them as ones. */
export const BM_ACTIVE = 0x01;
export const BM_ERROR = 0x02;
export const BM_INTERRUPT = 0x04;
const BM_CAPABLE = 0x60; // drives 1 and 0 can do DMA: storage for the BIOS to tell the driver

/**
 * A physical region descriptor: dword 0 = address (even); dword 1 bits 15:0 = byte count (even,
 * 0 = 64 KiB), bit 31 = last of the table. A table is dword aligned and stays inside 64 KiB.
 */
const PRD_BYTES = 8;
const PRD_LAST = 0x80000000;
const REGION_MAX = 0x10000;

/**
 * How a table compares with a transfer: it ends with it, goes on after it, ends before it, or names
 * an address where no memory is.
 */
export type PrdWalk = "exact" | "long" | "short" | "fault";

/**
 * Collects the guest memory of one transfer.
 * @param table gpa of the first PRD, 4-byte aligned
 * @param length bytes the drive will move, a multiple of 512
 * @param into emptied, then filled with views of guest RAM in transfer order; their lengths add up
 *   to `length` when the walk is `exact` or `long`
 */
export function collectPrds(
  memory: GuestMemory,
  table: Gpa,
  length: number,
  into: Uint8Array[],
): PrdWalk {
  into.length = 0;
  const tableEnd = table - table % REGION_MAX + REGION_MAX;
  let left = length;
  for (let prd = table; prd + PRD_BYTES <= tableEnd; prd += PRD_BYTES) {
    const address = memory.read32(prd); // all ones, an address without memory, outside RAM
    const control = memory.read32(prd + 4);
    const bytes = (control & 0xfffe) || REGION_MAX;
    const used = Math.min(bytes, left);
    if (!collectRegion(memory, address - address % 2, used, into)) return "fault";
    left -= used;
    const last = control >= PRD_LAST;
    if (left === 0) return last && used === bytes ? "exact" : "long";
    if (last) break;
  }
  return "short";
}

/** One view where the host has the bytes in one piece, else one a page. */
function collectRegion(memory: GuestMemory, gpa: Gpa, length: number, into: Uint8Array[]): boolean {
  const isPage = length === PAGE_SIZE && gpa % PAGE_SIZE === 0;
  const view = isPage ? memory.page(gpa / PAGE_SIZE) : memory.range(gpa, length);
  if (view !== undefined) {
    into.push(view);
    return true;
  }
  const head = PAGE_SIZE - gpa % PAGE_SIZE;
  return length > head && collectRegion(memory, gpa, head, into) &&
    collectRegion(memory, gpa + head, length - head, into);
}

/** The bus master of one channel. It moves data when the drive asks and the host has set Start. */
export class BusMaster implements PortDevice {
  readonly steadyOffsets: number = 1 << BM_STATUS;
  readonly #memory: GuestMemory;
  readonly #onStart: () => void;
  readonly #regions: Uint8Array[] = [];
  #segments: readonly Uint8Array[] = this.#regions;
  #toMemory = false;
  #command = 0;
  #status = 0;
  #table: Gpa = 0;
  #continues = false; // the table goes on after the transfer

  /** @param onStart called when the host sets Start */
  constructor(memory: GuestMemory, onStart: () => void) {
    this.#memory = memory;
    this.#onStart = onStart;
  }

  /** The host has set Start, and no transfer has come to its end since. */
  get active(): boolean {
    return (this.#status & BM_ACTIVE) !== 0;
  }

  /** The prepared transfer as segments of a disk request. */
  get segments(): readonly Uint8Array[] {
    return this.#segments;
  }

  /** Back to the state after power-on. */
  reset(): void {
    this.#command = this.#status = this.#table = 0;
  }

  /** Latches an edge of the channel's INTRQ, whatever command it comes from. */
  interrupt(): void {
    this.#status |= BM_INTERRUPT;
  }

  /** Walks the table for the next {@link segments}. `short` and `fault` end the activity. */
  prepare(length: number, toMemory: boolean): PrdWalk {
    const walk = collectPrds(this.#memory, this.#table, length, this.#regions);
    if (walk === "fault") this.#status |= BM_ERROR;
    if (walk === "fault" || walk === "short") {
      this.stop();
      return walk;
    }
    this.#continues = walk === "long";
    this.#toMemory = toMemory;
    this.#segments = this.#regions.every(isWholeSectors) ? this.#regions : [this.#gather(length)];
    return walk;
  }

  /**
   * The disk has moved bytes of {@link segments}, which ends the transfer.
   * @param hangs not for the drive, which never says that it has done
   */
  transferred(hangs: boolean = false): void {
    if (this.#toMemory) this.#scatter();
    if (!this.#continues && !hangs) this.stop();
  }

  /** Ends the activity: the table is used up, or the drive has given up. */
  stop(): void {
    this.#status &= ~BM_ACTIVE;
  }

  readPort(offset: number, size: AccessSize): number {
    if (offset >= BM_TABLE) return this.#readTable(offset - BM_TABLE, size);
    if (size === 1 && offset === BM_COMMAND) return this.#command;
    if (size === 1 && offset === BM_STATUS) return this.#status;
    return allOnes(size);
  }

  writePort(offset: number, size: AccessSize, value: number): void {
    if (offset >= BM_TABLE) this.#writeTable(offset - BM_TABLE, size, value);
    else if (size === 1 && offset === BM_COMMAND) this.#writeCommand(value);
    else if (size === 1 && offset === BM_STATUS) this.#writeStatus(value);
  }

  #writeCommand(value: number): void {
    const changed = this.#command ^ value;
    this.#command = value & (BM_START | BM_TO_MEMORY);
    if ((changed & BM_START) === 0) return;
    if ((value & BM_START) === 0) return this.stop();
    this.#status |= BM_ACTIVE;
    this.#onStart();
  }

  #writeStatus(value: number): void {
    const kept = this.#status & ~value & (BM_ERROR | BM_INTERRUPT);
    this.#status = this.#status & BM_ACTIVE | kept | value & BM_CAPABLE;
  }

  #readTable(byte: number, size: AccessSize): number {
    return (this.#table >>> byte * 8 & allOnes(size)) >>> 0;
  }

  #writeTable(byte: number, size: AccessSize, value: number): void {
    const mask = allOnes(size) << byte * 8;
    this.#table = (this.#table & ~mask | value << byte * 8 & mask & ~3) >>> 0;
  }

  /** A copy, for regions that cut a sector in two: no disk request can. Rare, so it allocates. */
  #gather(length: number): Uint8Array {
    const copy = new Uint8Array(length);
    let at = 0;
    for (const region of this.#regions) {
      copy.set(region, at);
      at += region.length;
    }
    return copy;
  }

  #scatter(): void {
    const copy = this.#segments === this.#regions ? undefined : this.#segments[0]!;
    let at = 0;
    for (const region of this.#regions) {
      if (copy !== undefined) region.set(copy.subarray(at, at + region.length));
      at += region.length;
      this.#memory.wrote(region);
    }
  }
}

function isWholeSectors(region: Uint8Array): boolean {
  return region.length % SECTOR_SIZE === 0;
}
