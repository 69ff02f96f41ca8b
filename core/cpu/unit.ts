/**
 * What is compiled together: blocks of one page that direct jumps and jump tables join.
 * @module
 */

import type { Insn } from "./insn.ts";
import type { Sites } from "./sites.ts";
import { type Callee, HANDLER_TYPE } from "./wasm.ts";

/** A block to compile: its head record and its instructions. */
export interface CompilableBlock {
  readonly head: number;
  readonly eip: number;
  readonly insns: readonly Insn[];
  /** Instructions before the one that TypeScript executes, if the block ends with such. */
  readonly count: number;
  /** What the table holds that the last instruction jumps through, if it does: see jump_table.ts. */
  readonly cases: readonly number[];
  /** Jumps of the unit that lead to it. */
  entries: number;
  /**
   * It has a function of its own in this unit; others are only part of those that lead to them. At
   * first: it may have one, since it has none in another unit.
   */
  root: boolean;
}

/** What a unit of blocks shares. */
export interface Unit {
  readonly mode: number;
  /** Linear base of the code segment. */
  readonly base: number;
  /** Index of the TLB bank. */
  readonly bank: number;
  /** Host address of an immediate operand that the guest changes, or 0. */
  readonly patchedOperand: (insn: Insn) => number;
  /** The instruction of a record often needs what only the first tier, or a call, can do. */
  readonly isSlow: (record: number) => boolean;
  /** The unit's blocks by EIP. */
  readonly blocks: ReadonlyMap<number, CompilableBlock>;
  /** Sites of memory accesses. */
  readonly sites: Sites;
  /** By EIP of a block that ends with a return: behind which calls of the unit it goes on. */
  readonly returns: Map<number, number[]>;
}

/** Name of a compiled block in its module. */
export function blockFunction(head: number): Callee {
  return { ...HANDLER_TYPE, name: `b${head}` };
}

/** A block of this many instructions is worth repeating in each function that leads to it. */
export const SMALL = 6;
