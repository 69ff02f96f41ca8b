/**
 * Page walks: 32-bit paging with 4 MiB pages, and PAE paging with 2 MiB pages and NX.
 * Source: Intel SDM vol. 3, §4.3, §4.4, §4.6 (rights), §4.7 (error codes), §4.8 (A and D).
 * @module
 */

import { FEATURE } from "./cpuid.ts";
import { Fault, VECTOR } from "./fault.ts";
import { AT, type CpuState, CR0, CR4, EFER } from "./state.ts";

const { CR: AT_CR, EFER: AT_EFER, PDPTES } = AT;
const { PG: CR0_PG, WP: CR0_WP } = CR0;
const { PAE: CR4_PAE, PGE: CR4_PGE, PSE: CR4_PSE } = CR4;
const { PF } = VECTOR;

/** Why memory is accessed. */
export const ACCESS = { READ: 0, WRITE: 1, EXECUTE: 2 } as const;
/** One of {@link ACCESS}. */
export type Access = (typeof ACCESS)[keyof typeof ACCESS];

/** Words of physical memory, named by frame and offset. Where there is none, all bits read 1. */
export interface PhysicalMemory {
  readFrame(gfn: number, offset: number): number;
  writeFrame(gfn: number, offset: number, value: number): void;
}

/** Bits of the low word of an entry. */
const ENTRY = { P: 1, RW: 2, US: 4, A: 0x20, D: 0x40, PS: 0x80, G: 0x100 } as const;
/** Page-fault error code. */
const CODE = { P: 1, W: 2, U: 4, RSVD: 8, ID: 16 } as const;
const FOUND = -1;

/** Reserved bits of the low word: of a 2 MiB and a 4 MiB page (no PAT), of a PDPTE. */
const RESERVED_2M = 0x1ff000, RESERVED_4M = 0x3ff000;
const RESERVED_4M_PSE36 = 0x3e1000;
const RESERVED_PDPTE = 0x1e6;
/** Physical addresses have 36 bits: of the high word, four count, and NX may be the top one. */
const HIGH_ADDRESS = 0xf, NX = 0x80000000;

/** Frame that an entry of 8 bytes names. */
const frameOf = (low: number, high: number): number => low >>> 12 | (high & HIGH_ADDRESS) << 20;

/** Walks the tables of one vCPU. What the last walk has found is in its fields. */
export class PageWalker {
  readonly #state: CpuState;
  readonly #memory: PhysicalMemory;
  readonly #features: number;
  /** Frame of the address. */
  gfn = 0;
  /** Bits of a frame number that reach the bus. */
  addressLines = -1;
  /** The page may be written with these rights, and its dirty bit is set. */
  writable = true;
  global = false;
  large = false;
  /** The directory entry; the leaf, which is the same for a large page; where they lie. */
  #directory = 0;
  #directoryFrame = 0;
  #directoryAt = 0;
  #leaf = 0;
  #leafFrame = 0;
  #leafAt = 0;
  /** High words ORed: bit 31 is NX. */
  #high = 0;

  /** @param features bits of `FEATURE` in cpuid.ts */
  constructor(state: CpuState, memory: PhysicalMemory, features: number) {
    this.#state = state;
    this.#memory = memory;
    this.#features = features;
  }

  /**
   * Translates an address, as an access does: with rights, faults, accessed and dirty bits.
   * @throws {Fault} #PF, with CR2 set
   */
  walk(linear: number, access: Access, user: boolean): void {
    const cr0 = this.#state.get(AT_CR);
    if (!(cr0 & CR0_PG)) {
      this.gfn = linear >>> 12 & this.addressLines;
      this.writable = true;
      this.global = this.large = false;
      return;
    }
    const error = this.#descend(linear);
    if (error !== FOUND) throw this.#fault(linear, error, access, user);
    const rights = this.#leaf & this.#directory;
    const strict = user || (cr0 & CR0_WP) !== 0;
    const write = access === ACCESS.WRITE;
    const mayWrite = (rights & ENTRY.RW) !== 0 || !strict;
    const denied = (user && !(rights & ENTRY.US)) || (write && !mayWrite) ||
      (access === ACCESS.EXECUTE && this.#high < 0);
    if (denied) throw this.#fault(linear, CODE.P, access, user);
    this.#markUsed(write);
    this.gfn &= this.addressLines;
    this.writable = mayWrite && (this.#leaf & ENTRY.D) !== 0;
    this.global = (this.#leaf & ENTRY.G) !== 0 && (this.#state.get(AT_CR + 16) & CR4_PGE) !== 0;
  }

  /** Guest-physical address by the tables, without rights and side effects. */
  probe(linear: number): number | undefined {
    if (!(this.#state.get(AT_CR) & CR0_PG)) return linear >>> 0;
    if (this.#descend(linear) !== FOUND) return undefined;
    return this.gfn * 4096 + (linear & 0xfff);
  }

  /**
   * Loads the PDPTEs from where CR3 says.
   * @returns false when a reserved bit is set in one that is present; then none is loaded
   */
  loadPdptes(cr3: number): boolean {
    const frame = cr3 >>> 12;
    const at = cr3 & 0xfe0;
    for (let n = 0; n < 4; n++) {
      const low = this.#memory.readFrame(frame, at + n * 8);
      const high = this.#memory.readFrame(frame, at + n * 8 + 4);
      if (low & ENTRY.P && (low & RESERVED_PDPTE || high & ~HIGH_ADDRESS)) return false;
    }
    for (let n = 0; n < 32; n += 4) {
      this.#state.set(PDPTES + n, this.#memory.readFrame(frame, at + n));
    }
    return true;
  }

  // ---- levels --------------------------------------------------------------------------------

  /** Finds the entries of an address. @returns {@link FOUND}, or error-code bits P and RSVD */
  #descend(linear: number): number {
    const cr4 = this.#state.get(AT_CR + 16);
    return cr4 & CR4_PAE ? this.#descendPae(linear) : this.#descend32(linear, cr4);
  }

  #descend32(linear: number, cr4: number): number {
    const frame = this.#state.get(AT_CR + 12) >>> 12;
    const pde = this.#readDirectory(frame, linear >>> 20 & 0xffc);
    this.#high = 0;
    if (!(pde & ENTRY.P)) return 0;
    if (pde & ENTRY.PS && cr4 & CR4_PSE) return this.#large32(linear, pde);
    const pte = this.#readLeaf(pde >>> 12, linear >>> 10 & 0xffc);
    if (!(pte & ENTRY.P)) return 0;
    this.gfn = pte >>> 12;
    return FOUND;
  }

  #large32(linear: number, pde: number): number {
    const pse36 = (this.#features & FEATURE.PSE36) !== 0;
    if (pde & (pse36 ? RESERVED_4M_PSE36 : RESERVED_4M)) return CODE.P | CODE.RSVD;
    this.#leafIsDirectory();
    const above = pse36 ? (pde >>> 13 & 0xf) << 20 : 0;
    this.gfn = above | (pde >>> 12 & 0xffc00) | (linear >>> 12 & 0x3ff);
    return FOUND;
  }

  #descendPae(linear: number): number {
    const at = PDPTES + (linear >>> 30) * 8;
    const pdpte = this.#state.get(at);
    if (!(pdpte & ENTRY.P)) return 0;
    const frame = frameOf(pdpte, this.#state.get(at + 4));
    const pde = this.#readDirectory(frame, linear >>> 18 & 0xff8);
    if (!(pde & ENTRY.P)) return 0;
    const high = this.#memory.readFrame(frame, this.#directoryAt + 4);
    if (high & this.#reservedHigh()) return CODE.P | CODE.RSVD;
    if (pde & ENTRY.PS) return this.#large2M(linear, pde, high);
    const pte = this.#readLeaf(frameOf(pde, high), linear >>> 9 & 0xff8);
    if (!(pte & ENTRY.P)) return 0;
    const leafHigh = this.#memory.readFrame(this.#leafFrame, this.#leafAt + 4);
    if (leafHigh & this.#reservedHigh()) return CODE.P | CODE.RSVD;
    this.#high = high | leafHigh;
    this.gfn = frameOf(pte, leafHigh);
    return FOUND;
  }

  #large2M(linear: number, pde: number, high: number): number {
    if (pde & RESERVED_2M) return CODE.P | CODE.RSVD;
    this.#leafIsDirectory();
    this.#high = high;
    this.gfn = frameOf(pde, high) | (linear >>> 12 & 0x1ff);
    return FOUND;
  }

  /** NX is a reserved bit until EFER enables it. */
  #reservedHigh(): number {
    return ~(HIGH_ADDRESS | (this.#state.get(AT_EFER) & EFER.NXE ? NX : 0));
  }

  #readDirectory(frame: number, at: number): number {
    this.#directoryFrame = frame;
    this.#directoryAt = at;
    return this.#directory = this.#memory.readFrame(frame, at);
  }

  #readLeaf(frame: number, at: number): number {
    this.large = false;
    this.#leafFrame = frame;
    this.#leafAt = at;
    return this.#leaf = this.#memory.readFrame(frame, at);
  }

  #leafIsDirectory(): void {
    this.large = true;
    this.#leaf = this.#directory;
    this.#leafFrame = this.#directoryFrame;
    this.#leafAt = this.#directoryAt;
  }

  #markUsed(write: boolean): void {
    if (!this.large && !(this.#directory & ENTRY.A)) {
      this.#memory.writeFrame(this.#directoryFrame, this.#directoryAt, this.#directory | ENTRY.A);
    }
    const used = this.#leaf | ENTRY.A | (write ? ENTRY.D : 0);
    if (used === this.#leaf) return;
    this.#memory.writeFrame(this.#leafFrame, this.#leafAt, used);
    this.#leaf = used;
  }

  #fault(linear: number, error: number, access: Access, user: boolean): Fault {
    this.#state.set(AT_CR + 8, linear);
    const nx = (this.#state.get(AT_CR + 16) & CR4_PAE) !== 0 &&
      (this.#state.get(AT_EFER) & EFER.NXE) !== 0;
    const write = access === ACCESS.WRITE ? CODE.W : 0;
    const fetch = access === ACCESS.EXECUTE && nx ? CODE.ID : 0;
    return Fault.of(PF, error | write | fetch | (user ? CODE.U : 0));
  }
}
