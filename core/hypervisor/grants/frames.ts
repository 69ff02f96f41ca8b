/**
 * The pages of a grant table: entries of version 1 or 2 that the domain writes, and for version 2
 * the status words that Xen writes.
 * Source: Xen public header grant_table.h; gnttab_grow_table() and gnttab_set_version() of
 * xen/common/grant_table.c.
 * @module
 */

import { readU64, viewOf } from "../../bits.ts";
import { PAGE_SIZE } from "../../types.ts";
import type { Gfn } from "../../types.ts";
import {
  GRANT_ENTRY,
  GRANT_ENTRY_V2,
  GRANT_STATUS_BYTES,
  GTF_PERMIT_ACCESS,
  GTF_READING,
  GTF_TYPE_MASK,
  GTF_WRITING,
  MAX_GRANT_FRAMES,
  RESERVED_ENTRIES,
  STATUS_PER_FRAME,
  statusFramesFor,
  V1_PER_FRAME,
  V2_PER_FRAME,
} from "./entry.ts";

/** In the index of a page that is to be mapped: it is one of status words. */
export const XENMAPIDX_GRANT_TABLE_STATUS = 0x80000000;

const { FLAGS, DOMID } = GRANT_ENTRY;
const OFFSET_MASK = PAGE_SIZE - 1;
const IN_USE = GTF_READING | GTF_WRITING;

/** What a domain writes into an entry. */
export interface GrantEntry {
  readonly flags: number;
  readonly domid: number;
  readonly gfn: Gfn;
}

const NO_ENTRY: GrantEntry = { flags: 0, domid: 0, gfn: 0 };

/** Where the entries of a version are, in powers of two: this is on the path of every mapping. */
interface Layout {
  /** Entries in a page. */
  readonly perFrame: number;
  /** Bytes of an entry. */
  readonly size: number;
}

const LAYOUTS: Readonly<Record<1 | 2, Layout>> = {
  1: { perFrame: Math.log2(V1_PER_FRAME), size: Math.log2(GRANT_ENTRY.SIZE) },
  2: { perFrame: Math.log2(V2_PER_FRAME), size: Math.log2(GRANT_ENTRY_V2.SIZE) },
};

/** A page and how it is read. */
interface Frame {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** The pages; offsets and sizes by the version that is in force. */
export class GrantFrames {
  readonly #allocate: () => Uint8Array;
  readonly #shared: Frame[] = [];
  /** Only the first ones are in force; a page once made is kept for the next time. */
  readonly #status: Frame[] = [];
  #version: 1 | 2 = 1;
  #layout: Layout = LAYOUTS[1];
  #entryCount = 0;

  /** @param allocate makes a zeroed page that guests can be shown */
  constructor(allocate: () => Uint8Array) {
    this.#allocate = allocate;
    this.grow(1);
  }

  get version(): 1 | 2 {
    return this.#version;
  }

  /** Pages of entries. */
  get count(): number {
    return this.#shared.length;
  }

  /** Pages of status words, none in version 1. */
  get statusCount(): number {
    return this.#version === 2 ? statusFramesFor(this.count) : 0;
  }

  /** References that the pages have room for. */
  get entryCount(): number {
    return this.#entryCount;
  }

  /** Adds pages up to `count`; false if the table may not become so large. */
  grow(count: number): boolean {
    if (count > MAX_GRANT_FRAMES) return false;
    while (this.#shared.length < count) this.#shared.push(this.#makeFrame());
    this.#settle();
    return true;
  }

  /**
   * The page of a mapping's index; the table grows up to it. `undefined` beyond the largest table.
   * @param index of a page of entries, or with {@link XENMAPIDX_GRANT_TABLE_STATUS} of status words
   */
  at(index: number): Uint8Array | undefined {
    if (this.#version === 1 || index < XENMAPIDX_GRANT_TABLE_STATUS) {
      if (index >= this.count) this.grow(index + 1);
      return this.shared(index);
    }
    const status = index - XENMAPIDX_GRANT_TABLE_STATUS;
    if (status >= this.statusCount) this.grow((status + 1) * STATUS_PER_FRAME / V2_PER_FRAME);
    return this.status(status);
  }

  /** A page of entries. */
  shared(index: number): Uint8Array | undefined {
    return this.#shared[index]?.bytes;
  }

  /** A page of status words. */
  status(index: number): Uint8Array | undefined {
    return index < this.statusCount ? this.#status[index]!.bytes : undefined;
  }

  // ---- one entry: `gref` is below entryCount ----------------------------------------------------

  flags(gref: number): number {
    return this.#view(gref).getUint16(this.#offset(gref) + FLAGS, true);
  }

  domid(gref: number): number {
    return this.#view(gref).getUint16(this.#offset(gref) + DOMID, true);
  }

  /** The page granted; beyond all memory if version 2 has a number that large. */
  gfn(gref: number): Gfn {
    const view = this.#view(gref);
    const at = this.#offset(gref);
    if (this.#version === 1) return view.getUint32(at + GRANT_ENTRY.FRAME, true);
    return readU64(view, at + GRANT_ENTRY_V2.FRAME);
  }

  /** Version 2, of {@link GTF_SUB_PAGE}: first byte. */
  subPageStart(gref: number): number {
    return this.#view(gref).getUint16(this.#offset(gref) + GRANT_ENTRY_V2.SUB_PAGE_OFF, true);
  }

  /** Version 2, of {@link GTF_SUB_PAGE}: number of bytes. */
  subPageLength(gref: number): number {
    return this.#view(gref).getUint16(this.#offset(gref) + GRANT_ENTRY_V2.SUB_PAGE_LENGTH, true);
  }

  /** Version 2, transitive: the domain whose grant is passed on. */
  transitiveDomid(gref: number): number {
    return this.#view(gref).getUint16(this.#offset(gref) + GRANT_ENTRY_V2.TRANS_DOMID, true);
  }

  /** Version 2, transitive: the reference there. */
  transitiveGref(gref: number): number {
    return this.#view(gref).getUint32(this.#offset(gref) + GRANT_ENTRY_V2.TRANS_GREF, true);
  }

  /** Sets bits of {@link GTF_READING} and {@link GTF_WRITING} where the domain looks for them. */
  mark(gref: number, bits: number): void {
    const { view } = this.#markFrame(gref);
    const at = this.#markOffset(gref);
    view.setUint16(at, view.getUint16(at, true) | bits, true);
  }

  /** Clears such bits. */
  unmark(gref: number, bits: number): void {
    const { view } = this.#markFrame(gref);
    const at = this.#markOffset(gref);
    view.setUint16(at, view.getUint16(at, true) & ~bits, true);
  }

  /** An entry as it is; the flags with the marks, wherever they are. */
  read(gref: number): GrantEntry {
    const marks = this.#markFrame(gref).view.getUint16(this.#markOffset(gref), true);
    const flags = this.flags(gref) | marks & IN_USE;
    return { flags, domid: this.domid(gref), gfn: this.gfn(gref) };
  }

  /** Fills an entry in, as its domain does: the flags last. */
  write(gref: number, { flags, domid, gfn }: GrantEntry): void {
    const view = this.#view(gref);
    const at = this.#offset(gref);
    view.setUint16(at + DOMID, domid, true);
    if (this.#version === 1) view.setUint32(at + GRANT_ENTRY.FRAME, gfn, true);
    else view.setBigUint64(at + GRANT_ENTRY_V2.FRAME, BigInt(gfn), true);
    view.setUint16(at + FLAGS, flags, true);
  }

  /** Exchanges two entries with their status words. */
  swap(a: number, b: number): void {
    exchange(this.#entry(a), this.#entry(b));
    if (this.#version === 2) exchange(this.#statusWord(a), this.#statusWord(b));
  }

  // ---- the version ------------------------------------------------------------------------------

  /** The reserved entries can be written as entries of version 1. */
  get fitsVersion1(): boolean {
    if (this.#version === 1) return true;
    for (let gref = 0; gref < RESERVED_ENTRIES; gref++) {
      const type = this.flags(gref) & GTF_TYPE_MASK;
      const fits = type !== GTF_TYPE_MASK &&
        (type !== GTF_PERMIT_ACCESS || this.gfn(gref) < 2 ** 32);
      if (!fits) return false;
    }
    return true;
  }

  /** Empties the table and takes the other layout; only the reserved entries are taken along. */
  changeVersion(version: 1 | 2): void {
    const kept = Array.from({ length: RESERVED_ENTRIES }, (_, gref) => this.#keep(gref));
    for (const { bytes } of [...this.#shared, ...this.#status]) bytes.fill(0);
    this.#version = version;
    this.#layout = LAYOUTS[version];
    this.#settle();
    kept.forEach((entry, gref) => {
      this.write(gref, { ...entry, flags: entry.flags & ~IN_USE });
      this.mark(gref, entry.flags & IN_USE);
    });
  }

  /** An entry with its marks; version 2 leaves behind what does not permit access. */
  #keep(gref: number): GrantEntry {
    const isLost = this.#version === 2 && (this.flags(gref) & GTF_TYPE_MASK) !== GTF_PERMIT_ACCESS;
    return isLost ? NO_ENTRY : this.read(gref);
  }

  /** Follows a change of the number of pages or of the version. */
  #settle(): void {
    this.#entryCount = this.#shared.length << this.#layout.perFrame;
    while (this.#status.length < this.statusCount) this.#status.push(this.#makeFrame());
  }

  #makeFrame(): Frame {
    const bytes = this.#allocate();
    return { bytes, view: viewOf(bytes) };
  }

  // ---- where things are -------------------------------------------------------------------------

  #frame(gref: number): Frame {
    return this.#shared[gref >>> this.#layout.perFrame]!;
  }

  #view(gref: number): DataView {
    return this.#frame(gref).view;
  }

  #offset(gref: number): number {
    return gref << this.#layout.size & OFFSET_MASK;
  }

  #markFrame(gref: number): Frame {
    return this.#version === 1
      ? this.#frame(gref)
      : this.#status[Math.floor(gref / STATUS_PER_FRAME)]!;
  }

  #markOffset(gref: number): number {
    if (this.#version === 1) return this.#offset(gref) + FLAGS;
    return gref % STATUS_PER_FRAME * GRANT_STATUS_BYTES;
  }

  #entry(gref: number): Uint8Array {
    const at = this.#offset(gref);
    return this.#frame(gref).bytes.subarray(at, at + (1 << this.#layout.size));
  }

  #statusWord(gref: number): Uint8Array {
    const at = this.#markOffset(gref);
    return this.#markFrame(gref).bytes.subarray(at, at + GRANT_STATUS_BYTES);
  }
}

function exchange(a: Uint8Array, b: Uint8Array): void {
  const kept = a.slice();
  a.set(b);
  b.set(kept);
}
