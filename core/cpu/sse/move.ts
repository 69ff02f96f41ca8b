/**
 * Moves between MMX, XMM, general registers and memory. Source: Intel SDM vol. 2.
 * @module
 */

import type { Cpu } from "../cpu.ts";
import type { Insn } from "../insn.ts";
import { maskAddress } from "../operand.ts";
import { EDI } from "../state.ts";
import { permit, putR0OnTop, registerAt, turnToMmx, usesMmx, type VectorOp } from "./access.ts";
import { copy } from "./lanes.ts";
import { writeMasked } from "./memory.ts";

/** Copies the low bytes; the rest of operand 0 becomes zero. */
export function load(count: number): VectorOp {
  return (view, to, from, bytes) => {
    copy(view, to, from, count);
    for (let n = count; n < bytes; n += 4) view.setInt32(to + n, 0, true);
  };
}

/** Copies the low bytes; the rest of operand 0 stays. */
export function merge(count: number): VectorOp {
  return (view, to, from) => copy(view, to, from, count);
}

/** Copies eight bytes from one half of operand 1 to one half of operand 0. */
export function quad(toHalf: 0 | 1, fromHalf: 0 | 1): VectorOp {
  return (view, to, from) => copy(view, to + toHalf * 8, from + fromHalf * 8, 8);
}

/** MASKMOVQ, MASKMOVDQU: writes bytes of operand 0 to DS:EDI. */
export function maskMove(cpu: Cpu, insn: Insn): void {
  permit(cpu, insn);
  const mmx = usesMmx(insn);
  const size = mmx ? 8 : 16;
  const offset = maskAddress(cpu.state.regs[EDI]!, insn);
  const data = registerAt(insn.operands[0]!), mask = registerAt(insn.operands[1]!);
  if (mmx) putR0OnTop(cpu.state);
  writeMasked(cpu, insn.segment, offset, size, data, mask);
  if (mmx) turnToMmx(cpu.state);
}
