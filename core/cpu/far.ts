/**
 * Far transfers: JMP, CALL, RET and IRET between segments and rings. Source: Intel SDM vol. 2 and
 * vol. 3 ch. 5. Task gates, TSS targets and returns to virtual-8086 mode are not modelled.
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { Fault, innerStack, innerStackSegment, VECTOR } from "./fault.ts";
import type { Insn } from "./insn.ts";
import { effectiveAddress, isProtected, maskAddress } from "./operand.ts";
import {
  checkedStack,
  type Descriptor,
  dropInnerSegments,
  readDescriptor,
  setCodeSegment,
  setSegment,
  setStackSegment,
} from "./segment.ts";
import { peek, pushAll, pushOnto, setStackPointer, stackMask, writeBelow } from "./stack.ts";
import { AT, CS, ESP, FLAG, SEG, SS } from "./state.ts";
import { setFlags } from "./system.ts";

const { GP, NP } = VECTOR;

interface FarPointer {
  readonly selector: number;
  readonly offset: number;
}

function immediatePointer(insn: Insn): FarPointer {
  return { selector: insn.imm2, offset: insn.imm };
}

function memoryPointer(cpu: Cpu, insn: Insn): FarPointer {
  const at = effectiveAddress(cpu, insn);
  const size = insn.operandSize;
  const offset = cpu.read(insn.segment, at, size) >>> 0;
  return { offset, selector: cpu.read(insn.segment, maskAddress(at + size, insn), 2) };
}

export const jmpFar = (cpu: Cpu, insn: Insn): void => jump(cpu, immediatePointer(insn));
export const jmpFarIndirect = (cpu: Cpu, insn: Insn): void => jump(cpu, memoryPointer(cpu, insn));
export const callFar = (cpu: Cpu, insn: Insn): void => call(cpu, insn, immediatePointer(insn));
export const callFarIndirect = (cpu: Cpu, insn: Insn): void =>
  call(cpu, insn, memoryPointer(cpu, insn));

/** CS in real and virtual-8086 mode. */
function setRealCode(cpu: Cpu, selector: number): void {
  const { state } = cpu;
  const limit = state.seg(CS, SEG.LIMIT);
  const attr = state.seg(CS, SEG.ATTR);
  setSegment(cpu, CS, { selector, base: selector << 4, limit, attr, at: 0 });
}

function checkOffset(offset: number, limit: number): void {
  if (offset >>> 0 > limit >>> 0) throw Fault.of(GP, 0);
}

/** A code descriptor that a direct far transfer may enter at the current privilege. */
function checkCode(cpu: Cpu, d: Descriptor): void {
  const code = d.selector & 0xfffc;
  const { cpl } = cpu.state;
  const dpl = d.attr >> 5 & 3;
  const conforming = (d.attr & 4) !== 0;
  const allowed = conforming ? dpl <= cpl : (d.selector & 3) <= cpl && dpl === cpl;
  if (!allowed) throw Fault.of(GP, code);
  if (!(d.attr & 0x80)) throw Fault.of(NP, code);
}

function target(cpu: Cpu, selector: number): Descriptor {
  if (!(selector & 0xfffc)) throw Fault.of(GP, 0);
  return readDescriptor(cpu, selector, GP);
}

const isCode = (d: Descriptor): boolean => (d.attr & 0x18) === 0x18;

/** What a gate leads to: its code segment, offset and parameters. */
interface Gate {
  readonly code: Descriptor;
  readonly offset: number;
  readonly wide: boolean;
  readonly parameters: number;
}

function readGate(cpu: Cpu, d: Descriptor): Gate {
  const code = d.selector & 0xfffc;
  const type = d.attr & 0x1f;
  const isTask = type === 1 || type === 5 || type === 9;
  if (type !== 4 && type !== 12 && !isTask) throw Fault.of(GP, code);
  const dpl = d.attr >> 5 & 3;
  if (dpl < cpu.state.cpl || dpl < (d.selector & 3)) throw Fault.of(GP, code);
  if (!(d.attr & 0x80)) throw Fault.of(NP, code);
  if (isTask) cpu.notModelled("hardware task switch");
  const low = cpu.mmu.systemRead(d.at, 4);
  const high = cpu.mmu.systemRead(d.at + 4, 4);
  const wide = type === 12;
  const inner = target(cpu, low >>> 16);
  const dplInner = inner.attr >> 5 & 3;
  if (!isCode(inner) || dplInner > cpu.state.cpl) throw Fault.of(GP, inner.selector & 0xfffc);
  if (!(inner.attr & 0x80)) throw Fault.of(NP, inner.selector & 0xfffc);
  const offset = ((low & 0xffff) | (wide ? high & 0xffff0000 : 0)) >>> 0;
  return { code: inner, offset, wide, parameters: high & 31 };
}

function jump(cpu: Cpu, to: FarPointer): void {
  if (!isProtected(cpu)) {
    checkOffset(to.offset, cpu.state.seg(CS, SEG.LIMIT));
    setRealCode(cpu, to.selector);
    return cpu.jump(to.offset);
  }
  const d = target(cpu, to.selector);
  if (isCode(d)) {
    checkCode(cpu, d);
    checkOffset(to.offset, d.limit);
    setCodeSegment(cpu, d, cpu.state.cpl);
    return cpu.jump(to.offset);
  }
  const gate = readGate(cpu, d);
  const dpl = gate.code.attr >> 5 & 3;
  if (!(gate.code.attr & 4) && dpl !== cpu.state.cpl) {
    throw Fault.of(GP, gate.code.selector & 0xfffc);
  }
  checkOffset(gate.offset, gate.code.limit);
  setCodeSegment(cpu, gate.code, cpu.state.cpl);
  cpu.jump(gate.offset);
}

function call(cpu: Cpu, insn: Insn, to: FarPointer): void {
  const { state } = cpu;
  const size = insn.operandSize;
  const back = [state.selector(CS), insn.next];
  if (!isProtected(cpu)) {
    const top = writeBelow(cpu, size, back);
    checkOffset(to.offset, state.seg(CS, SEG.LIMIT));
    setStackPointer(cpu, top);
    setRealCode(cpu, to.selector);
    return cpu.jump(to.offset);
  }
  const d = target(cpu, to.selector);
  if (isCode(d)) {
    checkCode(cpu, d);
    const top = writeBelow(cpu, size, back);
    checkOffset(to.offset, d.limit);
    setStackPointer(cpu, top);
    setCodeSegment(cpu, d, state.cpl);
    return cpu.jump(to.offset);
  }
  callGate(cpu, readGate(cpu, d), back);
}

function callGate(cpu: Cpu, gate: Gate, back: readonly number[]): void {
  const { state } = cpu;
  const size = gate.wide ? 4 : 2;
  const dpl = gate.code.attr >> 5 & 3;
  const inner = !(gate.code.attr & 4) && dpl < state.cpl;
  checkOffset(gate.offset, gate.code.limit);
  if (!inner) {
    pushAll(cpu, size, back);
    setCodeSegment(cpu, gate.code, state.cpl);
    return cpu.jump(gate.offset);
  }
  const parameters: number[] = [];
  for (let n = gate.parameters - 1; n >= 0; n--) parameters.push(peek(cpu, n, size));
  const stack = innerStack(cpu, dpl, 0);
  const words = [state.selector(SS), state.regs[ESP]!, ...parameters, ...back];
  pushOnto(cpu, innerStackSegment(cpu, stack.selector, dpl, 0), stack.esp, dpl, size, words);
  setCodeSegment(cpu, gate.code, dpl);
  cpu.jump(gate.offset);
}

/** RETF, with or without parameters to release. */
export function retFar(cpu: Cpu, insn: Insn): void {
  const { state } = cpu;
  const size = insn.operandSize;
  const offset = peek(cpu, 0, size) >>> 0;
  const selector = peek(cpu, 1, size) & 0xffff;
  const release = insn.operands.length ? insn.imm : 0;
  const top = state.regs[ESP]! + 2 * size + release;
  if (!isProtected(cpu)) {
    checkOffset(offset, state.seg(CS, SEG.LIMIT));
    setRealCode(cpu, selector);
    setStackPointer(cpu, top);
    return cpu.jump(offset);
  }
  const d = returnTarget(cpu, selector);
  if ((selector & 3) > state.cpl) return returnOuter(cpu, insn, d, offset, release, 2);
  checkOffset(offset, d.limit);
  setStackPointer(cpu, top);
  setCodeSegment(cpu, d, state.cpl);
  cpu.jump(offset);
}

function returnTarget(cpu: Cpu, selector: number): Descriptor {
  const d = target(cpu, selector);
  const code = selector & 0xfffc;
  const rpl = selector & 3;
  const dpl = d.attr >> 5 & 3;
  const fits = (d.attr & 4) !== 0 ? dpl <= rpl : dpl === rpl;
  if (!isCode(d) || rpl < cpu.state.cpl || !fits) throw Fault.of(GP, code);
  if (!(d.attr & 0x80)) throw Fault.of(NP, code);
  return d;
}

/** Return to an outer ring: ESP and SS follow on the stack, at word `at` after `release` bytes. */
function returnOuter(
  cpu: Cpu,
  insn: Insn,
  d: Descriptor,
  offset: number,
  release: number,
  at: number,
): void {
  const { state } = cpu;
  const size = insn.operandSize;
  const mask = stackMask(cpu);
  const word = (n: number): number =>
    cpu.read(SS, ((state.regs[ESP]! + release + n * size) & mask) >>> 0, size) >>> 0;
  const esp = word(at);
  const rpl = d.selector & 3;
  const stack = checkedStack(cpu, word(at + 1) & 0xffff, rpl, GP);
  checkOffset(offset, d.limit);
  setCodeSegment(cpu, d, rpl);
  setStackSegment(cpu, stack);
  setStackPointer(cpu, esp + release);
  dropInnerSegments(cpu);
  cpu.jump(offset);
}

/** IRET. */
export function iret(cpu: Cpu, insn: Insn): void {
  const { state } = cpu;
  const size = insn.operandSize;
  if (isProtected(cpu) && state.flag(FLAG.NT)) cpu.notModelled("IRET to the previous task");
  const offset = peek(cpu, 0, size) >>> 0;
  const selector = peek(cpu, 1, size) & 0xffff;
  const flags = peek(cpu, 2, size);
  if (!isProtected(cpu)) {
    if (state.flag(FLAG.VM)) cpu.notModelled("IRET in virtual-8086 mode");
    checkOffset(offset, state.seg(CS, SEG.LIMIT));
    setRealCode(cpu, selector);
    setStackPointer(cpu, state.regs[ESP]! + 3 * size);
    setFlags(cpu, flags, size);
    return cpu.jump(offset);
  }
  if (size === 4 && flags & FLAG.VM && state.cpl === 0) {
    cpu.notModelled("entering virtual-8086 mode");
  }
  const d = returnTarget(cpu, selector);
  if ((selector & 3) > state.cpl) {
    const before = state.cpl;
    returnOuter(cpu, insn, d, offset, 0, 3);
    const now = state.cpl;
    // IOPL and IF are those the inner ring was allowed to set.
    state.set(AT.CPL, before);
    setFlags(cpu, flags, size);
    state.set(AT.CPL, now);
    return;
  }
  checkOffset(offset, d.limit);
  setStackPointer(cpu, state.regs[ESP]! + 3 * size);
  setFlags(cpu, flags, size);
  setCodeSegment(cpu, d, state.cpl);
  cpu.jump(offset);
}
