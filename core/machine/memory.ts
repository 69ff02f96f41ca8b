/**
 * Guest-physical memory: RAM from address 0, a ROM below 4 GiB, and pages of Xen's own that can be
 * laid over any frame. All of it lies in the vCPU's linear memory.
 *
 * Every frame answers loads and stores separately, as the i440FX shadows its ROM:
 *
 * | loads | stores | what it is |
 * |---|---|---|
 * | RAM | RAM | memory |
 * | ROM | nobody | ROM |
 * | ROM | RAM | a ROM that is being copied into the RAM under it |
 * | RAM | nobody | that copy, write-protected; a page that may only be read |
 * | nobody | nobody | a hole: some device's, if any |
 *
 * What nobody answers leaves the vCPU by EPT_VIOLATION.
 * @module
 */

import { InternalError } from "../errors.ts";
import { PAGE_SIZE } from "../types.ts";
import type { Gfn, Gpa, GuestMemory, Physmap } from "../types.ts";

const PAGE_SHIFT = 12;
const OFFSET_MASK = PAGE_SIZE - 1;
const FRAME_COUNT = 1 << 20; // 4 GiB

/** Frames of the first MiB, where RAM may be hidden. */
const LOW_FRAMES = 0x100;
/** Frames of 0xA0000-0xBFFFF, where a video card answers. */
const VIDEO_HOLE = { first: 0xa0, end: 0xc0 } as const;
/** Expansion ROMs and BIOS, 0xC0000-0xFFFFF. */
export const ROM_AREA = { first: 0xc0, end: 0x100 } as const;
/** The last 128 KiB of a ROM also answer from 0xE0000 on. */
const ROM_ALIAS = 0xe0;

/** Bits of {@link GuestRam.shadow}: what RAM answers. */
export const SHADOW = { NONE: 0, LOADS: 1, STORES: 2 } as const;

/** Where the pages of a machine lie in host memory. */
export interface RamLayout {
  readonly buffer: ArrayBufferLike;
  /** Byte offset of guest-physical address 0, page-aligned. The extra frames follow the RAM. */
  readonly base: number;
  /** A multiple of the page size. */
  readonly ramBytes: number;
  /** Pages for {@link GuestRam.allocateFrame} and {@link GuestRam.installRom}. */
  readonly extraFrames: number;
}

/** A page that is shown in place of what is there by nature. */
interface Overlay {
  readonly offset: number;
  readonly readOnly: boolean;
}

/** An overlay that hides what is there, and has nothing itself. */
const NOTHING: Overlay = { offset: -1, readOnly: true };

/** The memory of one machine. */
export class GuestRam implements GuestMemory, Physmap {
  readonly size: number;
  readonly spare: Set<Uint8Array> = new Set();
  readonly #buffer: ArrayBufferLike;
  readonly #base: number;
  readonly #view: DataView;
  /**
   * Complement of the byte offset in the buffer, by frame; 0 where no memory answers: the host need
   * not give pages for those.
   */
  readonly #loads = new Int32Array(FRAME_COUNT);
  readonly #stores = new Int32Array(FRAME_COUNT);
  /** {@link SHADOW} of each frame of the first MiB. */
  readonly #shadow = new Uint8Array(LOW_FRAMES);
  readonly #overlays = new Map<Gfn, Overlay>();
  /** Views by host page, made when first asked for. */
  readonly #pages: (Uint8Array | undefined)[];
  readonly #ramFrames: number;
  #nextFrame: number;
  readonly #freeFrames: Uint8Array[] = [];
  /** Byte offset of the ROM in the buffer, and its pages. */
  #rom = { offset: 0, frames: 0 };
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
    this.#layOut();
  }

  /** As it was made: zeros, nothing laid over them, no frame in use, no ROM. */
  reset(): void {
    const words = new Int32Array(this.#buffer, this.#base, this.#pages.length * PAGE_SIZE / 4);
    for (let page = 0; page < this.#pages.length; page++) clearPage(words, page);
    this.#nextFrame = this.#ramFrames;
    this.#freeFrames.length = 0;
    this.spare.clear();
    this.#rom = { offset: 0, frames: 0 };
    this.#overlays.clear();
    this.#loads.fill(0);
    this.#stores.fill(0);
    this.#layOut();
    this.#onRemap();
  }

  #layOut(): void {
    this.#shadow.fill(SHADOW.LOADS | SHADOW.STORES);
    this.#shadow.fill(SHADOW.NONE, VIDEO_HOLE.first, VIDEO_HOLE.end);
    for (let gfn = 0; gfn < this.#ramFrames; gfn++) this.#settle(gfn);
  }

  /** Byte offset in the buffer that loads from a frame read, -1 where no memory is. */
  frameOffset(gfn: Gfn): number {
    return ~this.#loads[gfn]!;
  }

  /** Byte offset in the buffer that stores to a frame change, -1 where they change none. */
  storeOffset(gfn: Gfn): number {
    return ~this.#stores[gfn]!;
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
    const offset = this.#plainOffset(gfn);
    return offset < 0 ? undefined : this.#hostPage((offset - this.#base) >>> PAGE_SHIFT);
  }

  range(gpa: Gpa, length: number): Uint8Array | undefined {
    const frame = this.#plainOffset(Math.floor(gpa / PAGE_SIZE));
    if (frame < 0) return undefined;
    const first = frame + (gpa & OFFSET_MASK);
    const end = gpa + length;
    let expected = frame + PAGE_SIZE;
    for (let gfn = (gpa >>> PAGE_SHIFT) + 1; gfn * PAGE_SIZE < end; gfn++) {
      if (this.#plainOffset(gfn) !== expected) return undefined;
      expected += PAGE_SIZE;
    }
    return new Uint8Array(this.#buffer, first, length);
  }

  read8(gpa: Gpa): number {
    const offset = this.#offsetOf(this.#loads, gpa);
    return offset < 0 ? 0xff : this.#view.getUint8(offset);
  }

  read16(gpa: Gpa): number {
    const offset = this.#offsetWithin(this.#loads, gpa, 2);
    if (offset >= 0) return this.#view.getUint16(offset, true);
    return this.read8(gpa) | (this.read8(gpa + 1) << 8);
  }

  read32(gpa: Gpa): number {
    const offset = this.#offsetWithin(this.#loads, gpa, 4);
    if (offset >= 0) return this.#view.getUint32(offset, true);
    return (this.read16(gpa) | (this.read16(gpa + 2) << 16)) >>> 0;
  }

  write8(gpa: Gpa, value: number): void {
    const offset = this.#offsetOf(this.#stores, gpa);
    if (offset < 0) return;
    this.#view.setUint8(offset, value);
    this.#onWrote(offset, 1);
  }

  write16(gpa: Gpa, value: number): void {
    const offset = this.#offsetWithin(this.#stores, gpa, 2);
    if (offset < 0) {
      this.write8(gpa, value);
      this.write8(gpa + 1, value >>> 8);
      return;
    }
    this.#view.setUint16(offset, value, true);
    this.#onWrote(offset, 2);
  }

  write32(gpa: Gpa, value: number): void {
    const offset = this.#offsetWithin(this.#stores, gpa, 4);
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
    const returned = this.#freeFrames.pop();
    if (returned !== undefined) return returned.fill(0);
    if (this.#nextFrame === this.#pages.length) {
      throw new InternalError(`Cannot allocate a frame: all ${this.#extraFrames()} are in use`);
    }
    return this.#hostPage(this.#nextFrame++);
  }

  /** Takes a frame of {@link allocateFrame} back, which is mapped nowhere. */
  freeFrame(frame: Uint8Array): void {
    this.#freeFrames.push(frame);
  }

  mapFrame(gfn: Gfn, frame: Uint8Array | undefined, readOnly: boolean = false): void {
    this.#overlay(gfn, frame && { offset: frame.byteOffset, readOnly });
  }

  hideFrame(gfn: Gfn): void {
    this.#overlay(gfn, NOTHING);
  }

  #overlay(gfn: Gfn, overlay: Overlay | undefined): void {
    if (overlay === undefined) this.#overlays.delete(gfn);
    else this.#overlays.set(gfn, overlay);
    this.#settle(gfn);
    this.#onRemap();
  }

  /**
   * Installs a ROM that ends at 4 GiB, its last 128 KiB below 1 MiB as well, and uncovers it there.
   * @param bytes 128 KiB or a multiple
   */
  installRom(bytes: Uint8Array): void {
    const frames = bytes.length / PAGE_SIZE;
    const first = this.allocateFrame();
    for (let frame = 1; frame < frames; frame++) this.allocateFrame();
    this.#rom = { offset: first.byteOffset, frames };
    new Uint8Array(this.#buffer, first.byteOffset, bytes.length).set(bytes);
    for (let gfn = FRAME_COUNT - frames; gfn < FRAME_COUNT; gfn++) this.#settle(gfn);
    this.shadow(ROM_AREA.first, ROM_AREA.end, SHADOW.NONE);
  }

  /** Lets RAM answer below 1 MiB where a ROM did, which stays below 4 GiB. */
  uncoverRam(): void {
    this.shadow(ROM_AREA.first, ROM_AREA.end, SHADOW.LOADS | SHADOW.STORES);
  }

  /**
   * Lets RAM answer in frames of the first MiB, or what the board has there besides.
   * @param end the frame behind the last one
   * @param ram sum of {@link SHADOW} bits
   */
  shadow(first: Gfn, end: Gfn, ram: number): void {
    this.#shadow.fill(ram, first, end);
    for (let gfn = first; gfn < end; gfn++) this.#settle(gfn);
    this.#onRemap();
  }

  #extraFrames(): number {
    return this.#pages.length - this.#ramFrames;
  }

  /** Decides who answers in a frame. */
  #settle(gfn: Gfn): void {
    const overlay = this.#overlays.get(gfn);
    const ram = gfn < this.#ramFrames ? this.#base + gfn * PAGE_SIZE : -1;
    const shadow = gfn < LOW_FRAMES ? this.#shadow[gfn]! : SHADOW.LOADS | SHADOW.STORES;
    const loads = (shadow & SHADOW.LOADS) !== 0 && ram >= 0 ? ram : this.#romOffset(gfn);
    const stores = (shadow & SHADOW.STORES) !== 0 ? ram : -1;
    this.#loads[gfn] = ~(overlay?.offset ?? loads);
    this.#stores[gfn] = ~(overlay === undefined ? stores : overlay.readOnly ? -1 : overlay.offset);
  }

  #romOffset(gfn: Gfn): number {
    const { offset, frames } = this.#rom;
    const isAlias = gfn >= ROM_ALIAS && gfn < LOW_FRAMES;
    const index = gfn + (isAlias ? FRAME_COUNT - LOW_FRAMES : 0) - (FRAME_COUNT - frames);
    return index < 0 ? -1 : offset + index * PAGE_SIZE;
  }

  /** Where loads and stores meet the same bytes. */
  #plainOffset(gfn: Gfn): number {
    const offset = this.frameOffset(gfn);
    return offset === this.storeOffset(gfn) ? offset : -1;
  }

  #hostPage(index: number): Uint8Array {
    return this.#pages[index] ??= new Uint8Array(
      this.#buffer,
      this.#base + index * PAGE_SIZE,
      PAGE_SIZE,
    );
  }

  /** @param frames {@link #loads} or {@link #stores} */
  #offsetOf(frames: Int32Array, gpa: Gpa): number {
    const frame = ~frames[Math.floor(gpa / PAGE_SIZE)]!;
    return frame < 0 ? -1 : frame + (gpa & OFFSET_MASK);
  }

  /** As {@link #offsetOf}; also -1 when the bytes cross into the next page. */
  #offsetWithin(frames: Int32Array, gpa: Gpa, length: number): number {
    return (gpa & OFFSET_MASK) + length > PAGE_SIZE ? -1 : this.#offsetOf(frames, gpa);
  }
}

/** Pages that are zero already stay untouched: the host may never have given them. */
function clearPage(words: Int32Array, page: number): void {
  const begin = page * PAGE_SIZE / 4;
  const end = begin + PAGE_SIZE / 4;
  for (let at = begin; at < end; at++) {
    if (words[at] !== 0) {
      words.fill(0, at, end);
      return;
    }
  }
}
