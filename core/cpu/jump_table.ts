/**
 * Jumps through a table, as compilers make them of a switch: `jmp [table + index * 4]`. The index
 * is known before what the table holds there, so compiled code branches by it and then compares:
 * the table may have changed since it was looked at.
 * @module
 */

import { type Insn, KIND } from "./insn.ts";

/** Entries of the largest table that is looked at. */
const MAX_ENTRIES = 64;

/** The instruction jumps to one of a table of offsets. */
export function isTableJump(insn: Insn): boolean {
  const { row, operands, operandSize, addressSize, base, index, scale } = insn;
  return row.mnemonic === "jmp" && operands[0]?.kind === KIND.MEM && operandSize === 4 &&
    addressSize === 4 && base < 0 && index >= 0 && 1 << scale === operandSize;
}

/**
 * What the table of a {@link isTableJump} holds, up to the first entry that leads far away: tables
 * do not say where they end.
 * @param wordAt what the jump would read at an offset in its segment, if that is known
 */
export function tableEntries(
  { disp, pc, operandSize }: Insn,
  wordAt: (offset: number) => number | undefined,
): number[] {
  const entries: number[] = [];
  while (entries.length < MAX_ENTRIES) {
    const entry = wordAt((disp + entries.length * operandSize) >>> 0);
    if (entry === undefined || Math.abs((entry - pc) | 0) >= 4096) break;
    entries.push(entry >>> 0);
  }
  return entries;
}
