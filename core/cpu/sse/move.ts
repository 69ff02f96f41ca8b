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
import { checkWritable } from "../wide.ts";

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

/**
 * MASKMOVQ, MASKMOVDQU: writes the bytes of operand 0 whose mask byte in operand 1 has bit 7 set to
 * DS:EDI. With none set, memory is not looked at.
 */
export function maskMove(cpu: Cpu, insn: Insn): void {
  const { state, mmu } = cpu;
  permit(cpu, insn);
  const mmx = usesMmx(insn);
  const size = mmx ? 8 : 16;
  const data = registerAt(insn.operands[0]!), mask = registerAt(insn.operands[1]!);
  if (mmx) putR0OnTop(state);
  let linear = -1;
  for (let n = 0; n < size; n++) {
    if (state.view.getInt8(mask + n) >= 0) continue;
    if (linear < 0) {
      linear = cpu.linear(insn.segment, maskAddress(state.regs[EDI]!, insn), size, true);
      mmu.checkAlignment(linear, 8);
      checkWritable(cpu, linear, size);
    }
    mmu.write((linear + n) >>> 0, 1, state.view.getUint8(data + n));
  }
  if (mmx) turnToMmx(state);
}
