/**
 * MXCSR: what rounds and masks, and the flags an instruction raises.
 * Source: Intel SDM vol. 1 §11.5.
 * @module
 */

import type { Cpu } from "../cpu.ts";
import { FEATURE } from "../cpuid.ts";
import { Fault, VECTOR } from "../fault.ts";
import { AT, type CpuState, CR4 } from "../state.ts";

/** Exception flags and the other bits; the masks are the flags shifted by 7. */
export const MX = {
  IE: 1,
  DE: 2,
  ZE: 4,
  OE: 8,
  UE: 16,
  PE: 32,
  DAZ: 64,
  FZ: 0x8000,
} as const;

const FLAGS = 0x3f, MASK_SHIFT = 7;
/** Flags that come before a result exists: with one of them unmasked there are no others. */
const BEFORE_RESULT = MX.IE | MX.DE | MX.ZE;

/** Rounding modes. */
export const ROUND = { NEAREST: 0, DOWN: 1, UP: 2, ZERO: 3 } as const;

/** MXCSR after reset. */
export const MXCSR_RESET = 0x1f80;

/** Bits of MXCSR that may be set: a processor without SSE2 has no DAZ. */
export function mxcsrMask(cpu: Cpu): number {
  return cpu.features & FEATURE.SSE2 ? 0xffff : 0xffff & ~MX.DAZ;
}

/** What one floating-point instruction works with: MXCSR, and the memory that operands lie in. */
export class FloatUnit {
  view: DataView = new DataView(new ArrayBuffer(0));
  #control: number = MXCSR_RESET;
  #raised = 0;
  /** One of {@link ROUND}. */
  rounding: number = ROUND.NEAREST;
  /** Denormal operands count as zero. */
  denormalsAreZero = false;

  begin(state: CpuState): void {
    const mxcsr = state.get(AT.MXCSR);
    this.view = state.view;
    this.#control = mxcsr;
    this.#raised = 0;
    this.rounding = mxcsr >> 13 & 3;
    this.denormalsAreZero = (mxcsr & MX.DAZ) !== 0;
  }

  raise(flags: number): void {
    this.#raised |= flags;
  }

  masked(flag: number): boolean {
    return (this.#control >> MASK_SHIFT & flag) !== 0;
  }

  /** Results that are too small become zero. */
  get flushesToZero(): boolean {
    return (this.#control & MX.FZ) !== 0 && this.masked(MX.UE);
  }

  /** MXCSR with the flags raised. */
  get mxcsr(): number {
    const unmasked = this.#unmasked();
    return this.#control | (unmasked & BEFORE_RESULT ? this.#raised & BEFORE_RESULT : this.#raised);
  }

  #unmasked(): number {
    return this.#raised & ~(this.#control >> MASK_SHIFT) & FLAGS;
  }

  /**
   * Stores the flags.
   * @throws {Fault} #XM for one that is not masked, #UD where the system does not know #XM
   */
  finish(cpu: Cpu): void {
    const { state } = cpu;
    if (this.#raised === 0) return;
    state.set(AT.MXCSR, this.mxcsr);
    if (this.#unmasked() === 0) return;
    throw Fault.of(state.get(AT.CR + 16) & CR4.OSXMMEXCPT ? VECTOR.XM : VECTOR.UD, 0);
  }
}
