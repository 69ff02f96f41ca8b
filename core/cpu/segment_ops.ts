/**
 * Instructions that load segment registers and question selectors.
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { Fault, VECTOR } from "./fault.ts";
import { type Insn, KIND, type SystemOp } from "./insn.ts";
import {
  effectiveAddress,
  maskAddress,
  privileged,
  protectedOnly,
  readOperand,
  writeOperand,
} from "./operand.ts";
import {
  BUSY,
  Descriptor,
  dplOf,
  isConforming,
  isInTable,
  isNull,
  isPresent,
  isReadable,
  isWritableData,
  readDescriptor,
  TYPE,
  typeOf,
} from "./descriptor.ts";
import { loadSegment as load, setNullLdt, setSystemSegment } from "./segment.ts";
import { peek, setStackPointer, stackMask } from "./stack.ts";
import { CS, ESP, FLAG, LDTR, SS, TR } from "./state.ts";

const { GP, NP, UD } = VECTOR;

const scratch = new Descriptor();

/** After MOV SS and POP SS the next instruction may set ESP undisturbed. */
function holdEvents(cpu: Cpu): void {
  cpu.shadow = true;
  cpu.noTrap = true;
}

/** POP SS: two bytes are read of a slot of the operand size, and released by the old SS. */
export function popStackSegment(cpu: Cpu, insn: Insn): void {
  const mask = stackMask(cpu);
  const selector = peek(cpu, 0, 2);
  load(cpu, SS, selector);
  setStackPointer(cpu, cpu.state.regs[ESP]! + insn.operandSize, mask);
  holdEvents(cpu);
}

/** MOV SS, r/m; there is no MOV to CS. */
export function loadSegment(cpu: Cpu, insn: Insn): void {
  if (insn.operands[0]!.reg === CS) throw Fault.of(UD, 0);
  load(cpu, SS, readOperand(cpu, insn, 1));
  holdEvents(cpu);
}

/** LES, LDS, LSS, LFS, LGS. */
export function loadFarPointer(segment: number): SystemOp {
  return (cpu, insn) => {
    const at = effectiveAddress(cpu, insn);
    const size = insn.operandSize;
    const offset = cpu.read(insn.segment, at, size);
    const selector = cpu.read(insn.segment, maskAddress(at + size, insn), 2);
    load(cpu, segment, selector);
    writeOperand(cpu, insn, 0, offset);
  };
}

/** SLDT, STR. */
export function storeSelector(segment: number): SystemOp {
  return (cpu, insn) => {
    protectedOnly(cpu);
    const memory = insn.operands[0]!.kind === KIND.MEM;
    writeOperand(cpu, insn, 0, cpu.state.selector(segment), memory ? 2 : insn.operandSize);
  };
}

/** Reads a descriptor of the GDT that must be of one of the types given. */
function readSystem(cpu: Cpu, selector: number, ...types: readonly number[]): Descriptor {
  const code = selector & 0xfffc;
  if (selector & 4) throw Fault.of(GP, code);
  readDescriptor(cpu, selector, GP, scratch);
  if (!types.includes(typeOf(scratch))) throw Fault.of(GP, code);
  if (!isPresent(scratch)) throw Fault.of(NP, code);
  return scratch;
}

/** LLDT; a null selector makes the LDT unusable. */
export function lldt(cpu: Cpu, insn: Insn): void {
  protectedOnly(cpu);
  privileged(cpu);
  const selector = readOperand(cpu, insn, 0);
  if (isNull(selector)) setNullLdt(cpu, selector);
  else setSystemSegment(cpu, LDTR, readSystem(cpu, selector, TYPE.LDT));
}

/** LTR marks the task busy. */
export function ltr(cpu: Cpu, insn: Insn): void {
  protectedOnly(cpu);
  privileged(cpu);
  const selector = readOperand(cpu, insn, 0);
  if (isNull(selector)) throw Fault.of(GP, 0);
  const task = readSystem(cpu, selector, TYPE.TSS16, TYPE.TSS32);
  task.attr |= BUSY;
  cpu.mmu.systemWrite(task.at + 5, 1, task.attr & 0xff);
  setSystemSegment(cpu, TR, task);
}

function setZero(cpu: Cpu, on: boolean): void {
  const flags = cpu.state.eflags & ~FLAG.ZF;
  cpu.state.eflags = on ? flags | FLAG.ZF : flags;
}

/** The descriptor behind a selector, or undefined where LAR, LSL, VERR and VERW say "no". */
function visible(cpu: Cpu, selector: number): Descriptor | undefined {
  if (isNull(selector) || !isInTable(cpu.state, selector)) return undefined;
  const d = readDescriptor(cpu, selector, GP, scratch);
  return isConforming(d) || dplOf(d) >= Math.max(cpu.state.cpl, selector & 3) ? d : undefined;
}

const LAR_SYSTEM = [1, 2, 3, 4, 5, 9, 11, 12];
const LSL_SYSTEM = [1, 2, 3, 9, 11];

function query(types: readonly number[], value: (d: Descriptor) => number): SystemOp {
  return (cpu, insn) => {
    protectedOnly(cpu);
    const d = visible(cpu, readOperand(cpu, insn, 1));
    const valid = d !== undefined && ((d.attr & 0x10) !== 0 || types.includes(typeOf(d)));
    if (valid) writeOperand(cpu, insn, 0, value(d));
    setZero(cpu, valid);
  };
}

/** LAR: type, DPL, present, AVL, D/B and G, where the descriptor has them. */
export const lar: SystemOp = query(LAR_SYSTEM, (d) => (d.attr & 0xf0ff) << 8);
/** LSL: the limit in bytes. */
export const lsl: SystemOp = query(LSL_SYSTEM, (d) => d.limit);

/** VERR, VERW. */
export function verify(write: boolean): SystemOp {
  return (cpu, insn) => {
    protectedOnly(cpu);
    const d = visible(cpu, readOperand(cpu, insn, 0));
    setZero(cpu, d !== undefined && (write ? isWritableData(d) : isReadable(d)));
  };
}

/** ARPL raises a selector's RPL to that of another one. */
export function arpl(cpu: Cpu, insn: Insn): void {
  protectedOnly(cpu);
  const selector = readOperand(cpu, insn, 0);
  const rpl = readOperand(cpu, insn, 1) & 3;
  const raise = (selector & 3) < rpl;
  if (raise) writeOperand(cpu, insn, 0, (selector & ~3) | rpl);
  setZero(cpu, raise);
}
