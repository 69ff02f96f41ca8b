/**
 * Second tier: compiles units of hot blocks. A unit is what can be reached by direct jumps inside
 * one page; each block becomes a function that goes on to the next by a tail call. The block's head
 * record then leads to that function, so links and the jump cache serve both tiers.
 * @module
 */

import type { CodeTable } from "./code_table.ts";
import { Compiler, type Unit } from "./compiler.ts";
import type { Insn } from "./insn.ts";
import { REC } from "./record.ts";
import type { CpuState } from "./state.ts";

/** A block to compile: its head record and its instructions. */
export interface CompilableBlock {
  readonly head: number;
  readonly insns: readonly Insn[];
  /** Instructions before the one that TypeScript executes, if the block ends with such. */
  readonly count: number;
}

/** Compiles blocks and puts them in the place of their records. */
export class Jit {
  readonly #state: CpuState;
  readonly #table: CodeTable;

  constructor(state: CpuState, table: CodeTable) {
    this.#state = state;
    this.#table = table;
  }

  /**
   * Compiles the blocks of a unit.
   * @returns the function numbers, in the order of the blocks
   */
  compile(unit: Unit, blocks: readonly CompilableBlock[]): number[] {
    const bodies = blocks.map((block) => this.#compileBlock(unit, block).body);
    const numbers = blocks.map(() => this.#table.reserve());
    this.#table.compile(bodies, numbers);
    blocks.forEach(({ head }, n) => this.#state.set(head + REC.HANDLER, numbers[n]!));
    return numbers;
  }

  #compileBlock(unit: Unit, { head, insns, count }: CompilableBlock): Compiler {
    const compiler = new Compiler(unit, head);
    const last = insns[insns.length - 1]!;
    let record = head + REC.STRIDE;
    compiler.enter(count, insns[0]!.pc);
    for (let n = 0; n < count; n++, record += REC.STRIDE) {
      compiler.instruction(insns[n]!, record);
    }
    if (count < insns.length) compiler.complex(record, last.pc);
    else if (!last.row.branch) {
      const near = ((unit.base + last.next) ^ (unit.base + last.pc)) >>> 12 === 0;
      compiler.continueAt(last.next, record, near);
    }
    return compiler;
  }
}
