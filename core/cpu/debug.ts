/**
 * Debug registers: which breakpoints an access meets.
 * Source: Intel SDM vol. 3, §17.2.
 * @module
 */

import { AT, type CpuState, CR4 } from "./state.ts";

const { CR: AT_CR, DR: AT_DR } = AT;
const { DE: CR4_DE } = CR4;

/** DR6: reasons beside B0–B3; what MOV can write, and what always reads 1. */
export const DR6 = {
  BD: 0x2000,
  BS: 0x4000,
  BT: 0x8000,
  WRITABLE: 0xe00f,
  FIXED: 0xffff0ff0,
} as const;
/** DR7: any of L0 … G3, general detect; what MOV can write, and what always reads 1. */
export const DR7 = { ENABLED: 0xff, GD: 0x2000, WRITABLE: 0xffff2fff, FIXED: 0x400 } as const;

/** A breakpoint is enabled. */
export function isArmed(state: CpuState): boolean {
  return (state.get(AT_DR + 28) & DR7.ENABLED) !== 0;
}

/** What every #DB does to the debug registers: it says why it came, and ends general detect. */
export function noteDebug(state: CpuState, reasons: number): void {
  state.set(AT_DR + 24, state.get(AT_DR + 24) | reasons);
  state.set(AT_DR + 28, state.get(AT_DR + 28) & ~DR7.GD);
}

/** What a breakpoint waits for: R/W field of DR7. */
const CONDITION = { EXECUTE: 0, WRITE: 1, PORT: 2, ACCESS: 3 } as const;

/** Bytes a breakpoint covers, less one, by the LEN field of DR7: its address is aligned to them. */
const COVERS: readonly number[] = [0, 1, 7, 3];

/** The breakpoints of one vCPU, and what its accesses have met. */
export class Breakpoints {
  readonly #state: CpuState;
  /** DR6 bits of data and port breakpoints met since the last #DB. */
  hits = 0;

  constructor(state: CpuState) {
    this.#state = state;
  }

  /** An access to memory. */
  noteAccess(linear: number, size: number, write: boolean): void {
    this.hits |= this.#met(linear, size, CONDITION.ACCESS, write ? CONDITION.WRITE : -1);
  }

  /** An access to a port: watched under CR4.DE only. */
  notePort(port: number, size: number): void {
    if (!(this.#state.get(AT_CR + 16) & CR4_DE)) return;
    this.hits |= this.#met(port, size, CONDITION.PORT, -1);
  }

  /** DR6 bits of the breakpoints on an instruction. */
  onInstruction(linear: number): number {
    return this.#met(linear, 1, CONDITION.EXECUTE, -1);
  }

  /** Takes what has been met. */
  take(): number {
    const { hits } = this;
    this.hits = 0;
    return hits;
  }

  /** B0–B3 of all breakpoints that fit, if one of them is enabled. */
  #met(address: number, size: number, condition: number, other: number): number {
    const dr7 = this.#state.get(AT_DR + 28);
    if (!isArmed(this.#state)) return 0;
    let met = 0;
    let enabled = false;
    for (let n = 0; n < 4; n++) {
      const wanted = dr7 >>> (16 + n * 4) & 3;
      if (wanted !== condition && wanted !== other) continue;
      const covers = COVERS[dr7 >>> (18 + n * 4) & 3]!;
      // Distances around 4 GiB: the access begins inside, or the breakpoint begins inside of it.
      const first = this.#state.get(AT_DR + n * 4) & ~covers;
      if ((address - first) >>> 0 > covers && (first - address) >>> 0 >= size) continue;
      met |= 1 << n;
      enabled ||= (dr7 >>> (n * 2) & 3) !== 0;
    }
    return enabled ? met : 0;
  }
}
