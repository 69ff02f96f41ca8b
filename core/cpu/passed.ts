/**
 * Transfers that have passed all checks before: as long as the words in the descriptor tables, the
 * ring and the code segment are the same, so is the outcome.
 * @module
 */

import { Entry } from "./cached.ts";
import type { Cpu } from "./cpu.ts";
import { AT, type CpuState, CS, FLAG, SEG } from "./state.ts";

const { GDT_BASE, GDT_LIMIT } = AT;
const { ATTR: SEG_ATTR, BASE: SEG_BASE, LIMIT: SEG_LIMIT } = SEG;
const { VM } = FLAG;

const entry = new Entry();

/** A code segment whose descriptor has been checked, and that CS held then. */
export class PassedCode {
  #selector = -1;
  #low = 0;
  #high = 0;
  #cpl = 0;
  readonly #loaded = new Int32Array(3);

  /** CS as it is now was loaded from its descriptor in the GDT, after all checks of this kind. */
  remember(cpu: Cpu): void {
    const { state } = cpu;
    const selector = state.selector(CS);
    if (selector & 4) return;
    entry.read(cpu, (state.get(GDT_BASE) + (selector & 0xfff8)) | 0);
    this.#selector = selector;
    this.#low = entry.low;
    this.#high = entry.high;
    this.#cpl = state.cpl;
    for (let n = 0; n < 3; n++) this.#loaded[n] = cs(state, n);
  }

  /** All is as it was. @throws {Fault} #PF of the look at the descriptor, as its checks would */
  holds(cpu: Cpu): boolean {
    const { state } = cpu;
    const selector = this.#selector;
    if (state.selector(CS) !== selector || state.cpl !== this.#cpl || state.flag(VM)) {
      return false;
    }
    if ((selector | 7) > state.get(GDT_LIMIT) >>> 0) return false;
    const loaded = this.#loaded;
    if (cs(state, 0) !== loaded[0] || cs(state, 1) !== loaded[1] || cs(state, 2) !== loaded[2]) {
      return false;
    }
    entry.read(cpu, (state.get(GDT_BASE) + (selector & 0xfff8)) | 0);
    return entry.low === this.#low && entry.high === this.#high;
  }
}

const FIELDS = [SEG_BASE, SEG_LIMIT, SEG_ATTR] as const;

function cs(state: CpuState, n: number): number {
  return state.seg(CS, FIELDS[n]!);
}
