/**
 * The cache that finds the block behind an indirect or cross-page jump, as TypeScript fills it and
 * looks into it; generated code does so in `jumpThroughCache` of lookups.ts. An entry counts while
 * the TLB leads its address to the memory that its block was decoded from.
 * @module
 */

import { AT, type CpuState, JUMP, TLB } from "./state.ts";
import { HANDLER } from "./record.ts";

const { BANK } = AT;
const { STOP } = HANDLER;
const { ADDEND: TLB_ADDEND, ENTRIES: TLB_ENTRIES, EXECUTE: TLB_EXECUTE } = TLB;
const {
  ADDEND: JUMP_ADDEND,
  BASE: JUMP_BASE,
  ENTRIES: JUMP_ENTRIES,
  HANDLER: JUMP_HANDLER,
  HASH_SHIFT: JUMP_HASH_SHIFT,
  LINEAR: JUMP_LINEAR,
  MODE: JUMP_MODE,
  RECORD: JUMP_RECORD,
  STRIDE: JUMP_STRIDE,
} = JUMP;

/** Heads of blocks by linear address and mode. */
export class JumpCache {
  readonly #words: Int32Array;

  constructor(state: CpuState) {
    this.#words = state.words;
  }

  /** Head of the live block there that the TLB agrees on, else 0. */
  recall(linear: number, mode: number): number {
    const words = this.#words;
    const at = entryOf(linear);
    const tlb = (words[BANK >> 2]! + (linear >>> 8 & (TLB_ENTRIES - 1) << 4)) >> 2;
    const hit = words[at + (JUMP_LINEAR >> 2)] === (linear | 0) &&
      words[at + (JUMP_MODE >> 2)] === mode &&
      words[tlb + (TLB_EXECUTE >> 2)] === (linear & ~0xfff) &&
      words[tlb + (TLB_ADDEND >> 2)] === words[at + (JUMP_ADDEND >> 2)] &&
      words[at + (JUMP_HANDLER >> 2)] !== STOP;
    return hit ? words[at + (JUMP_RECORD >> 2)]! : 0;
  }

  /** @param addend of the TLB entry that leads to the block's memory */
  remember(linear: number, mode: number, addend: number, head: number): void {
    const words = this.#words;
    const at = entryOf(linear);
    words[at + (JUMP_LINEAR >> 2)] = linear;
    words[at + (JUMP_MODE >> 2)] = mode;
    words[at + (JUMP_ADDEND >> 2)] = addend;
    words[at + (JUMP_RECORD >> 2)] = head;
    words[at + (JUMP_HANDLER >> 2)] = words[head >> 2]!;
  }

  /** The block has another handler now. */
  update(linear: number, head: number): void {
    const words = this.#words;
    const at = entryOf(linear);
    if (words[at + (JUMP_RECORD >> 2)] !== head) return;
    words[at + (JUMP_HANDLER >> 2)] = words[head >> 2]!;
  }

  clear(): void {
    this.#words.fill(0, JUMP_BASE >> 2, (JUMP_BASE + JUMP_ENTRIES * JUMP_STRIDE) >> 2);
  }
}

/** Word index of the entry for a linear address. */
function entryOf(linear: number): number {
  const hash = linear ^ linear >>> JUMP_HASH_SHIFT;
  return (JUMP_BASE + (hash & (JUMP_ENTRIES - 1)) * JUMP_STRIDE) >> 2;
}
