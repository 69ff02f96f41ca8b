/**
 * How exceptions are raised, and how the CPU enters the handler of an exception or interrupt:
 * through the vector table of real mode, or through a gate of the IDT.
 * Source: Intel SDM vol. 3, §6.10–6.13, §20.3 (virtual-8086).
 * @module
 */

import { Entry } from "./cached.ts";
import type { Cpu } from "./cpu.ts";
import { DR6, noteDebug } from "./debug.ts";
import { Fault, hasErrorCode, makesDouble, VECTOR } from "./fault.ts";
import { readInnerStack } from "./inner_stack.ts";
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
} from "./descriptor.ts";
import { dropDataSegments, setCodeSegment, setRealSegment, setStackSegment } from "./segment.ts";
import { Frame, pushAll, setStackPointer, writeInner } from "./stack.ts";
import { rememberCode } from "./same_ring.ts";
import { AT, CR0, CS, DS, ES, ESP, FLAG, FS, GS, SS } from "./state.ts";
import { readTask, switchTask } from "./task.ts";

const { CR: AT_CR, IDT_BASE, IDT_LIMIT } = AT;
const { AC, IF, NT, RF, TF, VM } = FLAG;
const { PE: CR0_PE } = CR0;
const { DB, DF, GP, NP } = VECTOR;

/** Where an event comes from; software ones are checked against the gate's DPL. */
export type EventSource = "exception" | "software" | "external";

/** Types of gates that the IDT may hold, as bits. */
const GATES = 1 << TYPE.TASK_GATE | 1 << TYPE.INTERRUPT_GATE16 | 1 << TYPE.TRAP_GATE16 |
  1 << TYPE.INTERRUPT_GATE32 | 1 << TYPE.TRAP_GATE32;
/** Type bits of the 32-bit gates, and of those that leave IF alone. */
const WIDE = 8, TRAP = 1;

/** Flags that no handler begins with. */
const CLEARED = TF | NT | RF | VM;

/** What stands in the IDT entry at hand. */
const gate = { selector: 0, offset: 0, type: 0 };
const entry = new Entry();
const code = new Descriptor();
const stack = new Descriptor();
const frame = new Frame();

/** Exceptions in a row that reach no handler: those of #AC on the handler's own stack never end. */
const MAX_CHAIN = 8;

/**
 * Raises an exception at the current EIP, with the rules for a second one during delivery.
 * After a third, or when they would go on for ever, the CPU shuts down.
 */
export function raise(cpu: Cpu, vector: number, code: number): void {
  for (let chain = 0;; chain++) {
    cpu.traceException(vector, code);
    const second = failedDelivery(cpu, vector, code);
    if (!second) return;
    const double = makesDouble(vector, second.vector);
    if (double || vector === DF) cpu.onException(second.vector, second.code);
    if (vector === DF || chain === MAX_CHAIN) return cpu.shutDown();
    vector = double ? DF : second.vector;
    code = double ? 0 : second.code;
  }
}

/** Delivers an exception. @returns the one that came of it, if it has not reached its handler */
function failedDelivery(cpu: Cpu, vector: number, code: number): Fault | undefined {
  try {
    deliver(cpu, vector, code, "exception", cpu.state.eip);
    return undefined;
  } catch (second) {
    if (second instanceof Fault) return second;
    throw second;
  }
}

/**
 * Enters the handler of a vector; a CPU that has halted goes on there.
 * @param errorCode pushed where the vector has one and the source is an exception
 * @param eip return address
 * @throws {Fault} of the delivery itself; then the stack pointer and CS:EIP are as before
 */
export function deliver(
  cpu: Cpu,
  vector: number,
  errorCode: number,
  source: EventSource,
  eip: number,
): void {
  if (!(cpu.state.get(AT_CR) & CR0_PE)) {
    deliverReal(cpu, vector, eip);
  } else {
    try {
      deliverProtected(cpu, vector, errorCode, source, eip);
    } catch (error) {
      if (error instanceof Fault && source !== "software") error.markExternal();
      throw error;
    }
  }
  cpu.noTrap = true;
  cpu.halted = false;
}

function deliverReal(cpu: Cpu, vector: number, eip: number): void {
  const { state, mmu } = cpu;
  if (vector * 4 + 3 > state.get(IDT_LIMIT)) throw Fault.of(GP, 0);
  const target = mmu.systemRead(state.get(IDT_BASE) + vector * 4, 4);
  const flags = state.eflags;
  pushAll(cpu, 2, frame.clear().add(flags).add(state.selector(CS)).add(eip));
  state.eflags = flags & ~(IF | TF | AC | RF);
  setRealSegment(cpu, CS, target >>> 16);
  cpu.jump(target & 0xffff);
}

function deliverProtected(
  cpu: Cpu,
  vector: number,
  errorCode: number,
  source: EventSource,
  eip: number,
): void {
  const { state } = cpu;
  const isException = source === "exception";
  const pushed = isException && hasErrorCode(vector) ? errorCode : undefined;
  // A fault's image has RF set, so that the instruction can be gone on with.
  const resume = isException && vector !== DB ? RF : 0;
  // Generated code has tried software ones itself.
  const usual = source !== "software" && pushed === undefined;
  if (usual && cpu.sameRing.enter(vector, eip, 0, resume)) return cpu.jump(state.eip);
  readGate(cpu, vector, source);
  if (gate.type === TYPE.TASK_GATE) return enterTask(cpu, resume, eip, pushed);
  frame.clear();
  checkHandler(cpu);
  const inner = !isConforming(code) && dplOf(code) < state.cpl;
  if (inner) addStack(cpu);
  frame.add(state.eflags | resume).add(state.selector(CS)).add(eip);
  if (pushed !== undefined) frame.add(pushed);
  if (inner) enterInner(cpu);
  else enterSame(cpu);
}

/** Reads and checks the entry of the IDT. */
function readGate(cpu: Cpu, vector: number, source: EventSource): void {
  const { state } = cpu;
  const error = vector * 8 + 2;
  if (vector * 8 + 7 > state.get(IDT_LIMIT)) throw Fault.of(GP, error);
  const at = state.get(IDT_BASE) + vector * 8;
  entry.read(cpu, at);
  const { low, high } = entry;
  const type = high >>> 8 & 0x1f;
  if (!(GATES >>> type & 1)) throw Fault.of(GP, error);
  if (source === "software" && (high >>> 13 & 3) < state.cpl) throw Fault.of(GP, error);
  if (!(high & 0x8000)) throw Fault.of(NP, error);
  gate.selector = low >>> 16;
  gate.offset = (low & 0xffff) | (type & WIDE ? high & 0xffff0000 : 0);
  gate.type = type;
}

/** Reads and checks the code segment that the gate leads to. */
function checkHandler(cpu: Cpu): void {
  const { state } = cpu;
  if (isNull(gate.selector)) throw Fault.of(GP, 0);
  readDescriptor(cpu, gate.selector, GP, code);
  const error = gate.selector & 0xfffc;
  const dpl = dplOf(code);
  if (!isCode(code) || dpl > state.cpl) throw Fault.of(GP, error);
  if (!isPresent(code)) throw Fault.of(NP, error);
  // Only ring 0 can return to virtual-8086 mode.
  if (state.flag(VM) && (dpl !== 0 || isConforming(code))) throw Fault.of(GP, error);
}

/** SS ESP; from virtual-8086 mode the data segments too. */
function addStack(cpu: Cpu): void {
  const { state } = cpu;
  if (state.flag(VM)) {
    for (const segment of [GS, FS, DS, ES]) frame.add(state.selector(segment));
  }
  frame.add(state.selector(SS)).add(state.regs[ESP]!);
}

function enterSame(cpu: Cpu): void {
  checkOffset(code.limit);
  markAccessed(cpu, code);
  pushAll(cpu, wordSize(), frame);
  enterHandler(cpu, cpu.state.cpl);
  rememberCode(cpu);
}

function enterInner(cpu: Cpu): void {
  const dpl = dplOf(code);
  const esp = readInnerStack(cpu, dpl, stack);
  checkOffset(code.limit);
  const top = writeInner(cpu, stack, esp, wordSize(), frame);
  markAccessed(cpu, code);
  markAccessed(cpu, stack);
  const fromV86 = cpu.state.flag(VM);
  enterHandler(cpu, dpl);
  setStackSegment(cpu, stack);
  setStackPointer(cpu, top);
  if (fromV86) dropDataSegments(cpu);
}

function checkOffset(limit: number): void {
  if (gate.offset >>> 0 > limit >>> 0) throw Fault.of(GP, 0);
}

function wordSize(): 2 | 4 {
  return gate.type & WIDE ? 4 : 2;
}

function enterHandler(cpu: Cpu, cpl: number): void {
  clearFlags(cpu);
  setCodeSegment(cpu, code, cpl);
  cpu.jump(gate.offset);
}

function clearFlags({ state }: Cpu): void {
  state.setFlag(gate.type & TRAP ? CLEARED : CLEARED | IF, false);
}

/** The gate's TSS runs the handler; the interrupted task waits for its IRET. */
function enterTask(cpu: Cpu, resume: number, eip: number, errorCode: number | undefined): void {
  const task = readTask(cpu, gate.selector, GP);
  taskSwitched(cpu, switchTask(cpu, task, { kind: "call", eip, resume, errorCode }));
}

/**
 * Ends a task switch.
 * @param trap the T bit of the new task's TSS asks for #DB
 */
export function taskSwitched(cpu: Cpu, trap: boolean): void {
  if (!trap) return;
  noteDebug(cpu.state, DR6.BT);
  raise(cpu, DB, 0);
}
