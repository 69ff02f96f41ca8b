/**
 * What has been decoded from a page of memory, and how the page has changed since.
 *
 * Stores that hit code make the page forget its blocks. On a page that has changed, one that
 * replaces exactly an immediate operand does so only once: from then on code reads this operand
 * from memory, where its bytes count no longer as code.
 * @module
 */

import type { CodeMap } from "./code_map.ts";
import type { Insn } from "./insn.ts";

/** One block: its head record, and its function in the second tier (0 before it has one). */
export interface Block {
  readonly head: number;
  readonly linear: number;
  compiled: number;
}

/** Key of a block on its page. */
export function blockKey(mode: number, linear: number): number {
  return (mode >>> 0) * 0x1_0000_0000 + linear;
}

/** What is remembered of a page whose code has changed. */
export class PageHistory {
  /** How often more than an operand has changed, as far as is known. */
  changes = 0;
  /** Offsets of immediate operands that have been replaced. */
  readonly patched: Set<number> = new Set();
}

/** Decoded code of one physical page. */
export class CodePage {
  /** Blocks by {@link blockKey}. */
  readonly blocks: Map<number, Block> = new Map();
  /** Where no block begins, by the same keys: stepping is right there whatever the page becomes. */
  readonly unfit: Set<number> = new Set();
  readonly #map: CodeMap;
  /** Host offset. */
  readonly #start: number;
  readonly #history: PageHistory | undefined;
  /** Immediate operands that a store may replace, by {@link fieldKey}. */
  readonly #immediates = new Set<number>();

  /**
   * @param start host offset of the page
   * @param history absent if the page's code has never changed
   */
  constructor(map: CodeMap, start: number, history: PageHistory | undefined) {
    this.#map = map;
    this.#start = start;
    this.#history = history;
    map.clear(start >>> 12);
  }

  /**
   * Host address of an instruction's immediate operand, if it is one that changes; else 0.
   * @param end offset behind the instruction, in the page
   */
  patchedOperand(insn: Insn, end: number): number {
    const offset = end - insn.immediateBytes;
    const patched = this.#history?.patched.has(offset) && isSimple(insn);
    return patched ? this.#start + offset : 0;
  }

  /**
   * Notes the bytes of a block's instructions.
   * @param offset of the first, in the page
   * @param count those before the one that TypeScript executes
   */
  mark(offset: number, insns: readonly Insn[], count: number): void {
    const first = insns[0]!.pc;
    const length = Math.min(insns[insns.length - 1]!.next - first, 4096 - offset);
    if (!this.#history) return this.#map.mark(this.#start + offset, length);
    insns.forEach((insn, n) => {
      const from = offset + insn.pc - first;
      const end = Math.min(offset + insn.next - first, 4096);
      const immediate = n < count && isSimple(insn) ? insn.immediateBytes : 0;
      if (immediate > 0) this.#immediates.add(fieldKey(end - immediate, immediate));
      const changes = n < count && this.patchedOperand(insn, end) !== 0;
      this.#map.mark(this.#start + from, end - from - (changes ? immediate : 0));
    });
  }

  /** Some of the bytes are decoded code. */
  overlaps(offset: number, size: number): boolean {
    return this.#map.overlaps(this.#start + offset, size);
  }

  /** Notes that a store hits code. @returns true when all it replaces is an immediate operand */
  learn(offset: number, size: number): boolean {
    if (!this.#immediates.has(fieldKey(offset, size))) return false;
    const history = this.#history!;
    if (history.patched.has(offset)) return false;
    history.patched.add(offset);
    // What the page was first dropped for was that operand, too, most likely.
    history.changes = Math.max(0, history.changes - 1);
    return true;
  }

  /** Its blocks are gone. */
  close(): void {
    this.#map.close(this.#start >>> 12);
  }
}

const fieldKey = (offset: number, size: number): number => offset * 8 + size;

/** What it does with an immediate it does in generated code, with nothing else to go by. */
function isSimple({ row, immediateBytes }: Insn): boolean {
  return immediateBytes > 0 && !row.branch && row.system === undefined && row.rep === undefined;
}
