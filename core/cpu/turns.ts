/**
 * Short loops: of those that are one block, compiled code writes several turns one behind the other,
 * and looks at the budget once for all of them.
 * @module
 */

import type { CompilableBlock } from "./unit.ts";

/** Turns that are written, at most, and instructions of all of them together. */
const MAX_TURNS = 4;
const MAX_INSTRUCTIONS = 24;

/** Turns of a loop while they are written. */
export interface Turns {
  readonly block: CompilableBlock;
  /** Those that are still to be ended. */
  left: number;
  /** Writes what leaves the loop. */
  readonly leave: () => void;
}

/** How many turns are written of a loop that begins with the block: more than one if it is all of it. */
export function turnsOf({ eip, insns, count }: CompilableBlock): number {
  const { row, target } = insns[insns.length - 1]!;
  const conditional = row.branch && row.mnemonic.startsWith("j") && row.mnemonic !== "jmp";
  if (count < insns.length || !conditional || target !== eip) return 1;
  return Math.max(1, Math.min(MAX_TURNS, Math.floor(MAX_INSTRUCTIONS / count)));
}
