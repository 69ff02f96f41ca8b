/**
 * The stack of an inner ring, as the current TSS names it. Source: Intel SDM vol. 3, §5.8.5.
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { Fault, VECTOR } from "./fault.ts";
import { type Descriptor } from "./descriptor.ts";
import { readStack } from "./segment.ts";
import { SEG, TR } from "./state.ts";

const { ATTR: SEG_ATTR, LIMIT: SEG_LIMIT } = SEG;
const { TS } = VECTOR;

/**
 * Reads the stack pointer of ring `dpl` and checks its segment.
 * @param stack takes the descriptor
 * @returns ESP
 */
export function readInnerStack(cpu: Cpu, dpl: number, stack: Descriptor): number {
  const { state, mmu } = cpu;
  const wide = (state.seg(TR, SEG_ATTR) & 8) !== 0;
  const size = wide ? 4 : 2;
  const at = size + dpl * size * 2;
  if (at + size * 2 - 1 > state.seg(TR, SEG_LIMIT) >>> 0) {
    throw Fault.of(TS, state.selector(TR) & 0xfffc);
  }
  const linear = state.segmentBase(TR) + at;
  const esp = mmu.systemRead(linear, size);
  readStack(cpu, mmu.systemRead(linear + size, 2), dpl, TS, stack);
  return esp;
}
