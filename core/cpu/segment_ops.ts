/**
 * Instructions that load, store and question segment registers and selectors.
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
  type Descriptor,
  loadSegment as load,
  readDescriptor,
  setSystemSegment,
} from "./segment.ts";
import { peek, setStackPointer, stackMask } from "./stack.ts";
import { AT, CS, ESP, LDTR, NULL_ATTR, SEG, SS, TR } from "./state.ts";

const { GP, NP, UD } = VECTOR;

/** PUSH Sreg writes two bytes of a four-byte slot, as processors do. */
export function pushSegment(segment: number): SystemOp {
  return (cpu, insn) => {
    const { state } = cpu;
    const top = (state.regs[ESP]! - insn.operandSize) >>> 0;
    cpu.write(SS, (top & stackMask(cpu)) >>> 0, 2, state.selector(segment));
    setStackPointer(cpu, top);
  };
}

/** After MOV SS and POP SS the next instruction may set ESP undisturbed. */
function holdEvents(cpu: Cpu): void {
  cpu.shadow = true;
  cpu.noTrap = true;
}

export function popSegment(segment: number): SystemOp {
  return (cpu, insn) => {
    const mask = stackMask(cpu);
    const selector = peek(cpu, 0, 2);
    load(cpu, segment, selector);
    setStackPointer(cpu, cpu.state.regs[ESP]! + insn.operandSize, mask);
    if (segment === SS) holdEvents(cpu);
  };
}

/** MOV r/m, Sreg: memory gets 16 bits, a 32-bit register is zero-extended. */
export function readSegment(cpu: Cpu, insn: Insn): void {
  const memory = insn.operands[0]!.kind === KIND.MEM;
  const selector = cpu.state.selector(insn.operands[1]!.reg);
  writeOperand(cpu, insn, 0, selector, memory ? 2 : insn.operandSize);
}

export function loadSegment(cpu: Cpu, insn: Insn): void {
  const segment = insn.operands[0]!.reg;
  if (segment === CS) throw Fault.of(UD, 0);
  load(cpu, segment, readOperand(cpu, insn, 1));
  if (segment === SS) holdEvents(cpu);
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

/** A descriptor in the GDT of one of the system types given. */
function systemDescriptor(cpu: Cpu, selector: number, types: readonly number[]): Descriptor {
  const code = selector & 0xfffc;
  if (selector & 4) throw Fault.of(GP, code);
  const d = readDescriptor(cpu, selector, GP);
  if (!types.includes(d.attr & 0x1f)) throw Fault.of(GP, code);
  if (!(d.attr & 0x80)) throw Fault.of(NP, code);
  return d;
}

export function lldt(cpu: Cpu, insn: Insn): void {
  protectedOnly(cpu);
  privileged(cpu);
  const selector = readOperand(cpu, insn, 0);
  if (selector & 0xfffc) {
    setSystemSegment(cpu, LDTR, systemDescriptor(cpu, selector, [2]));
  } else {
    setSystemSegment(cpu, LDTR, { selector, base: 0, limit: 0, attr: NULL_ATTR, at: 0 });
  }
}

/** LTR marks the task busy. */
export function ltr(cpu: Cpu, insn: Insn): void {
  protectedOnly(cpu);
  privileged(cpu);
  const selector = readOperand(cpu, insn, 0);
  if (!(selector & 0xfffc)) throw Fault.of(GP, 0);
  const d = systemDescriptor(cpu, selector, [1, 9]);
  const attr = d.attr | 2;
  cpu.mmu.systemWrite(d.at + 5, 1, attr & 0xff);
  setSystemSegment(cpu, TR, { ...d, attr });
}

function setZero(cpu: Cpu, on: boolean): void {
  const flags = cpu.state.eflags & ~0x40;
  cpu.state.eflags = on ? flags | 0x40 : flags;
}

/** The descriptor behind a selector, or undefined where LAR, LSL, VERR and VERW say "no". */
function visible(cpu: Cpu, selector: number): Descriptor | undefined {
  if (!(selector & 0xfffc)) return undefined;
  const { state } = cpu;
  const local = (selector & 4) !== 0;
  const limit = local ? state.seg(LDTR, SEG.LIMIT) : state.get(AT.GDT_LIMIT);
  if (local && state.seg(LDTR, SEG.ATTR) === NULL_ATTR) return undefined;
  if ((selector & 0xfff8) + 7 > limit >>> 0) return undefined;
  const d = readDescriptor(cpu, selector, GP);
  const conforming = (d.attr & 0x1c) === 0x1c;
  const dpl = d.attr >> 5 & 3;
  return conforming || dpl >= Math.max(state.cpl, selector & 3) ? d : undefined;
}

const LAR_SYSTEM = [1, 2, 3, 4, 5, 9, 11, 12];
const LSL_SYSTEM = [1, 2, 3, 9, 11];

function query(types: readonly number[], value: (d: Descriptor) => number): SystemOp {
  return (cpu, insn) => {
    protectedOnly(cpu);
    const d = visible(cpu, readOperand(cpu, insn, 1));
    const valid = d !== undefined && ((d.attr & 0x10) !== 0 || types.includes(d.attr & 0x1f));
    if (valid) writeOperand(cpu, insn, 0, value(d));
    setZero(cpu, valid);
  };
}

export const lar: SystemOp = query(LAR_SYSTEM, (d) => (d.attr & 0xf0ff) << 8);
export const lsl: SystemOp = query(LSL_SYSTEM, (d) => d.limit);

/** VERR, VERW. */
export function verify(write: boolean): SystemOp {
  return (cpu, insn) => {
    protectedOnly(cpu);
    const d = visible(cpu, readOperand(cpu, insn, 0));
    const code = d !== undefined && (d.attr & 8) !== 0;
    const readable = d !== undefined && (!code || (d.attr & 2) !== 0);
    const writable = d !== undefined && !code && (d.attr & 2) !== 0;
    setZero(cpu, d !== undefined && (d.attr & 0x10) !== 0 && (write ? writable : readable));
  };
}

export function arpl(cpu: Cpu, insn: Insn): void {
  protectedOnly(cpu);
  const selector = readOperand(cpu, insn, 0);
  const rpl = readOperand(cpu, insn, 1) & 3;
  const raise = (selector & 3) < rpl;
  if (raise) writeOperand(cpu, insn, 0, (selector & ~3) | rpl);
  setZero(cpu, raise);
}
