/**
 * The grant table of one domain as Xen keeps it: which pages others may use, and who uses them now.
 * Source: Xen public header grant_table.h; xen/common/grant_table.c: _set_status(),
 * map_grant_ref(), acquire_grant_for_copy() and what undoes them.
 *
 * An entry is looked at when nobody uses it, and then once: what it permits and the mark that it is
 * in use are one step, its frame number is read after that, and everything until the last user has
 * gone goes by what was read. The marks are how a domain learns that its page is still in use.
 * @module
 */

import { InternalError } from "../../errors.ts";
import { PAGE_SIZE } from "../../types.ts";
import type { Gfn } from "../../types.ts";
import {
  GNTST,
  type GrantStatus,
  GTF_PERMIT_ACCESS,
  GTF_READING,
  GTF_READONLY,
  GTF_SUB_PAGE,
  GTF_TRANSITIVE,
  GTF_TYPE_MASK,
  GTF_WRITING,
  MAX_GRANT_FRAMES,
  RESERVED_ENTRIES,
  V1_PER_FRAME,
} from "./entry.ts";
import { type GrantEntry, GrantFrames } from "./frames.ts";

/** Users of an entry: those that read in the low byte, those that write too in the high one. */
const PIN_READ = 0x0001;
const PIN_WRITE = 0x0100;
const PIN_READERS = 0x00ff;
const PIN_WRITERS = 0xff00;
/** No more users of a kind: its counter might overflow. */
const PIN_FULL = 0x8080;

/** A domain's memory, as far as it can grant it. */
export interface GrantedMemory {
  /** The page's bytes; `undefined` where there is no memory, or only memory that is read-only. */
  page(gfn: Gfn, readOnly: boolean): Uint8Array | undefined;
  /** The page belongs to another domain, which has granted it to this one. */
  isForeign(gfn: Gfn): boolean;
}

/** An entry that somebody uses. */
export interface ActiveEntry {
  readonly gref: number;
  /** Whoever uses it. */
  readonly domid: number;
  /** Where the host has the page. */
  readonly mfn: number;
  /** Of those, how many only read, and how many write too. */
  readonly readers: number;
  readonly writers: number;
  /** The entry, as it is now; its flags with the marks of version 2. */
  readonly entry: GrantEntry;
}

/** The part of a page that an entry of version 2 grants, its own or that of another domain. */
interface SubPage {
  readonly start: number;
  readonly length: number;
  /** Whose grant is passed on. */
  readonly through?: { readonly table: GrantTable; readonly gref: number };
}

const { OKAY, GENERAL_ERROR, BAD_DOMAIN, BAD_GNTREF, BAD_PAGE } = GNTST;

/** The grant table of one domain. */
export class GrantTable {
  readonly domid: number;
  readonly frames: GrantFrames;
  readonly #memory: GrantedMemory;
  readonly #domain: (domid: number) => GrantTable | undefined;
  // What is in use, by reference: act->pin, act->domid, and the page that act->mfn is.
  readonly #pins: Uint16Array = new Uint16Array(MAX_GRANT_FRAMES * V1_PER_FRAME);
  readonly #holders: Uint16Array = new Uint16Array(MAX_GRANT_FRAMES * V1_PER_FRAME);
  readonly #pages: (Uint8Array | undefined)[] = new Array(MAX_GRANT_FRAMES * V1_PER_FRAME)
    .fill(undefined);
  /** Those entries in use that are not for a whole page. */
  readonly #subPages: Map<number, SubPage> = new Map();
  /** Those entries in use whose page nobody may write: another domain has granted it so. */
  readonly #readOnlyPages: Set<number> = new Set();
  #refusal = "";

  /**
   * @param allocate makes a zeroed page that guests can be shown
   * @param domain finds other tables, for transitive grants
   */
  constructor(
    domid: number,
    memory: GrantedMemory,
    allocate: () => Uint8Array,
    domain: (domid: number) => GrantTable | undefined,
  ) {
    this.domid = domid;
    this.frames = new GrantFrames(allocate);
    this.#memory = memory;
    this.#domain = domain;
  }

  /** Why the last operation that failed did, to be read behind the reference. */
  get refusal(): string {
    return this.#refusal;
  }

  /** The page of an entry that is in use. */
  page(gref: number): Uint8Array {
    return this.#pages[gref]!;
  }

  /** First byte that an entry in use grants. */
  start(gref: number): number {
    return this.#subPages.get(gref)?.start ?? 0;
  }

  /** Number of bytes that an entry in use grants. */
  length(gref: number): number {
    return this.#subPages.get(gref)?.length ?? PAGE_SIZE;
  }

  /** All entries that somebody uses. */
  get active(): ActiveEntry[] {
    const grefs = [...this.#pins.keys()].filter((gref) => this.isInUse(gref));
    return grefs.map((gref) => ({
      gref,
      domid: this.#holders[gref]!,
      mfn: Math.floor(this.page(gref).byteOffset / PAGE_SIZE),
      readers: this.#pins[gref]! & PIN_READERS,
      writers: (this.#pins[gref]! & PIN_WRITERS) >> 8,
      entry: this.frames.read(gref),
    }));
  }

  /** Somebody uses the entry. */
  isInUse(gref: number): boolean {
    return (this.#pins[gref] ?? 0) !== 0;
  }

  /** Somebody uses the entry who may not write. */
  hasReaders(gref: number): boolean {
    return ((this.#pins[gref] ?? 0) & PIN_READERS) !== 0;
  }

  /** An entry that the toolstack has not reserved is in use. */
  get isBusy(): boolean {
    return this.#pins.some((pin, gref) => pin !== 0 && gref >= RESERVED_ENTRIES);
  }

  /**
   * Lets `domid` map a granted page; {@link page} is that page afterwards.
   * @param domid whoever maps
   */
  map(gref: number, domid: number, readOnly: boolean): GrantStatus {
    if (!(gref < this.frames.entryCount)) return this.#refuse(BAD_GNTREF, "no such entry");
    const pin = this.#pins[gref]!;
    if (pin !== 0 && (this.#excludes(gref, domid) || this.#subPages.has(gref))) {
      return this.#refuse(GENERAL_ERROR, "in use by another, by too many or in part");
    }
    if (pin === 0 || this.#raises(pin, readOnly)) {
      const flags = this.frames.flags(gref);
      const type = flags & (GTF_TYPE_MASK | GTF_SUB_PAGE);
      if (pin === 0 && type !== GTF_PERMIT_ACCESS) return this.#refuseType();
      const status = this.#mark(gref, flags, domid, readOnly);
      if (status !== OKAY) return status;
      if (pin === 0) {
        const found = this.#find(gref, readOnly, true);
        if (found !== OKAY) return this.#undo(gref, readOnly, found);
      }
    }
    this.#pin(gref, domid, readOnly);
    return OKAY;
  }

  /** Ends what {@link map} began. */
  unmap(gref: number, readOnly: boolean): void {
    this.#unpin(gref, readOnly);
  }

  /**
   * Lets `domid` copy from or to a granted page, or the part of it between {@link start} and
   * {@link length}; {@link page} is that page until {@link release}.
   * @param mayPassOn a transitive grant will do
   */
  acquire(gref: number, domid: number, readOnly: boolean, mayPassOn: boolean = true): GrantStatus {
    if (!(gref < this.frames.entryCount)) return this.#refuse(BAD_GNTREF, "no such entry");
    const pin = this.#pins[gref]!;
    if (pin !== 0 && this.#excludes(gref, domid)) {
      return this.#refuse(GENERAL_ERROR, "in use by another or by too many");
    }
    const flags = this.frames.flags(gref);
    const type = flags & GTF_TYPE_MASK;
    if (this.frames.version === 2 && type === GTF_TRANSITIVE) {
      return this.#acquireThrough(gref, domid, readOnly, mayPassOn);
    }
    if (this.#subPages.get(gref)?.through !== undefined) return this.#refuseChange();
    if (pin === 0 || this.#raises(pin, readOnly)) {
      if (pin === 0 && type !== GTF_PERMIT_ACCESS) return this.#refuseType();
      const status = this.#mark(gref, flags, domid, readOnly);
      if (status !== OKAY) return status;
      if (pin === 0) {
        const found = this.#find(gref, readOnly, false);
        if (found !== OKAY) return this.#undo(gref, readOnly, found);
        this.#takePart(gref);
      }
    }
    this.#pin(gref, domid, readOnly);
    return OKAY;
  }

  /** Ends what {@link acquire} began. */
  release(gref: number, readOnly: boolean): void {
    const through = this.#subPages.get(gref)?.through;
    this.#unpin(gref, readOnly);
    through?.table.release(through.gref, readOnly);
  }

  // ---- one entry --------------------------------------------------------------------------------

  #excludes(gref: number, domid: number): boolean {
    return this.#holders[gref] !== domid || (this.#pins[gref]! & PIN_FULL) !== 0;
  }

  /** The first to write: the entry must say that it may be written. */
  #raises(pin: number, readOnly: boolean): boolean {
    return !readOnly && (pin & PIN_WRITERS) === 0;
  }

  /**
   * The rest of the check, and the marks: _set_status().
   * @param flags the entry's, as they have just been read
   */
  #mark(gref: number, flags: number, domid: number, readOnly: boolean): GrantStatus {
    if (this.#pins[gref] === 0 && this.frames.domid(gref) !== domid) {
      return this.#refuse(GENERAL_ERROR, `it is for domain ${this.frames.domid(gref)}`);
    }
    if (!readOnly && (flags & GTF_READONLY) !== 0) {
      return this.#refuse(GENERAL_ERROR, "it is read-only");
    }
    if (!readOnly && this.#readOnlyPages.has(gref)) {
      return this.#refuse(BAD_PAGE, "its page is granted read-only");
    }
    this.frames.mark(gref, readOnly ? GTF_READING : GTF_READING | GTF_WRITING);
    return OKAY;
  }

  /**
   * Reads the frame number, the only time.
   * @param own the page must be the domain's own, not one that it has mapped
   */
  #find(gref: number, readOnly: boolean, own: boolean): GrantStatus {
    const gfn = this.frames.gfn(gref);
    if (own && this.#memory.isForeign(gfn)) {
      return this.#refuse(GENERAL_ERROR, `frame ${gfn} is granted itself`);
    }
    const writable = this.#memory.page(gfn, false);
    const page = writable ?? (readOnly ? this.#memory.page(gfn, true) : undefined);
    if (page === undefined) return this.#refuse(BAD_PAGE, `frame ${gfn} is no memory`);
    if (writable === undefined) this.#readOnlyPages.add(gref);
    this.#pages[gref] = page;
    return OKAY;
  }

  #takePart(gref: number): void {
    const { frames } = this;
    if (frames.version !== 2 || (frames.flags(gref) & GTF_SUB_PAGE) === 0) return;
    const start = frames.subPageStart(gref);
    this.#subPages.set(gref, { start, length: frames.subPageLength(gref) });
  }

  /** A page cannot be had: the marks go again. */
  #undo(gref: number, readOnly: boolean, status: GrantStatus): GrantStatus {
    this.#unmark(gref, readOnly);
    return status;
  }

  #pin(gref: number, domid: number, readOnly: boolean): void {
    this.#holders[gref] = domid;
    this.#pins[gref]! += readOnly ? PIN_READ : PIN_WRITE;
  }

  #unpin(gref: number, readOnly: boolean): void {
    const pin = this.#pins[gref] ?? 0;
    if ((pin & (readOnly ? PIN_READERS : PIN_WRITERS)) === 0) {
      throw new InternalError(`Cannot release grant ${gref}: it is not in use`);
    }
    this.#pins[gref] = pin - (readOnly ? PIN_READ : PIN_WRITE);
    this.#unmark(gref, readOnly);
    if (this.#pins[gref] !== 0) return;
    this.#pages[gref] = undefined;
    if (this.#subPages.size > 0) this.#subPages.delete(gref);
    if (this.#readOnlyPages.size > 0) this.#readOnlyPages.delete(gref);
  }

  /** Clears the marks that no user is left for. */
  #unmark(gref: number, readOnly: boolean): void {
    const pin = this.#pins[gref]!;
    const writing = !readOnly && (pin & PIN_WRITERS) === 0 ? GTF_WRITING : 0;
    const marks = pin === 0 ? writing | GTF_READING : writing;
    if (marks !== 0) this.frames.unmark(gref, marks);
  }

  // ---- a grant of another domain ----------------------------------------------------------------

  /** The entry passes on a grant that another domain has made to this one; once is enough. */
  #acquireThrough(
    gref: number,
    domid: number,
    readOnly: boolean,
    mayPassOn: boolean,
  ): GrantStatus {
    const pin = this.#pins[gref]!;
    if (pin === 0 || this.#raises(pin, readOnly)) {
      const status = this.#mark(gref, this.frames.flags(gref), domid, readOnly);
      if (status !== OKAY) return status;
    }
    const status = this.#reach(gref, readOnly, mayPassOn);
    if (status !== OKAY) return this.#undo(gref, readOnly, status);
    this.#pin(gref, domid, readOnly);
    return OKAY;
  }

  #reach(gref: number, readOnly: boolean, mayPassOn: boolean): GrantStatus {
    if (!mayPassOn) return this.#refuse(GENERAL_ERROR, "it passes on what is passed on");
    const owner = this.frames.transitiveDomid(gref);
    const remote = this.frames.transitiveGref(gref);
    if (owner === this.domid) return this.#refuse(GENERAL_ERROR, "it passes on a grant of its own");
    const table = this.#domain(owner);
    if (table === undefined) return this.#refuse(GENERAL_ERROR, `there is no domain ${owner}`);
    const status = table.acquire(remote, this.domid, readOnly, false);
    if (status !== OKAY) return this.#refuse(status, table.refusal);
    const part = {
      start: table.start(remote),
      length: table.length(remote),
      through: { table, gref: remote },
    };
    if (!this.#isSame(gref, part)) {
      table.release(remote, readOnly);
      return this.#refuseChange();
    }
    this.#pages[gref] = table.page(remote);
    this.#subPages.set(gref, part);
    return OKAY;
  }

  /** What it passes on now is what those who use it have. */
  #isSame(gref: number, { through }: SubPage): boolean {
    if (this.#pins[gref] === 0) return true;
    const now = this.#subPages.get(gref)?.through;
    return now !== undefined && now.table === through!.table && now.gref === through!.gref;
  }

  #refuseType(): GrantStatus {
    return this.#refuse(GENERAL_ERROR, "it does not permit access");
  }

  #refuseChange(): GrantStatus {
    return this.#refuse(BAD_DOMAIN, "it has changed while it is in use");
  }

  #refuse(status: GrantStatus, why: string): GrantStatus {
    this.#refusal = why;
    return status;
  }
}
