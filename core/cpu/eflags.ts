/**
 * EFLAGS as a register: who may change which bit. The instructions that do are in sem/system.ts.
 * Source: Intel SDM vol. 2; vol. 3 §20.2.7 (virtual-8086).
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { Fault, VECTOR } from "./fault.ts";
import { updateMode } from "./segment.ts";
import { ARITHMETIC, AT, CR0, FLAG } from "./state.ts";

const { CR: AT_CR, EFLAGS } = AT;
const { AC, DF, ID, IF, IOPL, NT, RF, TF, VM } = FLAG;
const { PE: CR0_PE } = CR0;
const { GP } = VECTOR;

/** What any program may change. */
const UNPRIVILEGED = ARITHMETIC | TF | DF | NT | AC | ID;

/** All flags that this CPU has. */
export const ALL_FLAGS: number = UNPRIVILEGED | IF | IOPL | RF | VM;

const iopl = (cpu: Cpu): number => cpu.state.get(EFLAGS) >> 12 & 3;

/** @throws {Fault} #GP(0) where IOPL forbids touching IF */
export function checkIopl(cpu: Cpu): void {
  const { state } = cpu;
  const needed = state.flag(VM) ? 3 : state.cpl;
  if (state.get(AT_CR) & CR0_PE && iopl(cpu) < needed) throw Fault.of(GP, 0);
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
  if (cpl === 0) writable |= IOPL;
  if (cpl <= iopl(cpu)) writable |= IF;
  if (size === 2) writable &= 0xffff;
  // The arithmetic flags are all replaced: those before need not be worked out.
  const before = state.get(EFLAGS) & ~RF;
  const after = (before & ~writable) | (value & writable);
  state.eflags = after;
  if ((before ^ after) & AC) updateMode(cpu);
}
