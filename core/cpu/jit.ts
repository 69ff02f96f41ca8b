/**
 * Second tier: compiles units of hot blocks. A unit is what can be reached by direct jumps and jump
 * tables inside one page; its functions go on to each other by tail calls. The head record of a
 * compiled block leads to its function, so links and the jump cache serve both tiers.
 * @module
 */

import type { CodeTable } from "./code_table.ts";
import { compileRegion } from "./region.ts";
import type { CompilableBlock, Unit } from "./unit.ts";
import type { Insn } from "./insn.ts";

/** Compiles units into the table. */
export class Jit {
  readonly #table: CodeTable;

  constructor(table: CodeTable) {
    this.#table = table;
  }

  /**
   * Compiles the roots of a unit, at least the block it begins with.
   * @returns function numbers by head record
   */
  compile(unit: Unit): Map<number, number> {
    const roots = chooseRoots(unit);
    const bodies = roots.map((root) => compileRegion(unit, root));
    const numbers = roots.map(() => this.#table.reserve());
    this.#table.compile(bodies, numbers);
    return new Map(roots.map(({ head }, n) => [head, numbers[n]!]));
  }
}

/** The first block, and those that none or several lead to. */
function chooseRoots(unit: Unit): CompilableBlock[] {
  const { blocks } = unit;
  const all = [...blocks.values()];
  const callers = new Map<number, number[]>();
  for (const { insns, cases } of all) {
    const last = insns[insns.length - 1]!;
    for (const eip of new Set(cases)) count(blocks.get(eip));
    if (fallsThrough(last)) count(blocks.get(last.next));
    if (isDirect(last)) count(blocks.get(last.target));
    if (last.row.mnemonic !== "call" || !isDirect(last) || !blocks.has(last.next)) continue;
    const known = callers.get(last.target);
    if (known) known.push(last.next);
    else callers.set(last.target, [last.next]);
  }
  for (const [target, eips] of callers) noteReturns(unit, target, eips);
  all.forEach((block, n) => block.root &&= n === 0 || block.entries !== 1);
  return all.filter(({ root }) => root);
}

/** Finds the returns of a procedure of the unit. */
function noteReturns({ blocks, returns }: Unit, procedure: number, callers: number[]): void {
  const met = new Set([procedure]);
  for (const eip of met) {
    const block = blocks.get(eip);
    if (block === undefined) continue;
    const { insns, cases } = block;
    const last = insns[insns.length - 1]!;
    const { mnemonic } = last.row;
    if (mnemonic === "ret") returns.set(eip, [...(returns.get(eip) ?? []), ...callers]);
    if (fallsThrough(last) || mnemonic === "call") met.add(last.next);
    if (isDirect(last) && mnemonic !== "call") met.add(last.target);
    for (const each of cases) met.add(each);
  }
}

const isDirect = ({ row }: Insn): boolean => row.operands[0]?.startsWith("J") === true;
const fallsThrough = (insn: Insn): boolean =>
  !insn.row.branch || insn.row.proceeds === true ||
  (isDirect(insn) && insn.row.mnemonic !== "jmp" && insn.row.mnemonic !== "call");

function count(block: CompilableBlock | undefined): void {
  if (block) block.entries++;
}
