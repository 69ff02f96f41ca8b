/**
 * Exceptions and interrupts: how they are raised and how the CPU enters a handler.
 * Source: Intel SDM vol. 3, ch. 6.
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { type Descriptor, readDescriptor, setCodeSegment, setSegment } from "./segment.ts";
import { pushAll, pushOnto } from "./stack.ts";
import { AT, CR0, CS, ESP, FLAG, SEG, SS, TR } from "./state.ts";

/** Exception vectors by their mnemonics. */
export const VECTOR = {
  DE: 0,
  DB: 1,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  XM: 19,
} as const;

/** Vectors that push an error code. */
const WITH_CODE = 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17;
/** Vectors that make a double fault out of a second one. */
const CONTRIBUTORY = 1 << 0 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13;

/** A guest exception on its way to its handler. There is one object: it is never kept. */
export class Fault {
  static readonly #one = new Fault();
  vector = 0;
  code = 0;

  /** @param code error code, ignored by vectors that have none */
  static of(vector: number, code: number): Fault {
    Fault.#one.vector = vector;
    Fault.#one.code = code;
    return Fault.#one;
  }
}

/** Where an event comes from; software ones are checked against the gate's DPL. */
export type EventSource = "exception" | "software" | "external";

/**
 * Raises an exception at the current EIP, with the rules for a second one during delivery.
 * After a third the CPU shuts down.
 */
export function raise(cpu: Cpu, vector: number, code: number): void {
  cpu.traceException(vector, code);
  try {
    deliver(cpu, vector, code, "exception", cpu.state.eip);
  } catch (second) {
    if (!(second instanceof Fault)) throw second;
    const { vector: next, code: nextCode } = second;
    if (vector === VECTOR.DF) {
      cpu.onException(next, nextCode);
      return cpu.shutDown();
    }
    const bad = (v: number): boolean => (CONTRIBUTORY >> v & 1) === 1;
    const double = (bad(vector) && bad(next)) ||
      (vector === VECTOR.PF && (next === VECTOR.PF || bad(next)));
    if (!double) return raise(cpu, next, nextCode);
    cpu.onException(next, nextCode);
    raise(cpu, VECTOR.DF, 0);
  }
}

/**
 * Enters the handler of a vector.
 * @param code error code, pushed where the vector has one and the source is an exception
 * @param eip return address
 * @throws {Fault} of the delivery itself; then the stack pointer and CS:EIP are as before
 */
export function deliver(
  cpu: Cpu,
  vector: number,
  code: number,
  source: EventSource,
  eip: number,
): void {
  if (cpu.state.get(AT.CR) & CR0.PE) deliverProtected(cpu, vector, code, source, eip);
  else deliverReal(cpu, vector, source, eip);
  cpu.noTrap = true;
}

function deliverReal(cpu: Cpu, vector: number, source: EventSource, eip: number): void {
  const { state, mmu } = cpu;
  if (vector * 4 + 3 > state.get(AT.IDT_LIMIT)) throw Fault.of(VECTOR.GP, external(source));
  const entry = state.get(AT.IDT_BASE) + vector * 4;
  const target = mmu.systemRead(entry, 4);
  const flags = state.eflags;
  pushAll(cpu, 2, [flags, state.selector(CS), eip]);
  state.eflags = flags & ~(FLAG.IF | FLAG.TF | FLAG.AC | FLAG.RF);
  setSegment(cpu, CS, realCode(cpu, target >>> 16));
  cpu.jump(target & 0xffff);
}

function realCode(cpu: Cpu, selector: number): Descriptor {
  const { state } = cpu;
  return {
    selector,
    base: selector << 4,
    limit: state.seg(CS, SEG.LIMIT),
    attr: state.seg(CS, SEG.ATTR),
    at: 0,
  };
}

const external = (source: EventSource): number => source === "software" ? 0 : 1;

interface Gate {
  readonly selector: number;
  readonly offset: number;
  /** Descriptor bits 40–47. */
  readonly access: number;
}

function readGate(cpu: Cpu, vector: number, source: EventSource): Gate {
  const { state, mmu } = cpu;
  const code = vector * 8 + 2 + external(source);
  if (vector * 8 + 7 > state.get(AT.IDT_LIMIT)) throw Fault.of(VECTOR.GP, code);
  const at = state.get(AT.IDT_BASE) + vector * 8;
  const low = mmu.systemRead(at, 4);
  const high = mmu.systemRead(at + 4, 4);
  const access = high >>> 8 & 0xff;
  const type = access & 0x1f;
  if (type !== 5 && type !== 6 && type !== 7 && type !== 14 && type !== 15) {
    throw Fault.of(VECTOR.GP, code);
  }
  if (source === "software" && (access >> 5 & 3) < state.cpl) throw Fault.of(VECTOR.GP, code);
  if (!(access & 0x80)) throw Fault.of(VECTOR.NP, code);
  const wide = type >= 14;
  return {
    selector: low >>> 16,
    offset: (low & 0xffff) | (wide ? high & 0xffff0000 : 0),
    access,
  };
}

function deliverProtected(
  cpu: Cpu,
  vector: number,
  code: number,
  source: EventSource,
  eip: number,
): void {
  const gate = readGate(cpu, vector, source);
  const type = gate.access & 0x1f;
  if (type === 5) return cpu.notModelled("task gate in the IDT");
  const ext = external(source);
  if (!(gate.selector & 0xfffc)) throw Fault.of(VECTOR.GP, ext);
  const target = readDescriptor(cpu, gate.selector, VECTOR.GP, ext);
  const access = target.attr;
  const dpl = access >> 5 & 3;
  const selectorCode = (gate.selector & 0xfffc) | ext;
  if ((access & 0x18) !== 0x18 || dpl > cpu.state.cpl) throw Fault.of(VECTOR.GP, selectorCode);
  if (!(access & 0x80)) throw Fault.of(VECTOR.NP, selectorCode);
  const conforming = (access & 4) !== 0;
  const hasCode = source === "exception" && (WITH_CODE >> vector & 1) === 1;
  const isFault = source === "exception" && vector !== VECTOR.DB;
  const frame = returnFrame(cpu, eip, isFault, hasCode ? code : undefined);
  const size = type >= 14 ? 4 : 2;
  if (!conforming && dpl < cpu.state.cpl) enterInner(cpu, gate, target, dpl, size, frame, ext);
  else enterSame(cpu, gate, target, size, frame);
}

/** EFLAGS CS EIP [code]. A fault's image has RF set, so that the instruction can be gone on with. */
function returnFrame(cpu: Cpu, eip: number, isFault: boolean, code: number | undefined): number[] {
  const { state } = cpu;
  const frame = [state.eflags | (isFault ? FLAG.RF : 0), state.selector(CS), eip];
  if (code !== undefined) frame.push(code);
  return frame;
}

function commit(cpu: Cpu, gate: Gate, target: Descriptor, cpl: number): void {
  const { state } = cpu;
  const type = gate.access & 0x1f;
  state.setFlag(FLAG.TF | FLAG.NT | FLAG.RF | FLAG.VM, false);
  if (type === 6 || type === 14) state.setFlag(FLAG.IF, false);
  setCodeSegment(cpu, target, cpl);
  cpu.jump(gate.offset);
}

function enterSame(
  cpu: Cpu,
  gate: Gate,
  target: Descriptor,
  size: 2 | 4,
  frame: readonly number[],
): void {
  if (gate.offset >>> 0 > target.limit >>> 0) throw Fault.of(VECTOR.GP, 0);
  pushAll(cpu, size, frame);
  commit(cpu, gate, target, cpu.state.cpl);
}

/**
 * Stack of an inner ring, from the current TSS.
 * @param ext EXT bit of the error code
 */
export function innerStack(cpu: Cpu, dpl: number, ext: number): { selector: number; esp: number } {
  const { state, mmu } = cpu;
  const wide = (state.seg(TR, SEG.ATTR) & 8) !== 0;
  const at = wide ? 4 + dpl * 8 : 2 + dpl * 4;
  const code = (state.selector(TR) & 0xfffc) | ext;
  if (at + (wide ? 7 : 3) > state.seg(TR, SEG.LIMIT) >>> 0) throw Fault.of(VECTOR.TS, code);
  const base = state.segmentBase(TR);
  return {
    esp: mmu.systemRead(base + at, wide ? 4 : 2),
    selector: mmu.systemRead(base + at + (wide ? 4 : 2), 2),
  };
}

function enterInner(
  cpu: Cpu,
  gate: Gate,
  target: Descriptor,
  dpl: number,
  size: 2 | 4,
  frame: readonly number[],
  ext: number,
): void {
  const { state } = cpu;
  const inner = innerStack(cpu, dpl, ext);
  const stack = innerStackSegment(cpu, inner.selector, dpl, ext);
  if (gate.offset >>> 0 > target.limit >>> 0) throw Fault.of(VECTOR.GP, 0);
  const fromV86 = state.flag(FLAG.VM);
  if (fromV86) return cpu.notModelled("leaving virtual-8086 mode");
  const words = [state.selector(SS), state.regs[ESP]!, ...frame];
  pushOnto(cpu, stack, inner.esp, dpl, size, words);
  commit(cpu, gate, target, dpl);
}

/** Checks a stack segment for a ring that is being entered. */
export function innerStackSegment(
  cpu: Cpu,
  selector: number,
  dpl: number,
  ext: number,
): Descriptor {
  const code = (selector & 0xfffc) | ext;
  if (!(selector & 0xfffc)) throw Fault.of(VECTOR.TS, ext);
  const stack = readDescriptor(cpu, selector, VECTOR.TS, ext);
  const writableData = (stack.attr & 0x1a) === 0x12;
  if ((selector & 3) !== dpl || (stack.attr >> 5 & 3) !== dpl || !writableData) {
    throw Fault.of(VECTOR.TS, code);
  }
  if (!(stack.attr & 0x80)) throw Fault.of(VECTOR.SS, code);
  return stack;
}
