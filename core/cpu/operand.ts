/**
 * Operands of the instructions that TypeScript executes.
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { Fault, VECTOR } from "./fault.ts";
import { type Insn, integerSize, KIND } from "./insn.ts";
import { registerAddress } from "./record.ts";
import { AT, CR0, FLAG } from "./state.ts";

const { CR: AT_CR } = AT;
const { VM } = FLAG;
const { PE: CR0_PE } = CR0;
const { GP, UD } = VECTOR;

/** Offset of the memory operand in its segment. */
export function effectiveAddress(cpu: Cpu, insn: Insn): number {
  const { regs } = cpu.state;
  const base = insn.base < 0 ? 0 : regs[insn.base]!;
  const index = insn.index < 0 ? 0 : regs[insn.index]! << insn.scale;
  return maskAddress(base + index + insn.disp, insn);
}

/** Cuts an offset to the address size. */
export function maskAddress(offset: number, insn: Insn): number {
  return insn.addressSize === 4 ? offset >>> 0 : offset & 0xffff;
}

/** Zero-extended value of operand `n`. */
export function readOperand(cpu: Cpu, insn: Insn, n: number): number {
  const { kind, reg } = insn.operands[n]!;
  const size = integerSize(insn, n);
  if (kind === KIND.IMM) return insn.imm;
  if (kind === KIND.MEM) return cpu.read(insn.segment, effectiveAddress(cpu, insn), size) >>> 0;
  const { view } = cpu.state;
  const at = registerAddress(reg, size);
  return size === 4
    ? view.getUint32(at, true)
    : size === 2
    ? view.getUint16(at, true)
    : view.getUint8(at);
}

/** Writes the low bytes of a value to operand `n`; `size` overrides the operand's own. */
export function writeOperand(
  cpu: Cpu,
  insn: Insn,
  n: number,
  value: number,
  size: 1 | 2 | 4 = integerSize(insn, n),
): void {
  const { kind, reg } = insn.operands[n]!;
  if (kind === KIND.MEM) cpu.write(insn.segment, effectiveAddress(cpu, insn), size, value);
  else writeRegister(cpu, reg, size, value);
}

/** Writes a general register. */
export function writeRegister(cpu: Cpu, register: number, size: 1 | 2 | 4, value: number): void {
  const { view } = cpu.state;
  const at = registerAddress(register, size);
  if (size === 4) view.setUint32(at, value, true);
  else if (size === 2) view.setUint16(at, value, true);
  else view.setUint8(at, value);
}

/** @throws {Fault} #GP(0) unless CPL is 0 */
export function privileged(cpu: Cpu): void {
  if (cpu.state.cpl !== 0) throw Fault.of(GP, 0);
}

/** Protected mode proper: CR0.PE set, not virtual-8086. */
export function isProtected(cpu: Cpu): boolean {
  return (cpu.state.get(AT_CR) & CR0_PE) !== 0 && !cpu.state.flag(VM);
}

/** @throws {Fault} #UD outside protected mode */
export function protectedOnly(cpu: Cpu): void {
  if (!isProtected(cpu)) throw Fault.of(UD, 0);
}
