/**
 * EFLAGS as a register: who may change which bit, and the instructions that do.
 * Source: Intel SDM vol. 2; vol. 3 §20.2.7 (virtual-8086).
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { Fault, VECTOR } from "./fault.ts";
import type { Insn } from "./insn.ts";
import { updateMode } from "./segment.ts";
import { peek, push, setStackPointer } from "./stack.ts";
import { ARITHMETIC, AT, CR0, ESP, FLAG } from "./state.ts";

/** What any program may change. */
const UNPRIVILEGED = ARITHMETIC | FLAG.TF | FLAG.DF | FLAG.NT | FLAG.AC | FLAG.ID;

/** All flags that this CPU has. */
export const ALL_FLAGS: number = UNPRIVILEGED | FLAG.IF | FLAG.IOPL | FLAG.RF | FLAG.VM;

const iopl = (cpu: Cpu): number => cpu.state.get(AT.EFLAGS) >> 12 & 3;

/** @throws {Fault} #GP(0) where IOPL forbids touching IF */
export function checkIopl(cpu: Cpu): void {
  const { state } = cpu;
  const needed = state.flag(FLAG.VM) ? 3 : state.cpl;
  if (state.get(AT.CR) & CR0.PE && iopl(cpu) < needed) throw Fault.of(VECTOR.GP, 0);
}

/**
 * Loads EFLAGS: IOPL as CPL 0, IF as CPL ≤ IOPL allows.
 * @param cpl privilege of the program that asks
 * @param more bits that are loaded too
 */
export function setFlags(
  cpu: Cpu,
  value: number,
  size: 2 | 4,
  cpl: number = cpu.state.cpl,
  more: number = 0,
): void {
  const { state } = cpu;
  let writable = UNPRIVILEGED | more;
  if (cpl === 0) writable |= FLAG.IOPL;
  if (cpl <= iopl(cpu)) writable |= FLAG.IF;
  if (size === 2) writable &= 0xffff;
  // The arithmetic flags are all replaced: those before need not be worked out.
  const before = state.get(AT.EFLAGS) & ~FLAG.RF;
  const after = (before & ~writable) | (value & writable);
  state.eflags = after;
  if ((before ^ after) & FLAG.AC) updateMode(cpu);
}

export function pushf(cpu: Cpu, insn: Insn): void {
  if (cpu.state.flag(FLAG.VM)) checkIopl(cpu);
  push(cpu, insn.operandSize, cpu.state.eflags & ~(FLAG.VM | FLAG.RF));
}

export function popf(cpu: Cpu, insn: Insn): void {
  if (cpu.state.flag(FLAG.VM)) checkIopl(cpu);
  const value = peek(cpu, 0, insn.operandSize);
  setStackPointer(cpu, cpu.state.regs[ESP]! + insn.operandSize);
  setFlags(cpu, value, insn.operandSize);
}

export function cli(cpu: Cpu): void {
  checkIopl(cpu);
  cpu.state.setFlag(FLAG.IF, false);
}

/** Interrupts stay off until the next instruction is over. */
export function sti(cpu: Cpu): void {
  checkIopl(cpu);
  if (!cpu.state.flag(FLAG.IF)) cpu.shadow = true;
  cpu.state.setFlag(FLAG.IF, true);
}

export function cld(cpu: Cpu): void {
  cpu.state.setFlag(FLAG.DF, false);
}

export function std(cpu: Cpu): void {
  cpu.state.setFlag(FLAG.DF, true);
}
