/**
 * Linear to physical: the software TLB's slow side, the page walk, and accesses that the fast path
 * in generated code does not take (misses, page crossings, pages with code, MMIO).
 * Source: Intel SDM vol. 3, ch. 4 (32-bit paging with PSE).
 * @module
 */

import { PAGE_SIZE } from "../types.ts";
import { Fault, VECTOR } from "./fault.ts";
import { AT, type CpuState, CR0, CR4, TLB } from "./state.ts";

/** Which byte of linear memory stands behind a guest frame. */
export interface Frames {
  /** Byte offset of the frame, -1 where there is no memory. */
  frameOffset(gfn: number): number;
}

/** Serves an access to guest-physical addresses without memory. */
export type MmioAccess = (gpa: number, size: 1 | 2 | 4, write: boolean, value: number) => number;

const READ = 0, WRITE = 1, EXECUTE = 2;
type Access = typeof READ | typeof WRITE | typeof EXECUTE;
type Size = 1 | 2 | 4;

const TAG_OF: Readonly<Record<Access, number>> = {
  [READ]: TLB.READ,
  [WRITE]: TLB.WRITE,
  [EXECUTE]: TLB.EXECUTE,
};

/** Page-table entry bits. */
const PTE = { P: 1, RW: 2, US: 4, A: 0x20, D: 0x40, PS: 0x80 } as const;
const INVALID = 1;

/** The memory-management unit of one vCPU. */
export class Mmu {
  readonly #state: CpuState;
  readonly #words: Int32Array;
  #frames: Frames = { frameOffset: () => -1 };
  /** Set by the CPU. */
  mmio: MmioAccess = () => 0xffffffff;
  /** Set by the block store: the page at a host offset holds decoded code. */
  holdsCode: (host: number) => boolean = () => false;
  /** Set by the block store: called before a store to such a page. */
  codeWritten: (host: number, size: number, value?: number) => void = () => {};
  /** Guest-physical address of the last translation that met no memory. */
  #gpa = 0;
  #writable = false;
  #dirty = false;

  constructor(state: CpuState) {
    this.#state = state;
    this.#words = state.words;
    state.translate = (linear) => this.#probe(linear);
    this.#words.fill(INVALID, TLB.STRICT >> 2, (TLB.STRICT + TLB.BANK_BYTES) >> 2);
    this.flush();
  }

  attach(frames: Frames): void {
    this.#frames = frames;
    this.flush();
  }

  /** Forgets all translations. */
  flush(): void {
    const from = TLB.BASE >> 2;
    this.#words.fill(INVALID, from, from + (2 * TLB.BANK_BYTES >> 2));
  }

  /** Forgets the translation of one page in both banks. */
  invalidate(linear: number): void {
    for (const bank of [TLB.BASE, TLB.BASE + TLB.BANK_BYTES]) {
      const at = this.#entry(bank, linear) >> 2;
      this.#words.fill(INVALID, at, at + 4);
    }
  }

  /** Stores to the page at host offset `page` × 4096 take the slow path from now on. */
  forbidWrites(page: number): void {
    const words = this.#words;
    const end = (TLB.BASE + 2 * TLB.BANK_BYTES) >> 2;
    for (let at = TLB.BASE >> 2; at < end; at += TLB.STRIDE >> 2) {
      const tag = words[at + (TLB.WRITE >> 2)]!;
      if (tag !== INVALID && (tag + words[at + (TLB.ADDEND >> 2)]!) >>> 12 === page) {
        words[at + (TLB.WRITE >> 2)] = INVALID;
      }
    }
  }

  #entry(bank: number, linear: number): number {
    return bank + (linear >>> 8 & (TLB.ENTRIES - 1) << 4);
  }

  get #user(): boolean {
    return this.#state.cpl === 3;
  }

  // ---- translation ---------------------------------------------------------------------------

  /**
   * Host offset of a linear address, or -1 where there is no memory (`#gpa` then says where).
   * @throws {Fault} #PF, with CR2 set
   */
  #translate(linear: number, access: Access, user: boolean): number {
    const bank = user ? TLB.BASE + TLB.BANK_BYTES : TLB.BASE;
    const at = this.#entry(bank, linear) >> 2;
    const words = this.#words;
    const page = linear & ~0xfff;
    if (words[at + (TAG_OF[access] >> 2)] === page) {
      return (linear + words[at + (TLB.ADDEND >> 2)]!) >>> 0;
    }
    const gpa = this.#walk(linear, access, user);
    const frame = this.#frames.frameOffset(gpa >>> 12);
    if (frame < 0) {
      this.#gpa = gpa;
      return -1;
    }
    this.#fill(at, page, frame, access);
    return frame + (linear & 0xfff);
  }

  #fill(at: number, page: number, frame: number, access: Access): void {
    const words = this.#words;
    const addend = (frame - page) | 0;
    const samePage = words[at + (TLB.ADDEND >> 2)] === addend &&
      words[at + (TLB.READ >> 2)] === page;
    if (!samePage) words.fill(INVALID, at, at + 4);
    words[at + (TLB.ADDEND >> 2)] = addend;
    words[at + (TLB.READ >> 2)] = page;
    const mayWrite = this.#writable && (access === WRITE || this.#dirty);
    if (mayWrite && !this.holdsCode(frame)) words[at + (TLB.WRITE >> 2)] = page;
    if (access === EXECUTE) words[at + (TLB.EXECUTE >> 2)] = page;
  }

  /** Walks the tables, sets A and D; returns the guest-physical address. */
  #walk(linear: number, access: Access, user: boolean): number {
    const cr0 = this.#state.get(AT.CR);
    this.#writable = this.#dirty = true;
    if (!(cr0 & CR0.PG)) return linear >>> 0;
    const write = access === WRITE;
    const strict = user || (cr0 & CR0.WP) !== 0;
    const pdeAt = ((this.#state.get(AT.CR + 12) & ~0xfff) + (linear >>> 22) * 4) >>> 0;
    const pde = this.#physicalRead(pdeAt);
    if (!(pde & PTE.P)) throw this.#pageFault(linear, 0, write, user);
    if (pde & PTE.PS && this.#state.get(AT.CR + 16) & CR4.PSE) {
      this.#check(linear, pde, write, user, strict);
      this.#touch(pdeAt, pde, write);
      return ((pde & 0xffc00000) | (linear & 0x3fffff)) >>> 0;
    }
    const pteAt = ((pde & ~0xfff) + (linear >>> 12 & 0x3ff) * 4) >>> 0;
    const pte = this.#physicalRead(pteAt);
    if (!(pte & PTE.P)) throw this.#pageFault(linear, 0, write, user);
    const both = pte & (pde | ~(PTE.RW | PTE.US));
    this.#check(linear, both, write, user, strict);
    if (!(pde & PTE.A)) this.#physicalWrite(pdeAt, pde | PTE.A);
    this.#touch(pteAt, pte, write);
    return ((pte & ~0xfff) | (linear & 0xfff)) >>> 0;
  }

  #check(linear: number, rights: number, write: boolean, user: boolean, strict: boolean): void {
    const denied = (user && !(rights & PTE.US)) || (write && strict && !(rights & PTE.RW));
    if (denied) throw this.#pageFault(linear, 1, write, user);
    this.#writable = (rights & PTE.RW) !== 0 || !strict;
  }

  #touch(at: number, entry: number, write: boolean): void {
    const touched = entry | PTE.A | (write ? PTE.D : 0);
    if (touched !== entry) this.#physicalWrite(at, touched);
    this.#dirty = (touched & PTE.D) !== 0;
  }

  #pageFault(linear: number, present: number, write: boolean, user: boolean): Fault {
    this.#state.set(AT.CR + 8, linear);
    return Fault.of(VECTOR.PF, present | (write ? 2 : 0) | (user ? 4 : 0));
  }

  #physicalRead(gpa: number): number {
    const frame = this.#frames.frameOffset(gpa >>> 12);
    return frame < 0 ? -1 : this.#state.view.getInt32(frame + (gpa & 0xfff), true);
  }

  #physicalWrite(gpa: number, value: number): void {
    const frame = this.#frames.frameOffset(gpa >>> 12);
    if (frame >= 0) this.#store(frame + (gpa & 0xfff), 4, value);
  }

  /** Guest-physical address by the tables, with supervisor rights and without side effects. */
  #probe(linear: number): number | undefined {
    if (!(this.#state.get(AT.CR) & CR0.PG)) return linear >>> 0;
    const pde = this.#physicalRead((this.#state.get(AT.CR + 12) & ~0xfff) + (linear >>> 22) * 4);
    if (!(pde & PTE.P)) return undefined;
    if (pde & PTE.PS && this.#state.get(AT.CR + 16) & CR4.PSE) {
      return ((pde & 0xffc00000) | (linear & 0x3fffff)) >>> 0;
    }
    const pte = this.#physicalRead((pde & ~0xfff) + (linear >>> 12 & 0x3ff) * 4);
    return pte & PTE.P ? ((pte & ~0xfff) | (linear & 0xfff)) >>> 0 : undefined;
  }

  /** Host offset for an instruction fetch, -1 where there is no memory. */
  fetchAddress(linear: number): number {
    return this.#translate(linear, EXECUTE, this.#user);
  }

  /**
   * Guest-physical address of an access by the current privilege, as the TLB would allow it.
   * @throws {Fault} #PF
   */
  physical(linear: number, write: boolean): number {
    this.#translate(linear, write ? WRITE : READ, this.#user);
    return this.#walk(linear, write ? WRITE : READ, this.#user);
  }

  /** Host offset for a run of memory inside one page, -1 for MMIO. */
  hostAddress(linear: number, write: boolean): number {
    return this.#translate(linear, write ? WRITE : READ, this.#user);
  }

  // ---- accesses ------------------------------------------------------------------------------

  /** @throws {Fault} #AC(0) for an access that ring 3 has asked to be told of */
  checkAlignment(linear: number, size: number): void {
    if (linear & (size - 1) && this.#state.get(AT.BANK) === TLB.STRICT) {
      throw Fault.of(VECTOR.AC, 0);
    }
  }

  read(linear: number, size: Size): number {
    this.checkAlignment(linear, size);
    return this.#readAs(linear, size, READ, this.#user);
  }

  /** A read whose page must also be writable. */
  modify(linear: number, size: Size): number {
    this.checkAlignment(linear, size);
    return this.#readAs(linear, size, WRITE, this.#user);
  }

  /** Descriptor tables and task state: supervisor rights at any privilege. Unsigned. */
  systemRead(linear: number, size: Size): number {
    return this.#readAs(linear, size, READ, false) >>> 0;
  }

  systemWrite(linear: number, size: Size, value: number): void {
    this.#writeAs(linear, size, value, false);
  }

  write(linear: number, size: Size, value: number): void {
    this.checkAlignment(linear, size);
    this.#writeAs(linear, size, value, this.#user);
  }

  #crosses(linear: number, size: Size): boolean {
    return (linear & 0xfff) > PAGE_SIZE - size;
  }

  #readAs(linear: number, size: Size, access: Access, user: boolean): number {
    if (this.#crosses(linear, size)) return this.#readAcross(linear, size, access, user);
    const host = this.#translate(linear, access, user);
    if (host < 0) return this.mmio(this.#gpa, size, false, 0);
    const view = this.#state.view;
    if (size === 4) return view.getInt32(host, true);
    return size === 2 ? view.getUint16(host, true) : view.getUint8(host);
  }

  #readAcross(linear: number, size: Size, access: Access, user: boolean): number {
    let value = 0;
    this.#translate(linear, access, user);
    this.#translate(((linear | 0xfff) + 1) >>> 0, access, user);
    for (let i = 0; i < size; i++) {
      value |= this.#readAs((linear + i) >>> 0, 1, access, user) << (i * 8);
    }
    return value;
  }

  #writeAs(linear: number, size: Size, value: number, user: boolean): void {
    if (this.#crosses(linear, size)) return this.#writeAcross(linear, size, value, user);
    const host = this.#translate(linear, WRITE, user);
    if (host < 0) this.mmio(this.#gpa, size, true, value);
    else this.#store(host, size, value);
  }

  /** Both pages are checked, and decoded code told, before either is written. */
  #writeAcross(linear: number, size: Size, value: number, user: boolean): void {
    const second = ((linear | 0xfff) + 1) >>> 0;
    const low = this.#translate(linear, WRITE, user);
    const high = this.#translate(second, WRITE, user);
    if (low >= 0 && this.holdsCode(low)) this.codeWritten(low, 4096 - (linear & 0xfff));
    if (high >= 0 && this.holdsCode(high)) this.codeWritten(high, size - (second - linear >>> 0));
    for (let i = 0; i < size; i++) {
      this.#writeAs((linear + i) >>> 0, 1, value >>> (i * 8) & 0xff, user);
    }
  }

  #store(host: number, size: Size, value: number): void {
    if (this.holdsCode(host)) this.codeWritten(host, size, value);
    const view = this.#state.view;
    if (size === 4) view.setInt32(host, value, true);
    else if (size === 2) view.setUint16(host, value, true);
    else view.setUint8(host, value);
  }
}
