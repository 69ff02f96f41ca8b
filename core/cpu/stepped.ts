/**
 * Instructions that are stepped: those of a block that does not fit what is left of the budget. The
 * same few come again and again, so each is decoded once for as long as its bytes stay.
 * @module
 */

import type { Insn } from "./insn.ts";
import type { Mmu } from "./mmu.ts";
import { type CpuState, CS, SEG } from "./state.ts";

const SLOTS = 1024;
/** Of the longest instruction, rounded up. */
const SLOT_BYTES = 16;
const PAGE_MASK = 0xfff;

/** What has been decoded last, by linear address. */
export class SteppedCode {
  readonly #state: CpuState;
  readonly #mmu: Mmu;
  readonly #insns: (Insn | undefined)[] = new Array(SLOTS).fill(undefined);
  readonly #modes = new Int32Array(SLOTS);
  readonly #linears = new Uint32Array(SLOTS);
  readonly #bytes = new Uint8Array(SLOTS * SLOT_BYTES);

  constructor(state: CpuState, mmu: Mmu) {
    this.#state = state;
    this.#mmu = mmu;
  }

  /**
   * The instruction at EIP if it is known and still the same.
   * @throws {Fault} as fetching it does
   */
  find(mode: number): Insn | undefined {
    const state = this.#state;
    const { eip } = state;
    const linear = (state.segmentBase(CS) + eip) >>> 0;
    const slot = slotOf(linear);
    if (this.#linears[slot] !== linear || this.#modes[slot] !== mode) return undefined;
    const insn = this.#insns[slot];
    if (insn === undefined || insn.pc !== eip) return undefined;
    if (insn.next - 1 > state.seg(CS, SEG.LIMIT) >>> 0) return undefined;
    const host = this.#mmu.fetchAddress(linear);
    return this.#holds(slot, host, insn.next - eip) ? insn : undefined;
  }

  /** Remembers an instruction that has been decoded at EIP, if it lies on one page. */
  note(insn: Insn, mode: number): void {
    const linear = (this.#state.segmentBase(CS) + insn.pc) >>> 0;
    const length = insn.next - insn.pc;
    if (length <= 0 || (linear & PAGE_MASK) + length > PAGE_MASK + 1) return;
    const host = this.#mmu.fetchAddress(linear);
    if (host < 0) return;
    const slot = slotOf(linear);
    this.#insns[slot] = insn;
    this.#modes[slot] = mode;
    this.#linears[slot] = linear;
    const from = slot * SLOT_BYTES;
    for (let i = 0; i < length; i++) this.#bytes[from + i] = this.#state.bytes[host + i]!;
  }

  #holds(slot: number, host: number, length: number): boolean {
    if (host < 0) return false;
    const { bytes } = this.#state;
    const from = slot * SLOT_BYTES;
    for (let i = 0; i < length; i++) {
      if (bytes[host + i] !== this.#bytes[from + i]) return false;
    }
    return true;
  }
}

function slotOf(linear: number): number {
  return (linear ^ linear >>> 10) & (SLOTS - 1);
}
