/**
 * IRET: to the same ring, an outer ring, virtual-8086 mode, the previous task.
 * Source: Intel SDM vol. 2, IRET; vol. 3 §20.2.
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { taskSwitched } from "./deliver.ts";
import { ALL_FLAGS, checkIopl, setFlags } from "./eflags.ts";
import { checkOffset, readReturn, returnOuter } from "./far.ts";
import type { Insn } from "./insn.ts";
import { isProtected } from "./operand.ts";
import { Descriptor } from "./descriptor.ts";
import { setCodeSegment, setRealSegment, setV86Segment, updateMode } from "./segment.ts";
import { rememberCode } from "./same_ring.ts";
import { Frame, peekAll, setStackPointer } from "./stack.ts";
import { AT, CS, DS, ES, ESP, FLAG, FS, GS, SEG, SS } from "./state.ts";
import { returnToTask } from "./task.ts";

const { CPL } = AT;
const { LIMIT: SEG_LIMIT } = SEG;
const { NT, RF, VM } = FLAG;

const code = new Descriptor();
const frame = new Frame();

/** EIP, CS and EFLAGS, from the top of the stack up. */
const EIP = 0, SELECTOR = 1, EFLAGS = 2;
const WORDS = 3;

/**
 * IRET: where to depends on NT, on VM in the image, and on the selector's RPL. NMIs are let in
 * again even by one that faults.
 */
export function iret(cpu: Cpu, insn: Insn): void {
  const { state } = cpu;
  const size = insn.operandSize;
  cpu.unblockNmi();
  if (!isProtected(cpu)) return iretReal(cpu, size);
  if (state.flag(NT)) return taskSwitched(cpu, returnToTask(cpu));
  peekAll(cpu, WORDS, size, frame);
  const flags = frame.at(EFLAGS);
  if (size === 4 && flags & VM && state.cpl === 0) return enterV86(cpu);
  const offset = frame.at(EIP);
  const selector = frame.at(SELECTOR) & 0xffff;
  readReturn(cpu, selector, code);
  const { cpl } = state;
  if ((selector & 3) > cpl) {
    returnOuter(cpu, code, offset, WORDS * size, size);
    return setFlags(cpu, flags, size, cpl, RF);
  }
  checkOffset(offset, code.limit);
  setCodeSegment(cpu, code, cpl);
  rememberCode(cpu);
  setStackPointer(cpu, state.regs[ESP]! + WORDS * size);
  setFlags(cpu, flags, size, state.cpl, RF);
  cpu.jump(offset);
}

function iretReal(cpu: Cpu, size: 2 | 4): void {
  const { state } = cpu;
  const v86 = state.flag(VM);
  if (v86) checkIopl(cpu);
  peekAll(cpu, WORDS, size, frame);
  const offset = frame.at(EIP);
  // In virtual-8086 mode nothing checks EIP before the next fetch does.
  if (!v86) checkOffset(offset, state.seg(CS, SEG_LIMIT));
  setRealSegment(cpu, CS, frame.at(SELECTOR) & 0xffff);
  cpu.jump(offset);
  setStackPointer(cpu, state.regs[ESP]! + WORDS * size);
  setFlags(cpu, frame.at(EFLAGS), size, state.cpl, RF);
}

/** Words above EFLAGS in the frame of virtual-8086 mode: ESP, then these segments. */
const V86_SEGMENTS = [SS, ES, DS, FS, GS];

function enterV86(cpu: Cpu): void {
  const { state } = cpu;
  peekAll(cpu, WORDS + 1 + V86_SEGMENTS.length, 4, frame);
  state.eflags = frame.at(EFLAGS) & ALL_FLAGS;
  state.set(CPL, 3);
  setV86Segment(cpu, CS, frame.at(SELECTOR) & 0xffff);
  V86_SEGMENTS.forEach((segment, n) => {
    setV86Segment(cpu, segment, frame.at(WORDS + 1 + n) & 0xffff);
  });
  updateMode(cpu);
  state.regs[ESP] = frame.at(WORDS);
  cpu.jump(frame.at(EIP) & 0xffff);
}
