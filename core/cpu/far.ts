/**
 * Far transfers: JMP, CALL and RET between segments, rings and tasks. Source: Intel SDM vol. 2 and
 * vol. 3 ch. 5. IRET: iret.ts.
 * @module
 */

import { Entry } from "./cached.ts";
import type { Cpu } from "./cpu.ts";
import { taskSwitched } from "./deliver.ts";
import { Fault, VECTOR } from "./fault.ts";
import { readInnerStack } from "./inner_stack.ts";
import type { Insn, SystemOp } from "./insn.ts";
import { effectiveAddress, isProtected, maskAddress } from "./operand.ts";
import {
  Descriptor,
  dplOf,
  isCode,
  isConforming,
  isNull,
  isPresent,
  markAccessed,
  readDescriptor,
  TYPE,
  typeOf,
} from "./descriptor.ts";
import {
  dropInnerSegments,
  readStack,
  setCodeSegment,
  setRealSegment,
  setStackSegment,
} from "./segment.ts";
import { Frame, peek, peekAll, pushAll, setStackPointer, writeBelow, writeInner } from "./stack.ts";
import { CS, ESP, SEG, SS } from "./state.ts";
import { readTask, switchTask } from "./task.ts";

const { LIMIT: SEG_LIMIT } = SEG;
const { GP, NP } = VECTOR;

/** What a selector in an instruction, a gate or a frame leads to. */
const code = new Descriptor();
const entry = new Entry();
const stack = new Descriptor();
const frame = new Frame();
/** The call gate at hand. */
const gate = { offset: 0, wide: false, parameters: 0 };

/** A direct or indirect far transfer. */
type Transfer = (cpu: Cpu, insn: Insn, selector: number, offset: number) => void;

const immediate = (to: Transfer) => (cpu: Cpu, insn: Insn): void =>
  to(cpu, insn, insn.imm2, insn.imm >>> 0);

const indirect = (to: Transfer) => (cpu: Cpu, insn: Insn): void => {
  const at = effectiveAddress(cpu, insn);
  const size = insn.operandSize;
  const offset = cpu.read(insn.segment, at, size) >>> 0;
  to(cpu, insn, cpu.read(insn.segment, maskAddress(at + size, insn), 2), offset);
};

/** @throws {Fault} #GP(0) for an EIP beyond the code segment */
export function checkOffset(offset: number, limit: number): void {
  if (offset >>> 0 > limit >>> 0) throw Fault.of(GP, 0);
}

/** CS:EIP in real and virtual-8086 mode. */
function jumpReal(cpu: Cpu, selector: number, offset: number): void {
  checkOffset(offset, cpu.state.seg(CS, SEG_LIMIT));
  setRealSegment(cpu, CS, selector);
  cpu.jump(offset);
}

// ---- JMP and CALL -------------------------------------------------------------------------------

/** JMP ptr16:16 and ptr16:32. */
export const jmpFar: SystemOp = immediate(jump);
/** JMP m16:16 and m16:32. */
export const jmpFarIndirect: SystemOp = indirect(jump);
/** CALL ptr16:16 and ptr16:32. */
export const callFar: SystemOp = immediate(call);
/** CALL m16:16 and m16:32. */
export const callFarIndirect: SystemOp = indirect(call);

function jump(cpu: Cpu, _insn: Insn, selector: number, offset: number): void {
  if (!isProtected(cpu)) return jumpReal(cpu, selector, offset);
  readTarget(cpu, selector);
  if (isCode(code)) {
    checkCode(cpu);
    return enterCode(cpu, offset);
  }
  if (isTask(code)) return enterTask(cpu, "jump");
  readGate(cpu);
  if (!isConforming(code) && dplOf(code) !== cpu.state.cpl) {
    throw Fault.of(GP, code.selector & 0xfffc);
  }
  enterCode(cpu, gate.offset);
}

function call(cpu: Cpu, insn: Insn, selector: number, offset: number): void {
  const { state } = cpu;
  frame.clear().add(state.selector(CS)).add(insn.next);
  const size = insn.operandSize;
  if (!isProtected(cpu)) {
    const top = writeBelow(cpu, size, frame);
    jumpReal(cpu, selector, offset);
    return setStackPointer(cpu, top);
  }
  readTarget(cpu, selector);
  if (isCode(code)) {
    checkCode(cpu);
    const top = writeBelow(cpu, size, frame);
    enterCode(cpu, offset);
    return setStackPointer(cpu, top);
  }
  if (isTask(code)) return enterTask(cpu, "call");
  readGate(cpu);
  checkOffset(gate.offset, code.limit);
  if (!isConforming(code) && dplOf(code) < state.cpl) return callInner(cpu);
  markAccessed(cpu, code);
  pushAll(cpu, gate.wide ? 4 : 2, frame);
  enterCode(cpu, gate.offset);
}

/** CALL through a gate to an inner ring: its parameters are copied to the inner stack. */
function callInner(cpu: Cpu): void {
  const { state } = cpu;
  const size = gate.wide ? 4 : 2;
  const dpl = dplOf(code);
  const esp = readInnerStack(cpu, dpl, stack);
  const [cs, next] = [frame.at(0), frame.at(1)];
  frame.clear().add(state.selector(SS)).add(state.regs[ESP]!);
  for (let n = gate.parameters - 1; n >= 0; n--) frame.add(peek(cpu, n, size));
  frame.add(cs).add(next);
  const top = writeInner(cpu, stack, esp, size, frame);
  markAccessed(cpu, code);
  markAccessed(cpu, stack);
  setCodeSegment(cpu, code, dpl);
  setStackSegment(cpu, stack);
  setStackPointer(cpu, top);
  cpu.jump(gate.offset);
}

function enterCode(cpu: Cpu, offset: number): void {
  checkOffset(offset, code.limit);
  setCodeSegment(cpu, code, cpu.state.cpl);
  cpu.jump(offset);
}

function readTarget(cpu: Cpu, selector: number): void {
  if (isNull(selector)) throw Fault.of(GP, 0);
  readDescriptor(cpu, selector, GP, code);
}

/** A code descriptor that a direct far transfer may enter at the current privilege. */
function checkCode(cpu: Cpu): void {
  const { cpl } = cpu.state;
  const dpl = dplOf(code);
  const allowed = isConforming(code) ? dpl <= cpl : (code.selector & 3) <= cpl && dpl === cpl;
  if (!allowed) throw Fault.of(GP, code.selector & 0xfffc);
  checkPresent();
}

/** A TSS that can be switched to, or a task gate. */
function isTask(d: Descriptor): boolean {
  const type = typeOf(d);
  return type === TYPE.TSS16 || type === TYPE.TSS32 || type === TYPE.TASK_GATE;
}

/** @throws {Fault} #GP unless CPL and RPL may use the gate or TSS in `code` */
function checkRights(cpu: Cpu): void {
  const dpl = dplOf(code);
  const allowed = dpl >= cpu.state.cpl && dpl >= (code.selector & 3);
  if (!allowed) throw Fault.of(GP, code.selector & 0xfffc);
}

function checkPresent(): void {
  if (!isPresent(code)) throw Fault.of(NP, code.selector & 0xfffc);
}

function enterTask(cpu: Cpu, kind: "jump" | "call"): void {
  checkRights(cpu);
  let { selector } = code;
  if (typeOf(code) === TYPE.TASK_GATE) {
    checkPresent();
    selector = cpu.mmu.systemRead(code.at + 2, 2);
  }
  const task = readTask(cpu, selector, GP);
  taskSwitched(cpu, switchTask(cpu, task, { kind, eip: cpu.nextEip }));
}

/** Replaces the call gate in `code` by the code segment that it leads to. */
function readGate(cpu: Cpu): void {
  const error = code.selector & 0xfffc;
  const type = typeOf(code);
  if (type !== TYPE.CALL_GATE16 && type !== TYPE.CALL_GATE32) throw Fault.of(GP, error);
  checkRights(cpu);
  checkPresent();
  entry.read(cpu, code.at);
  const { low, high } = entry;
  gate.wide = type === TYPE.CALL_GATE32;
  gate.offset = (low & 0xffff) | (gate.wide ? high & 0xffff0000 : 0);
  gate.parameters = high & 31;
  readTarget(cpu, low >>> 16);
  if (!isCode(code) || dplOf(code) > cpu.state.cpl) throw Fault.of(GP, code.selector & 0xfffc);
  checkPresent();
}

// ---- RET ----------------------------------------------------------------------------------------

/** RETF, with or without parameters to release. */
export function retFar(cpu: Cpu, insn: Insn): void {
  const { state } = cpu;
  const size = insn.operandSize;
  peekAll(cpu, 2, size, frame);
  const offset = frame.at(0);
  const selector = frame.at(1) & 0xffff;
  const release = insn.operands.length ? insn.imm : 0;
  const top = state.regs[ESP]! + 2 * size + release;
  if (!isProtected(cpu)) {
    jumpReal(cpu, selector, offset);
    return setStackPointer(cpu, top);
  }
  readReturn(cpu, selector, code);
  if ((selector & 3) > state.cpl) {
    returnOuter(cpu, code, offset, 2 * size + release, size);
    return setStackPointer(cpu, state.regs[ESP]! + release);
  }
  enterCode(cpu, offset);
  setStackPointer(cpu, top);
}

/** Reads and checks the code segment that RET and IRET return to. */
export function readReturn(cpu: Cpu, selector: number, into: Descriptor): void {
  if (isNull(selector)) throw Fault.of(GP, 0);
  const d = readDescriptor(cpu, selector, GP, into);
  const error = selector & 0xfffc;
  const rpl = selector & 3;
  const fits = isConforming(d) ? dplOf(d) <= rpl : dplOf(d) === rpl;
  if (!isCode(d) || rpl < cpu.state.cpl || !fits) throw Fault.of(GP, error);
  if (!isPresent(d)) throw Fault.of(NP, error);
}

/**
 * Return to an outer ring: ESP and SS lie `skipped` bytes above the top of the stack.
 * @param to its code segment
 */
export function returnOuter(
  cpu: Cpu,
  to: Descriptor,
  offset: number,
  skipped: number,
  size: 2 | 4,
): void {
  const rpl = to.selector & 3;
  peekAll(cpu, 2, size, frame, skipped);
  const esp = frame.at(0);
  readStack(cpu, frame.at(1) & 0xffff, rpl, GP, stack);
  checkOffset(offset, to.limit);
  markAccessed(cpu, to);
  setStackSegment(cpu, stack);
  setCodeSegment(cpu, to, rpl);
  setStackPointer(cpu, esp);
  dropInnerSegments(cpu);
  cpu.jump(offset);
}
