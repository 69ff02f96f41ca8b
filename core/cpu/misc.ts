/**
 * Rare instructions without a fast path: BCD, ENTER, BOUND.
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { Fault, VECTOR } from "./fault.ts";
import type { Insn } from "./insn.ts";
import { effectiveAddress, maskAddress, writeOperand, writeRegister } from "./operand.ts";
import { peek, setStackPointer, stackMask } from "./stack.ts";
import { AT, EAX, EBP, ESP, FLAG, SS } from "./state.ts";

/** UD2, and what no processor defines. */
export function undefinedOpcode(): void {
  throw Fault.of(VECTOR.UD, 0);
}

/** POP to memory: the address uses ESP after the pop; a fault leaves ESP alone. */
export function popMemory(cpu: Cpu, insn: Insn): void {
  const { regs } = cpu.state;
  const size = insn.operandSize;
  const value = peek(cpu, 0, size);
  const before = regs[ESP]!;
  setStackPointer(cpu, before + size);
  try {
    writeOperand(cpu, insn, 0, value);
  } catch (fault) {
    regs[ESP] = before;
    throw fault;
  }
}

/** ENTER: the last word of the new frame must be writable before the registers change. */
export function enter(cpu: Cpu, insn: Insn): void {
  const { state } = cpu;
  const { regs } = state;
  const size = insn.operandSize;
  const mask = stackMask(cpu);
  const level = insn.imm2 & 31;
  let top = (regs[ESP]! - size) >>> 0;
  const at = (offset: number): number => (offset & mask) >>> 0;
  cpu.write(SS, at(top), size, regs[EBP]!);
  const frame = (regs[ESP]! & ~mask) | (top & mask);
  let outer = regs[EBP]!;
  for (let n = 1; n < level; n++) {
    outer = (outer - size) >>> 0;
    top = (top - size) >>> 0;
    cpu.write(SS, at(top), size, cpu.read(SS, at(outer), size));
  }
  if (level > 0) {
    top = (top - size) >>> 0;
    cpu.write(SS, at(top), size, frame);
  }
  top = (top - insn.imm) >>> 0;
  cpu.mmu.modify(cpu.linear(SS, at(top), size, true), size);
  writeRegister(cpu, EBP, size, frame);
  setStackPointer(cpu, top);
}

/** BOUND: both bounds are signed, and inside. */
export function bound(cpu: Cpu, insn: Insn): void {
  const size = insn.operandSize;
  const shift = 32 - size * 8;
  const sign = (v: number): number => v << shift >> shift;
  const at = effectiveAddress(cpu, insn);
  const low = sign(cpu.read(insn.segment, at, size));
  const high = sign(cpu.read(insn.segment, maskAddress(at + size, insn), size));
  const index = sign(cpu.state.regs[insn.operands[0]!.reg]!);
  if (index < low || index > high) throw Fault.of(VECTOR.BR, 0);
}

// ---- decimal adjust -----------------------------------------------------------------------------

const al = (cpu: Cpu): number => cpu.state.regs[EAX]! & 0xff;

/** AL, and flags that follow it: SF ZF PF from the result; CF AF as given. */
function setResult(cpu: Cpu, value: number, carry: boolean, adjust: boolean): void {
  const { state } = cpu;
  writeRegister(cpu, EAX, 1, value);
  const result = value << 24 >> 24;
  state.set(AT.CA, 0);
  state.set(AT.CB, carry ? 1 : 0);
  state.set(AT.FR, result);
  state.set(AT.FO, 0);
  state.set(AT.FX, (result & 16) ^ (adjust ? 16 : 0));
}

function decimal(cpu: Cpu, sign: 1 | -1): void {
  const old = al(cpu);
  const flags = cpu.state.eflags;
  const adjust = (old & 15) > 9 || (flags & FLAG.AF) !== 0;
  const high = old > 0x99 || (flags & FLAG.CF) !== 0;
  let value = old;
  let carry = high;
  if (adjust) {
    value += 6 * sign;
    if (sign < 0 && old < 6) carry = true;
  }
  if (high) value += 0x60 * sign;
  setResult(cpu, value & 0xff, carry, adjust);
}

/** DAA. */
export const daa = (cpu: Cpu): void => decimal(cpu, 1);
/** DAS. */
export const das = (cpu: Cpu): void => decimal(cpu, -1);

function ascii(cpu: Cpu, sign: 1 | -1): void {
  const adjust = (al(cpu) & 15) > 9 || (cpu.state.eflags & FLAG.AF) !== 0;
  const ax = cpu.state.regs[EAX]! & 0xffff;
  const value = adjust ? ax + 0x106 * sign : ax;
  writeRegister(cpu, EAX, 2, value & 0xff0f);
  setResult(cpu, value & 15, adjust, adjust);
}

/** AAA. */
export const aaa = (cpu: Cpu): void => ascii(cpu, 1);
/** AAS. */
export const aas = (cpu: Cpu): void => ascii(cpu, -1);

/** AAD, to any base. */
export function aad(cpu: Cpu, insn: Insn): void {
  const ax = cpu.state.regs[EAX]!;
  const value = ((ax & 0xff) + (ax >>> 8 & 0xff) * insn.imm) & 0xff;
  writeRegister(cpu, EAX, 2, value);
  setResult(cpu, value, false, (value & 16) !== 0);
  writeRegister(cpu, EAX, 2, value);
}
