/**
 * The guest's grant table, version 1: the guest writes entries, dom0 maps and copies by them.
 * Source: Xen public header grant_table.h; mapping rules of xen/common/grant_table.c.
 *
 * A page is reachable only while its entry permits it. Mapping checks the entry and marks it in use
 * in one step; the marks are how a frontend learns that a backend still holds a page.
 * @module
 */

import { InternalError } from "../errors.ts";
import { DOM0_COST, PAGE_SIZE } from "../types.ts";
import type { Dom0, Gfn, GrantMapper, GuestErrors, GuestMemory, Ns, Physmap } from "../types.ts";
import { DOM0 } from "./errno.ts";

/** Byte offsets in an entry. */
export const GRANT_ENTRY = { FLAGS: 0, DOMID: 2, FRAME: 4, SIZE: 8 } as const;

/** Bits of an entry's flags. */
export const GTF_TYPE_MASK = 3;
/** The entry permits access to a page. */
export const GTF_PERMIT_ACCESS = 1;
/** The guest permits reading only. */
export const GTF_READONLY: number = 1 << 2;
/** Xen: the page is mapped. */
export const GTF_READING: number = 1 << 3;
/** Xen: the page is mapped writable. */
export const GTF_WRITING: number = 1 << 4;

/** Entries in one page of the table. */
export const GREFS_PER_FRAME: number = PAGE_SIZE / GRANT_ENTRY.SIZE;

/** Pages a table may grow to (Xen's default max_grant_frames). */
export const MAX_GRANT_FRAMES = 64;

/** Unmaps that share one TLB shootdown (GNTTAB_UNMAP_BATCH_SIZE). */
const UNMAP_BATCH = 32;

/** What grant operations cost dom0. */
export interface GrantCosts {
  readonly mapNs: Ns;
  readonly unmapNs: Ns;
  readonly copyNs: Ns;
  /** On top of `copyNs`; need not be whole. */
  readonly copyNsPerKiB: number;
  /** One TLB shootdown over all vCPUs of dom0. */
  readonly tlbFlushNs: (dom0Vcpus: number) => Ns;
  readonly dom0Vcpus: number;
}

/** Grant operations so far; failed ones included. */
export interface GrantCounters {
  readonly map: number;
  readonly unmap: number;
  readonly copy: number;
}

/** What a grant table works with. */
export interface GrantTableOptions {
  readonly memory: GuestMemory;
  readonly physmap: Physmap;
  readonly dom0: Dom0;
  readonly errors: GuestErrors;
  readonly costs: GrantCosts;
}

/** The grant table of one guest, and dom0's operations on it. */
export class GrantTable implements GrantMapper {
  readonly #memory: GuestMemory;
  readonly #physmap: Physmap;
  readonly #dom0: Dom0;
  readonly #errors: GuestErrors;
  readonly #costs: GrantCosts;
  readonly #flushNs: Ns;
  readonly #frames: Uint8Array[] = [];
  readonly #entries: DataView[] = [];
  /** By gref: mappings that exist, and the page they show; the entry is not looked at again. */
  readonly #mappings: Uint16Array = new Uint16Array(MAX_GRANT_FRAMES * GREFS_PER_FRAME);
  readonly #pages: (Uint8Array | undefined)[];
  #mapCount = 0;
  #unmapCount = 0;
  #copyCount = 0;

  constructor(options: GrantTableOptions) {
    this.#memory = options.memory;
    this.#physmap = options.physmap;
    this.#dom0 = options.dom0;
    this.#errors = options.errors;
    this.#costs = options.costs;
    this.#flushNs = options.costs.tlbFlushNs(options.costs.dom0Vcpus);
    this.#pages = new Array(this.#mappings.length).fill(undefined);
    this.frame(0);
  }

  /** Pages the table has now. */
  get frameCount(): number {
    return this.#frames.length;
  }

  get counters(): GrantCounters {
    return { map: this.#mapCount, unmap: this.#unmapCount, copy: this.#copyCount };
  }

  /** A page of the table; grows the table up to it. `undefined` beyond {@link MAX_GRANT_FRAMES}. */
  frame(index: number): Uint8Array | undefined {
    if (index >= MAX_GRANT_FRAMES) return undefined;
    while (this.#frames.length <= index) {
      const frame = this.#physmap.allocateFrame();
      this.#frames.push(frame);
      this.#entries.push(new DataView(frame.buffer, frame.byteOffset, PAGE_SIZE));
    }
    return this.#frames[index];
  }

  /** What the toolstack does for the reserved entries of the console (0) and of xenstore (1). */
  grantToDom0(gref: number, gfn: Gfn): void {
    const entry = this.#entryOf(gref);
    if (entry === undefined) throw new InternalError(`Cannot seed grant ${gref}: beyond the table`);
    const at = entryOffset(gref);
    entry.setUint16(at + GRANT_ENTRY.DOMID, DOM0, true);
    entry.setUint32(at + GRANT_ENTRY.FRAME, gfn, true);
    entry.setUint16(at + GRANT_ENTRY.FLAGS, GTF_PERMIT_ACCESS, true);
  }

  /** Maps a granted page into dom0; `undefined` if the entry does not permit it. */
  map(gref: number, access: "read" | "write"): Uint8Array | undefined {
    this.#mapCount++;
    this.#dom0.charge(DOM0_COST.grantMap, this.#costs.mapNs);
    return this.#acquire(gref, access);
  }

  /** Ends one mapping made by {@link map}, with a TLB shootdown of its own. */
  unmap(gref: number): void {
    this.#chargeUnmap(1);
    this.#unmapOne(gref);
  }

  /** Ends several mappings as one batch: one TLB shootdown for every {@link UNMAP_BATCH}. */
  unmapAll(grefs: readonly number[]): void {
    this.#chargeUnmap(grefs.length);
    for (const gref of grefs) this.#unmapOne(gref);
  }

  /**
   * GNTTABOP_copy between a granted page and memory of dom0; the entry is in use meanwhile.
   * @param access `"read"` fills `bytes` from the page, `"write"` fills the page from `bytes`
   * @param offset first byte in the page; `offset + bytes.length` stays inside it
   * @returns false when the entry does not permit it (a guest error, already told)
   */
  copy(gref: number, access: "read" | "write", offset: number, bytes: Uint8Array): boolean {
    if (offset < 0 || offset + bytes.length > PAGE_SIZE) {
      throw new InternalError(`Cannot copy ${bytes.length} bytes at ${offset}: crosses the page`);
    }
    this.#copyCount++;
    const { copyNs, copyNsPerKiB } = this.#costs;
    this.#dom0.charge(DOM0_COST.grantCopy, copyNs + Math.round(copyNsPerKiB * bytes.length / 1024));
    const page = this.#acquire(gref, access);
    if (page === undefined) return false;
    const part = page.subarray(offset, offset + bytes.length);
    if (access === "read") {
      bytes.set(part);
    } else {
      part.set(bytes);
      this.#memory.wrote(part);
    }
    this.#release(gref);
    return true;
  }

  #chargeUnmap(count: number): void {
    const flushes = Math.ceil(count / UNMAP_BATCH);
    this.#dom0.charge(DOM0_COST.grantUnmap, count * this.#costs.unmapNs + flushes * this.#flushNs);
  }

  #unmapOne(gref: number): void {
    this.#unmapCount++;
    this.#release(gref);
  }

  #acquire(gref: number, access: "read" | "write"): Uint8Array | undefined {
    const entry = this.#entryOf(gref);
    if (entry === undefined) return this.#refuse(gref, "no such entry");
    const at = entryOffset(gref);
    const flags = entry.getUint16(at + GRANT_ENTRY.FLAGS, true);
    if ((flags & GTF_TYPE_MASK) !== GTF_PERMIT_ACCESS) {
      return this.#refuse(gref, "it does not permit access");
    }
    const domid = entry.getUint16(at + GRANT_ENTRY.DOMID, true);
    if (domid !== DOM0) return this.#refuse(gref, `it is for domain ${domid}`);
    if (access === "write" && (flags & GTF_READONLY) !== 0) {
      return this.#refuse(gref, "it is read-only");
    }
    const marks = access === "write" ? GTF_READING | GTF_WRITING : GTF_READING;
    entry.setUint16(at + GRANT_ENTRY.FLAGS, flags | marks, true);
    return this.#pin(gref, entry.getUint32(at + GRANT_ENTRY.FRAME, true));
  }

  /** One more mapping of an entry that has just been marked. */
  #pin(gref: number, gfn: Gfn): Uint8Array | undefined {
    const mappings = this.#mappings[gref] ?? 0;
    const page = mappings > 0 ? this.#pages[gref] : this.#memory.page(gfn);
    if (page === undefined) {
      this.#unmark(gref);
      return this.#refuse(gref, `frame ${gfn} is no memory`);
    }
    this.#pages[gref] = page;
    this.#mappings[gref] = mappings + 1;
    return page;
  }

  #release(gref: number): void {
    const mappings = this.#mappings[gref] ?? 0;
    if (mappings === 0) throw new InternalError(`Cannot unmap grant ${gref}: it is not mapped`);
    this.#mappings[gref] = mappings - 1;
    if (mappings > 1) return;
    this.#pages[gref] = undefined;
    this.#unmark(gref);
  }

  #unmark(gref: number): void {
    const entry = this.#entryOf(gref);
    if (entry === undefined) return;
    const at = entryOffset(gref) + GRANT_ENTRY.FLAGS;
    entry.setUint16(at, entry.getUint16(at, true) & ~(GTF_READING | GTF_WRITING), true);
  }

  #entryOf(gref: number): DataView | undefined {
    return this.#entries[Math.floor(gref / GREFS_PER_FRAME)];
  }

  #refuse(gref: number, why: string): undefined {
    this.#errors.guestError("grants", `dom0 cannot access grant ${gref}: ${why}`);
    return undefined;
  }
}

function entryOffset(gref: number): number {
  return gref % GREFS_PER_FRAME * GRANT_ENTRY.SIZE;
}
