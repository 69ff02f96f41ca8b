/**
 * Which bytes of memory have been decoded, and what to forget when they change.
 *
 * A page whose code has changed is watched byte by byte from then on: a store that replaces exactly
 * an immediate operand goes into the records of its instruction, and nothing is forgotten. Compiled
 * code reads such an operand from the record once it is known to change.
 * @module
 */

import type { Insn } from "./insn.ts";
import { REC } from "./record.ts";
import type { CpuState } from "./state.ts";

const { IMM: REC_IMM, STRIDE: REC_STRIDE } = REC;

/** One block: its head record, and its function in the second tier (0 before it has one). */
export interface Block {
  readonly head: number;
  readonly linear: number;
  compiled: number;
}

/** What is remembered of a page whose code has changed. */
export class PageHistory {
  /** How often all of the page's blocks have been forgotten. */
  changes = 0;
  /** Offsets of immediate operands that have been replaced. */
  readonly patched: Set<number> = new Set();
}

/** Use of a byte on a page that is watched byte by byte. */
const USE = { NONE: 0, IMMEDIATE: 1, CODE: 2 } as const;

/** Records that hold the immediate operand at one place of a page. */
interface ImmediateField {
  readonly size: number;
  /** The record's word is the sign-extension, cut to the operand's size, of one byte. */
  readonly extendTo: number;
  readonly records: number[];
}

/** Decoded code of one physical page. */
export class CodePage {
  /** Blocks by mode and linear address. */
  readonly blocks: Map<number, Block> = new Map();
  /** Where no block begins, by the same keys: stepping is right there whatever the page becomes. */
  readonly unfit: Set<number> = new Set();
  /** A block of it is compiled. */
  compiled = false;
  readonly #history: PageHistory | undefined;
  /** Compiled code takes for a constant what has turned out to change: nothing may stay. */
  #stale = false;
  /** Bit n: the page's n-th 64-byte chunk holds decoded bytes. */
  readonly #chunks = new Uint32Array(2);
  readonly #uses: Uint8Array | undefined;
  readonly #immediates = new Map<number, ImmediateField>();

  /** @param history absent if the page's code has never changed */
  constructor(history: PageHistory | undefined) {
    this.#history = history;
    this.#uses = history && new Uint8Array(4096);
  }

  /** The immediate operand that ends at `end` has been replaced before. */
  isPatched(end: number, size: number): boolean {
    return this.#history !== undefined && this.#history.patched.has(end - size);
  }

  /** Notes the bytes of a block's instructions; `record` is that of the first. */
  mark(offset: number, insns: readonly Insn[], count: number, record: number): void {
    const first = insns[0]!.pc;
    const end = offset + insns[insns.length - 1]!.next - first;
    for (let chunk = offset >> 6; chunk <= (end - 1) >> 6; chunk++) {
      this.#chunks[chunk >> 5]! |= 1 << (chunk & 31);
    }
    if (!this.#uses) return;
    insns.forEach((insn, n) => {
      const from = offset + insn.pc - first;
      const length = insn.next - insn.pc;
      const immediate = n < count && isSimple(insn) ? insn.immediateBytes : 0;
      this.#use(from, length - immediate, USE.CODE);
      if (immediate === 0) return;
      this.#use(from + length - immediate, immediate, USE.IMMEDIATE);
      this.#noteImmediate(from + length - immediate, insn, record + n * REC_STRIDE);
    });
  }

  #use(from: number, length: number, use: number): void {
    const uses = this.#uses!;
    for (let at = from; at < from + length; at++) uses[at] = Math.max(uses[at]!, use);
  }

  #noteImmediate(at: number, insn: Insn, record: number): void {
    const size = insn.immediateBytes;
    const operand = insn.operands[insn.operands.length - 1]!.size;
    const known = this.#immediates.get(at);
    if (known && known.size === size && known.extendTo === operand) known.records.push(record);
    else if (known) this.#use(at, Math.max(size, known.size), USE.CODE);
    else this.#immediates.set(at, { size, extendTo: operand, records: [record] });
  }

  /** Some of the bytes are decoded code. */
  overlaps(offset: number, size: number): boolean {
    for (let chunk = offset >> 6; chunk <= (offset + size - 1) >> 6; chunk++) {
      if (this.#chunks[chunk >> 5]! & (1 << (chunk & 31))) return this.#touches(offset, size);
    }
    return false;
  }

  #touches(offset: number, size: number): boolean {
    if (!this.#uses) return true;
    for (let at = offset; at < offset + size; at++) {
      if (this.#uses[at] !== USE.NONE) return true;
    }
    return false;
  }

  /**
   * Takes a store that replaces an immediate operand, and nothing else, into the records.
   * @param value undefined when the store goes on beyond the page
   * @returns false if it does more
   */
  patch(offset: number, size: number, value: number | undefined, state: CpuState): boolean {
    if (!this.#uses || value === undefined) return false;
    const field = this.#immediates.get(offset);
    if (!field || field.size !== size) return false;
    for (let at = offset; at < offset + size; at++) {
      if (this.#uses[at] !== USE.IMMEDIATE) return false;
    }
    if (!this.#learn(offset)) return false;
    const { extendTo } = field;
    const extended = size < extendTo ? value << 24 >> 24 : value;
    const word = extendTo === 4 ? extended : extended & (extendTo === 2 ? 0xffff : 0xff);
    for (const record of field.records) state.set(record + REC_IMM, word);
    return true;
  }

  /** Notes an operand that changes. @returns false when compiled code takes it for a constant */
  #learn(offset: number): boolean {
    const { patched } = this.#history!;
    if (!patched.has(offset)) {
      patched.add(offset);
      this.#stale ||= this.compiled;
    }
    return !this.#stale;
  }
}

/** Its only use of the immediate is the word of its record. */
function isSimple(insn: Insn): boolean {
  return !insn.row.branch && insn.row.system === undefined && insn.row.rep === undefined;
}
