/**
 * The software TLB's fast path, as generated code has it: for TypeScript that would otherwise ask
 * the MMU several times for one page.
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { AT, type CpuState, TLB } from "./state.ts";

const { BANK } = AT;
const {
  ADDEND: TLB_ADDEND,
  BASE: TLB_BASE,
  ENTRIES: TLB_ENTRIES,
  READ: TLB_READ,
  STRICT: TLB_STRICT,
} = TLB;

/**
 * Host offset of bytes that lie in one page which the TLB already allows the access to.
 * @param bank `TLB.BASE` for supervisor rights; the word at `AT.BANK` for those of the program
 * @param tag `TLB.READ` or `TLB.WRITE`; a page with decoded code is never writable here
 * @returns -1 when the MMU must be asked
 */
export function cachedHost(
  { words }: CpuState,
  bank: number,
  linear: number,
  bytes: number,
  tag: number,
): number {
  const at = (bank + (linear >>> 8 & (TLB_ENTRIES - 1) << 4)) >> 2;
  // The page of the last byte, in the entry of the first: it differs when they are in two pages.
  const page = (linear + bytes - 1) & ~0xfff;
  return words[at + (tag >> 2)] === page ? (linear + words[at + (TLB_ADDEND >> 2)]!) | 0 : -1;
}

/** Eight bytes of a descriptor table, as two signed words; reused. */
export class Entry {
  low = 0;
  high = 0;

  /** @throws {Fault} #PF */
  read({ state, mmu }: Cpu, linear: number): void {
    // Where accesses are watched, these are too.
    const bank = state.get(BANK) === TLB_STRICT ? TLB_STRICT : TLB_BASE;
    const host = cachedHost(state, bank, linear, 8, TLB_READ);
    if (host < 0) {
      this.low = mmu.systemRead(linear >>> 0, 4) | 0;
      this.high = mmu.systemRead((linear + 4) >>> 0, 4) | 0;
    } else {
      this.low = state.view.getInt32(host, true);
      this.high = state.view.getInt32(host + 4, true);
    }
  }
}
