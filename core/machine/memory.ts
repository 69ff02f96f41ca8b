/**
 * Guest-physical memory: RAM from address 0 with a hole for video memory, and pages of Xen's own
 * that can be laid over any frame. All of it lies in the vCPU's linear memory.
 * @module
 */

import { InternalError } from "../errors.ts";
import { PAGE_SIZE } from "../types.ts";
import type { Gfn, Gpa, GuestMemory, Physmap } from "../types.ts";

const PAGE_SHIFT = 12;
const OFFSET_MASK = PAGE_SIZE - 1;
const FRAME_COUNT = 1 << 20; // 4 GiB

/** Frames of 0xA0000-0xBFFFF, where a video card would answer. */
const VIDEO_HOLE = { first: 0xa0, end: 0xc0 } as const;

/** Where the pages of a machine lie in host memory. */
export interface RamLayout {
  readonly buffer: ArrayBufferLike;
  /** Byte offset of guest-physical address 0, page-aligned. The extra frames follow the RAM. */
  readonly base: number;
  /** A multiple of the page size. */
  readonly ramBytes: number;
  /** Pages for {@link GuestRam.allocateFrame}. */
  readonly extraFrames: number;
}

/** The memory of one machine. */
export class GuestRam implements GuestMemory, Physmap {
  readonly size: number;
  readonly #buffer: ArrayBufferLike;
  readonly #base: number;
  readonly #view: DataView;
  /** Byte offset in the buffer by frame; -1 where no memory is. */
  readonly #offsets = new Int32Array(FRAME_COUNT).fill(-1);
  /** Views by host page, made when first asked for. */
  readonly #pages: (Uint8Array | undefined)[];
  readonly #ramFrames: number;
  #nextFrame: number;
  #onWrote: (offset: number, length: number) => void = () => {};
  #onRemap: () => void = () => {};

  constructor(layout: RamLayout) {
    const { buffer, base, ramBytes, extraFrames } = layout;
    this.size = ramBytes;
    this.#buffer = buffer;
    this.#base = base;
    this.#view = new DataView(buffer);
    this.#ramFrames = ramBytes / PAGE_SIZE;
    this.#nextFrame = this.#ramFrames;
    this.#pages = new Array(this.#ramFrames + extraFrames).fill(undefined);
    for (let gfn = 0; gfn < this.#ramFrames; gfn++) this.#offsets[gfn] = this.#nature(gfn);
  }

  /** Byte offset of a frame in the buffer, -1 where no memory is. For the vCPU's TLB. */
  frameOffset(gfn: Gfn): number {
    return this.#offsets[gfn] ?? -1;
  }

  /** Whom to tell of every write that the vCPU did not make itself; offsets in the buffer. */
  onWrote(callback: (offset: number, length: number) => void): void {
    this.#onWrote = callback;
  }

  /** Whom to tell that frames have moved. */
  onRemap(callback: () => void): void {
    this.#onRemap = callback;
  }

  page(gfn: Gfn): Uint8Array | undefined {
    const offset = this.frameOffset(gfn);
    return offset < 0 ? undefined : this.#hostPage((offset - this.#base) >>> PAGE_SHIFT);
  }

  range(gpa: Gpa, length: number): Uint8Array | undefined {
    const first = this.#offsetOf(gpa);
    if (first < 0) return undefined;
    const end = gpa + length;
    let expected = first + PAGE_SIZE - (gpa & OFFSET_MASK);
    for (let gfn = (gpa >>> PAGE_SHIFT) + 1; gfn * PAGE_SIZE < end; gfn++) {
      if (this.frameOffset(gfn) !== expected) return undefined;
      expected += PAGE_SIZE;
    }
    return new Uint8Array(this.#buffer, first, length);
  }

  read8(gpa: Gpa): number {
    const offset = this.#offsetOf(gpa);
    return offset < 0 ? 0xff : this.#view.getUint8(offset);
  }

  read16(gpa: Gpa): number {
    const offset = this.#offsetWithin(gpa, 2);
    if (offset >= 0) return this.#view.getUint16(offset, true);
    return this.read8(gpa) | (this.read8(gpa + 1) << 8);
  }

  read32(gpa: Gpa): number {
    const offset = this.#offsetWithin(gpa, 4);
    if (offset >= 0) return this.#view.getUint32(offset, true);
    return (this.read16(gpa) | (this.read16(gpa + 2) << 16)) >>> 0;
  }

  write8(gpa: Gpa, value: number): void {
    const offset = this.#offsetOf(gpa);
    if (offset < 0) return;
    this.#view.setUint8(offset, value);
    this.#onWrote(offset, 1);
  }

  write16(gpa: Gpa, value: number): void {
    const offset = this.#offsetWithin(gpa, 2);
    if (offset < 0) {
      this.write8(gpa, value);
      this.write8(gpa + 1, value >>> 8);
      return;
    }
    this.#view.setUint16(offset, value, true);
    this.#onWrote(offset, 2);
  }

  write32(gpa: Gpa, value: number): void {
    const offset = this.#offsetWithin(gpa, 4);
    if (offset < 0) {
      this.write16(gpa, value);
      this.write16(gpa + 2, value >>> 16);
      return;
    }
    this.#view.setUint32(offset, value, true);
    this.#onWrote(offset, 4);
  }

  wrote(view: Uint8Array): void {
    this.#onWrote(view.byteOffset, view.byteLength);
  }

  allocateFrame(): Uint8Array {
    if (this.#nextFrame === this.#pages.length) {
      throw new InternalError(`Cannot allocate a frame: all ${this.#extraFrames()} are in use`);
    }
    return this.#hostPage(this.#nextFrame++);
  }

  mapFrame(gfn: Gfn, frame: Uint8Array | undefined): void {
    this.#offsets[gfn] = frame === undefined ? this.#nature(gfn) : frame.byteOffset;
    this.#onRemap();
  }

  #extraFrames(): number {
    return this.#pages.length - this.#ramFrames;
  }

  #nature(gfn: Gfn): number {
    const isHole = gfn >= VIDEO_HOLE.first && gfn < VIDEO_HOLE.end;
    return isHole || gfn >= this.#ramFrames ? -1 : this.#base + gfn * PAGE_SIZE;
  }

  #hostPage(index: number): Uint8Array {
    return this.#pages[index] ??= new Uint8Array(
      this.#buffer,
      this.#base + index * PAGE_SIZE,
      PAGE_SIZE,
    );
  }

  #offsetOf(gpa: Gpa): number {
    const frame = this.frameOffset(Math.floor(gpa / PAGE_SIZE));
    return frame < 0 ? -1 : frame + (gpa & OFFSET_MASK);
  }

  /** As {@link #offsetOf}; also -1 when the bytes cross into the next page. */
  #offsetWithin(gpa: Gpa, length: number): number {
    return (gpa & OFFSET_MASK) + length > PAGE_SIZE ? -1 : this.#offsetOf(gpa);
  }
}
