/**
 * Linear memory: accesses that the fast path in generated code does not take (TLB misses, page
 * crossings, pages with code, MMIO), and those that are checked for alignment or watched.
 * @module
 */

import { PAGE_SIZE } from "../types.ts";
import { Breakpoints, isArmed } from "./debug.ts";
import { Fault, VECTOR } from "./fault.ts";
import { ACCESS, type Access, PageWalker, type PhysicalMemory } from "./paging.ts";
import { Sites } from "./sites.ts";
import { AT, type CpuState, CR0, CR4, FLAG, TLB } from "./state.ts";
import { STORES, Tlb } from "./tlb.ts";

const { BANK, CR: AT_CR } = AT;
const { AC } = FLAG;
const { EXECUTE: TLB_EXECUTE, READ: TLB_READ, STRICT: TLB_STRICT, WRITE: TLB_WRITE } = TLB;
const { AM: CR0_AM } = CR0;
const { PGE: CR4_PGE } = CR4;
const { AC: VECTOR_AC } = VECTOR;

/** Which byte of linear memory stands behind a guest frame. */
export interface Frames {
  /** Byte offset of the frame as loads and fetches see it, -1 where there is no memory. */
  frameOffset(gfn: number): number;
  /** As stores see it: the same, another one, or -1 where none may change it. */
  storeOffset(gfn: number): number;
}

/** Serves an access to guest-physical addresses without memory for it. */
export type MmioAccess = (gpa: number, size: 1 | 2 | 4, write: boolean, value: number) => number;

const { READ, WRITE, EXECUTE } = ACCESS;
/** Address line 20, as a bit of a frame number. */
const A20 = 1 << 8;
type Size = 1 | 2 | 4;

const TAG_OF: Readonly<Record<Access, number>> = {
  [READ]: TLB_READ,
  [WRITE]: TLB_WRITE,
  [EXECUTE]: TLB_EXECUTE,
};

/** The memory-management unit of one vCPU. */
export class Mmu implements PhysicalMemory {
  readonly breakpoints: Breakpoints;
  /** What compiled code remembers of translations. */
  readonly sites: Sites;
  readonly #state: CpuState;
  readonly #tlb: Tlb;
  readonly #walker: PageWalker;
  #frames: Frames = { frameOffset: () => -1, storeOffset: () => -1 };
  /** Set by the CPU. */
  mmio: MmioAccess = () => 0xffffffff;
  /** Set by the block store: the page at a host offset holds decoded code. */
  holdsCode: (host: number) => boolean = () => false;
  /** Set by the block store: called before a store to such a page. */
  codeWritten: (host: number, size: number) => void = () => {};
  /** Guest-physical address of the last translation that met no memory. */
  #gpa = 0;

  /** @param features bits of `FEATURE` in cpuid.ts */
  constructor(state: CpuState, features: number) {
    this.#state = state;
    this.breakpoints = new Breakpoints(state);
    this.sites = new Sites(state.words);
    this.#tlb = new Tlb(state.words);
    this.#walker = new PageWalker(state, this, features);
    state.translate = (linear) => this.#walker.probe(linear);
  }

  /** Gives it the guest's memory. */
  attach(frames: Frames): void {
    this.#frames = frames;
    this.flush();
  }

  // ---- translation ---------------------------------------------------------------------------

  /** The A20M# pin: while it is asserted, address bit 20 is 0. */
  set a20Masked(masked: boolean) {
    this.#walker.addressLines = masked ? ~A20 : -1;
    this.flush();
  }

  /** Forgets all translations. */
  flush(): void {
    this.#tlb.flush(false);
    this.sites.forget();
  }

  /** Forgets what a load of CR3 does: all but global pages. */
  flushLocal(): void {
    this.#tlb.flush((this.#state.get(AT_CR + 16) & CR4_PGE) !== 0);
    this.sites.forget();
  }

  /** Forgets the translation of one page. */
  invalidate(linear: number): void {
    this.#tlb.invalidate(linear);
    this.sites.forget();
  }

  /** Stores to the page at host offset `page` × 4096 take the slow path from now on. */
  watchStores(page: number): void {
    this.#tlb.watch(page);
    this.sites.forget();
  }

  /** Loads the PDPTEs of PAE paging. @returns false when a reserved bit forbids that */
  loadPdptes(cr3: number): boolean {
    return this.#walker.loadPdptes(cr3);
  }

  #user(): boolean {
    return this.#state.cpl === 3;
  }

  /**
   * Host offset of a linear address, or -1 where there is no memory (`#gpa` then says where).
   * @throws {Fault} #PF, with CR2 set
   */
  #translate(linear: number, access: Access, user: boolean): number {
    const tlb = this.#tlb;
    const entry = tlb.entry(linear, user);
    const host = tlb.lookup(entry, linear, TAG_OF[access]);
    if (host >= 0) {
      if (access === WRITE && !this.holdsCode(host)) tlb.free(entry);
      return host;
    }
    const walker = this.#walker;
    walker.walk(linear, access, user);
    const { gfn } = walker;
    const loaded = this.#frames.frameOffset(gfn), stored = this.#frames.storeOffset(gfn);
    if (loaded >= 0) {
      const allowed = this.holdsCode(loaded) ? STORES.WATCHED : STORES.FREE;
      const stores = walker.writable && stored === loaded ? allowed : STORES.NONE;
      tlb.fill(entry, linear, loaded, walker, stores, access === EXECUTE);
    }
    const frame = access === WRITE ? stored : loaded;
    if (frame >= 0) return frame + (linear & 0xfff);
    this.#gpa = gfn * PAGE_SIZE + (linear & 0xfff);
    return -1;
  }

  readFrame(gfn: number, offset: number): number {
    const frame = this.#frames.frameOffset(gfn & this.#walker.addressLines);
    return frame < 0 ? -1 : this.#state.view.getInt32(frame + offset, true);
  }

  writeFrame(gfn: number, offset: number, value: number): void {
    const frame = this.#frames.storeOffset(gfn & this.#walker.addressLines);
    if (frame >= 0) this.#store(frame + offset, 4, value);
  }

  /** Host offset for an instruction fetch, -1 where there is no memory. */
  fetchAddress(linear: number): number {
    return this.#translate(linear, EXECUTE, this.#user());
  }

  /**
   * Guest-physical address of an access by the current privilege, as the TLB has it: tables may
   * have changed since.
   * @throws {Fault} #PF
   */
  physical(linear: number, write: boolean): number {
    const user = this.#user();
    const tlb = this.#tlb;
    this.#translate(linear, write ? WRITE : READ, user);
    const entry = tlb.entry(linear, user);
    const known = tlb.lookup(entry, linear, TLB_READ) >= 0;
    const gfn = known ? tlb.gfn(entry) : this.#walker.gfn;
    return gfn * PAGE_SIZE + (linear & 0xfff);
  }

  /** Host offset for a run of memory inside one page, -1 for MMIO. */
  hostAddress(linear: number, write: boolean): number {
    return this.#translate(linear, write ? WRITE : READ, this.#user());
  }

  /** What four bytes hold, as a number with a sign, if the TLB leads to them; nothing changes. */
  known(linear: number): number | undefined {
    if (this.#crosses(linear, 4)) return undefined;
    const host = this.#tlb.lookup(this.#tlb.entry(linear, this.#user()), linear, TLB_READ);
    return host < 0 ? undefined : this.#state.view.getInt32(host, true);
  }

  // ---- accesses ------------------------------------------------------------------------------

  /**
   * @param size bytes of the operand; one of ten is aligned like one of eight, one of sixteen need
   * not be
   * @throws {Fault} #AC(0) for an access that ring 3 has asked to be told of
   */
  checkAlignment(linear: number, size: number): void {
    const mask = size === 10 ? 7 : size === 16 ? 0 : size - 1;
    if (linear & mask && this.#user() && this.#state.flag(AC)) {
      if (this.#state.get(AT_CR) & CR0_AM) throw Fault.of(VECTOR_AC, 0);
    }
  }

  /** What the bank without entries is for. */
  #inspect(linear: number, size: Size, write: boolean): void {
    if (this.#state.get(BANK) !== TLB_STRICT) return;
    this.checkAlignment(linear, size);
    this.breakpoints.noteAccess(linear, size, write);
  }

  /** A read by the current privilege; of four bytes, signed. */
  read(linear: number, size: Size): number {
    this.#inspect(linear, size, false);
    return this.#readAs(linear, size, this.#user());
  }

  /** A read whose page must also be writable. */
  modify(linear: number, size: Size): number {
    this.#inspect(linear, size, false);
    const user = this.#user();
    this.#translate(linear, WRITE, user);
    if (this.#crosses(linear, size)) this.#translate(((linear | 0xfff) + 1) >>> 0, WRITE, user);
    return this.#readAs(linear, size, user);
  }

  /** Descriptor tables and task state: supervisor rights at any privilege. Unsigned. */
  systemRead(linear: number, size: Size): number {
    if (isArmed(this.#state)) this.breakpoints.noteAccess(linear, size, false);
    return this.#readAs(linear, size, false) >>> 0;
  }

  /** As {@link systemRead}. */
  systemWrite(linear: number, size: Size, value: number): void {
    if (isArmed(this.#state)) this.breakpoints.noteAccess(linear, size, true);
    this.#writeAs(linear, size, value, false);
  }

  /** A write by the current privilege. */
  write(linear: number, size: Size, value: number): void {
    this.#inspect(linear, size, true);
    this.#writeAs(linear, size, value, this.#user());
  }

  /**
   * Two writes of four bytes: decoded code is told of both, and both pages are checked, before either
   * is made.
   */
  writeTwice(linear: number, low: number, high: number): void {
    this.#prepare(linear, 8, this.#user());
    this.write(linear, 4, low);
    this.write((linear + 4) >>> 0, 4, high);
  }

  #crosses(linear: number, size: Size): boolean {
    return (linear & 0xfff) > PAGE_SIZE - size;
  }

  #readAs(linear: number, size: Size, user: boolean): number {
    if (this.#crosses(linear, size)) return this.#readAcross(linear, size, user);
    const host = this.#translate(linear, READ, user);
    if (host < 0) return this.mmio(this.#gpa, size, false, 0);
    const view = this.#state.view;
    if (size === 4) return view.getInt32(host, true);
    return size === 2 ? view.getUint16(host, true) : view.getUint8(host);
  }

  #readAcross(linear: number, size: Size, user: boolean): number {
    let value = 0;
    this.#translate(linear, READ, user);
    this.#translate(((linear | 0xfff) + 1) >>> 0, READ, user);
    for (let i = 0; i < size; i++) {
      value |= this.#readAs((linear + i) >>> 0, 1, user) << (i * 8);
    }
    return value;
  }

  #writeAs(linear: number, size: Size, value: number, user: boolean): void {
    if (this.#crosses(linear, size)) return this.#writeAcross(linear, size, value, user);
    const host = this.#translate(linear, WRITE, user);
    if (host < 0) this.mmio(this.#gpa, size, true, value);
    else this.#store(host, size, value);
  }

  #writeAcross(linear: number, size: Size, value: number, user: boolean): void {
    this.#prepare(linear, size, user);
    for (let i = 0; i < size; i++) {
      this.#writeAs((linear + i) >>> 0, 1, value >>> (i * 8) & 0xff, user);
    }
  }

  /** Checks all pages, and tells decoded code, of what will be written in pieces. */
  #prepare(linear: number, size: number, user: boolean): void {
    const room = PAGE_SIZE - (linear & 0xfff);
    const low = this.#translate(linear, WRITE, user);
    const high = room < size ? this.#translate((linear + room) >>> 0, WRITE, user) : -1;
    if (low >= 0 && this.holdsCode(low)) this.codeWritten(low, Math.min(room, size));
    if (high >= 0 && this.holdsCode(high)) this.codeWritten(high, size - room);
  }

  #store(host: number, size: Size, value: number): void {
    if (this.holdsCode(host)) this.codeWritten(host, size);
    const view = this.#state.view;
    if (size === 4) view.setInt32(host, value, true);
    else if (size === 2) view.setUint16(host, value, true);
    else view.setUint8(host, value);
  }
}
