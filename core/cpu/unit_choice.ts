/**
 * Which blocks of a page are compiled together: the one at EIP, and all warm ones that direct jumps
 * and jump tables inside its page lead to.
 * @module
 */

import { type Block, blockKey, type CodePage } from "./code_pages.ts";
import { type CodeReader, simpleCount } from "./code_reader.ts";
import { isTableJump, tableEntries } from "./jump_table.ts";
import type { Mmu } from "./mmu.ts";
import { REC } from "./record.ts";
import { AT, type CpuState, CS } from "./state.ts";
import { type CompilableBlock, SMALL } from "./unit.ts";

/** Instructions of the largest unit that is compiled at once. */
const MAX_UNIT = 1000;
/** Runs of a block, of those that its neighbour needed to be compiled, that make it come along. */
const WARM = 1 / 64;

/** A unit before it is compiled. */
export interface UnitChoice {
  /** By EIP: all that its functions may consist of. */
  readonly blocks: Map<number, CompilableBlock>;
  /** Those that are not compiled yet. */
  readonly members: readonly Block[];
}

/**
 * Chooses the unit around the block at EIP.
 * @param heat runs that a block of the page needs to be compiled
 */
export function chooseUnit(
  page: CodePage,
  reader: CodeReader,
  state: CpuState,
  mmu: Mmu,
  heat: number,
): UnitChoice {
  const mode = state.get(AT.MODE);
  const base = state.segmentBase(CS);
  const start = state.eip;
  const cold = heat * (1 - WARM);
  const wordAt = (segment: number) => (offset: number): number | undefined =>
    mmu.known((state.segmentBase(segment) + offset) >>> 0);
  const members: Block[] = [];
  const blocks = new Map<number, CompilableBlock>();
  const candidates = [start];
  let size = 0;
  for (let n = 0; n < candidates.length && size < MAX_UNIT; n++) {
    const eip = candidates[n]!;
    const linear = (base + eip) >>> 0;
    const block = page.blocks.get(blockKey(mode, linear));
    if (!block || blocks.has(eip) || (linear ^ (base + start)) >>> 12) continue;
    if (n > 0 && !block.compiled && state.get(block.head + REC.HEAT) > cold) continue;
    const insns = reader.block(eip, mode, linear);
    if (insns.length === 0) continue;
    const count = simpleCount(insns);
    // What is compiled already may only be repeated here.
    if (block.compiled && insns.length > SMALL) continue;
    const last = insns[insns.length - 1]!;
    const cases = isTableJump(last) ? tableEntries(last, wordAt(last.segment)) : [];
    candidates.push(last.next, ...cases);
    if (last.row.branch) candidates.push(last.target);
    if (count === 0) continue;
    const { head, compiled } = block;
    blocks.set(eip, { head, eip, insns, count, cases, entries: 0, root: compiled === 0 });
    if (!compiled) members.push(block);
    size += insns.length;
  }
  return { blocks, members };
}
