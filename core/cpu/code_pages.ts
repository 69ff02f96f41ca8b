/**
 * Which bytes of memory have been decoded, and what to forget when they change.
 *
 * A page whose code changes for the second time is watched byte by byte: a store that replaces
 * exactly an immediate operand then goes into the records of its instruction, and nothing is forgotten.
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
  /** The page has changed before. */
  readonly watched: boolean;
  /** Bit n: the page's n-th 64-byte chunk holds decoded bytes. */
  readonly #chunks = new Uint32Array(2);
  readonly #uses: Uint8Array | undefined;
  readonly #immediates = new Map<number, ImmediateField>();

  constructor(watched: boolean) {
    this.watched = watched;
    this.#uses = watched ? new Uint8Array(4096) : undefined;
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
    const { extendTo } = field;
    const extended = size < extendTo ? value << 24 >> 24 : value;
    const word = extendTo === 4 ? extended : extended & (extendTo === 2 ? 0xffff : 0xff);
    for (const record of field.records) state.set(record + REC_IMM, word);
    return true;
  }
}

/** Its only use of the immediate is the word of its record. */
function isSimple(insn: Insn): boolean {
  return !insn.row.branch && insn.row.system === undefined && insn.row.rep === undefined;
}
