/**
 * Hardware task switches. Source: Intel SDM vol. 3, ch. 7; the order of its steps decides which
 * task an exception belongs to.
 * @module
 */

import { setCr3 } from "./control.ts";
import type { Cpu } from "./cpu.ts";
import { ALL_FLAGS } from "./eflags.ts";
import { Fault, VECTOR } from "./fault.ts";
import {
  BUSY,
  Descriptor,
  dplOf,
  isCode,
  isConforming,
  isNull,
  isPresent,
  isWritableData,
  markAccessed,
  readDescriptor,
  TYPE,
  typeOf,
} from "./descriptor.ts";
import {
  checkData,
  setCodeSegment,
  setNull,
  setNullLdt,
  setSegment,
  setStackSegment,
  setSystemSegment,
  setV86Segment,
  updateMode,
} from "./segment.ts";
import { push } from "./stack.ts";
import { AT, CR0, CS, DS, ES, FLAG, FS, GS, LDTR, SEG, SS, TR } from "./state.ts";

const { NP, TS } = VECTOR;

/** Where the fields of a TSS lie. */
interface Layout {
  readonly size: 2 | 4;
  readonly eip: number;
  readonly eflags: number;
  /** EAX ECX EDX EBX ESP EBP ESI EDI, `size` bytes each. */
  readonly regs: number;
  /** ES CS SS DS FS GS, a selector in `size` bytes each. */
  readonly segments: number;
  readonly segmentCount: 4 | 6;
  readonly ldt: number;
  /** Last byte that a switch to the task needs, and that one from it writes. */
  readonly last: number;
  readonly lastSaved: number;
}

const TSS16: Layout = {
  size: 2,
  eip: 14,
  eflags: 16,
  regs: 18,
  segments: 34,
  segmentCount: 4,
  ldt: 42,
  last: 0x2b,
  lastSaved: 0x29,
};
const TSS32: Layout = {
  size: 4,
  eip: 0x20,
  eflags: 0x24,
  regs: 0x28,
  segments: 0x48,
  segmentCount: 6,
  ldt: 0x60,
  last: 0x67,
  lastSaved: 0x5f,
};
/** Both layouts begin with the selector of the task to return to. */
const LINK = 0;
/** Fields of the 32-bit TSS only. */
const CR3 = 0x1c, TRAP = 0x64;

/** DR7's local enable bits. */
const LOCAL_BREAKPOINTS = 0x155;

const layoutOf = (attr: number): Layout => attr & 8 ? TSS32 : TSS16;

/** What leads to another task. */
export interface TaskSwitch {
  /** `call`: also an interrupt; the old task stays busy and waits. `return`: IRET. */
  readonly kind: "jump" | "call" | "return";
  /** Where the old task goes on. */
  readonly eip: number;
  /** FLAG.RF if the old task repeats an instruction that faulted, else 0. */
  readonly resume?: number;
  /** Pushed on the new task's stack. */
  readonly errorCode?: number | undefined;
}

/** A new task's state, read before any of it is loaded. */
interface Task {
  readonly cr3: number;
  readonly eip: number;
  readonly eflags: number;
  readonly regs: readonly number[];
  /** ES CS SS DS FS GS. */
  readonly selectors: readonly number[];
  readonly ldt: number;
  readonly trap: boolean;
}

/**
 * Reads the descriptor of a task to switch to.
 * @param vector fault unless it is a TSS in the GDT
 * @param busy BUSY for the task that IRET returns to
 */
export function readTask(cpu: Cpu, selector: number, vector: number, busy: number = 0): Descriptor {
  const error = selector & 0xfffc;
  if (selector & 4) throw Fault.of(vector, error);
  const d = readDescriptor(cpu, selector, vector);
  const type = typeOf(d);
  if (type !== (TYPE.TSS16 | busy) && type !== (TYPE.TSS32 | busy)) throw Fault.of(vector, error);
  if (!isPresent(d)) throw Fault.of(NP, error);
  return d;
}

/** IRET with NT: back to the task that the running TSS names. */
export function returnToTask(cpu: Cpu): boolean {
  const link = cpu.mmu.systemRead(cpu.state.segmentBase(TR) + LINK, 2);
  const task = readTask(cpu, link, TS, BUSY);
  return switchTask(cpu, task, { kind: "return", eip: cpu.nextEip });
}

/**
 * Switches to a task whose descriptor has passed {@link readTask}.
 * @returns true if the new TSS asks for a debug trap
 * @throws {Fault} with the old task running until its state has been saved, then with the new one
 */
export function switchTask(cpu: Cpu, to: Descriptor, by: TaskSwitch): boolean {
  const layout = layoutOf(to.attr);
  if (to.limit >>> 0 < layout.last) throw Fault.of(TS, to.selector & 0xfffc);
  checkPages(cpu, to, layout, by);
  const nested = by.kind === "call";
  const { state, mmu } = cpu;
  if (!nested) markBusy(cpu, state.selector(TR), false);
  saveTask(cpu, by);
  const task = readState(cpu, to.base, layout);
  if (by.kind !== "return") markBusy(cpu, to.selector, true);
  if (nested) mmu.systemWrite(to.base + LINK, 2, state.selector(TR));
  setSystemSegment(cpu, TR, { ...to, attr: to.attr | BUSY });
  state.set(AT.CR, state.get(AT.CR) | CR0.TS);
  state.set(AT.DR + 28, state.get(AT.DR + 28) & ~LOCAL_BREAKPOINTS);
  loadRegisters(cpu, task, nested);
  if (layout === TSS32 && state.get(AT.CR) & CR0.PG) setCr3(cpu, task.cr3);
  loadLdt(cpu, task.ldt);
  loadSegments(cpu, task);
  if (by.errorCode !== undefined) push(cpu, layout.size, by.errorCode);
  if (task.eip > state.seg(CS, SEG.LIMIT) >>> 0) throw Fault.of(VECTOR.GP, 0);
  return task.trap;
}

/** Faults now for what saving and loading will touch: then the old task goes on unharmed. */
function checkPages(cpu: Cpu, to: Descriptor, layout: Layout, by: TaskSwitch): void {
  const { state } = cpu;
  const from = state.segmentBase(TR);
  touch(cpu, from);
  touch(cpu, from + layoutOf(state.seg(TR, SEG.ATTR)).lastSaved);
  cpu.mmu.systemRead(to.base, 1);
  cpu.mmu.systemRead(to.base + layout.last, 1);
  if (by.kind === "call") {
    touch(cpu, to.base + LINK);
    touch(cpu, to.base + LINK + 1);
  }
}

/** A write that changes nothing. */
function touch(cpu: Cpu, linear: number): void {
  cpu.mmu.systemWrite(linear, 1, cpu.mmu.systemRead(linear, 1));
}

function markBusy(cpu: Cpu, selector: number, busy: boolean): void {
  const { state, mmu } = cpu;
  const at = state.get(AT.GDT_BASE) + (selector & 0xfff8) + 5;
  const access = mmu.systemRead(at, 1);
  mmu.systemWrite(at, 1, busy ? access | BUSY : access & ~BUSY);
}

/** Writes the running task's state to its TSS. */
function saveTask(cpu: Cpu, by: TaskSwitch): void {
  const { state, mmu } = cpu;
  const base = state.segmentBase(TR);
  const layout = layoutOf(state.seg(TR, SEG.ATTR));
  const { size } = layout;
  const flags = state.eflags | (by.resume ?? 0);
  mmu.systemWrite(base + layout.eip, size, by.eip);
  mmu.systemWrite(base + layout.eflags, size, by.kind === "return" ? flags & ~FLAG.NT : flags);
  state.regs.forEach((value, n) => mmu.systemWrite(base + layout.regs + n * size, size, value));
  for (let segment = 0; segment < layout.segmentCount; segment++) {
    mmu.systemWrite(base + layout.segments + segment * size, 2, state.selector(segment));
  }
}

function readState(cpu: Cpu, base: number, layout: Layout): Task {
  const { mmu } = cpu;
  const { size, segmentCount } = layout;
  const wide = layout === TSS32;
  const word = (at: number): number => mmu.systemRead(base + at, size);
  const selector = (n: number): number => mmu.systemRead(base + layout.segments + n * size, 2);
  return {
    cr3: wide ? word(CR3) : 0,
    eip: word(layout.eip),
    eflags: word(layout.eflags),
    // A 16-bit TSS leaves the upper halves undefined; processors set them.
    regs: Array.from({ length: 8 }, (_, n) => word(layout.regs + n * size) | (wide ? 0 : -0x10000)),
    selectors: Array.from({ length: 6 }, (_, n) => n < segmentCount ? selector(n) : 0),
    ldt: mmu.systemRead(base + layout.ldt, 2),
    trap: wide && (mmu.systemRead(base + TRAP, 2) & 1) !== 0,
  };
}

/** Registers and bare selectors: from here on every exception is the new task's. */
function loadRegisters(cpu: Cpu, task: Task, nested: boolean): void {
  const { state } = cpu;
  state.regs.set(task.regs);
  state.eflags = (task.eflags & ALL_FLAGS) | (nested ? FLAG.NT : 0);
  cpu.jump(task.eip);
  task.selectors.forEach((selector, segment) => setNull(cpu, segment, selector));
  // The least privilege, until CS is known: a handler in ring 0 then gets a stack of its own.
  state.set(AT.CPL, 3);
  updateMode(cpu);
}

function loadLdt(cpu: Cpu, selector: number): void {
  setNullLdt(cpu, selector);
  if (selector & 4) throw Fault.of(TS, selector & 0xfffc);
  if (isNull(selector)) return;
  const d = readDescriptor(cpu, selector, TS);
  if (typeOf(d) !== TYPE.LDT || !isPresent(d)) throw Fault.of(TS, selector & 0xfffc);
  setSystemSegment(cpu, LDTR, d);
}

function loadSegments(cpu: Cpu, task: Task): void {
  const { selectors } = task;
  if (cpu.state.flag(FLAG.VM)) {
    return selectors.forEach((selector, segment) => setV86Segment(cpu, segment, selector));
  }
  const cpl = selectors[CS]! & 3;
  loadStack(cpu, selectors[SS]!, cpl);
  cpu.state.set(AT.CPL, cpl);
  updateMode(cpu);
  for (const segment of [DS, ES, FS, GS]) loadData(cpu, segment, selectors[segment]!, cpl);
  loadCode(cpu, selectors[CS]!, cpl);
}

const scratch = new Descriptor();

/** Unlike elsewhere, a segment of the wrong privilege that is absent too counts as absent. */
function loadStack(cpu: Cpu, selector: number, cpl: number): void {
  const error = selector & 0xfffc;
  if (isNull(selector)) throw Fault.of(TS, 0);
  const d = readDescriptor(cpu, selector, TS, scratch);
  if (!isWritableData(d)) throw Fault.of(TS, error);
  if (!isPresent(d)) throw Fault.of(VECTOR.SS, error);
  if (dplOf(d) !== cpl || (selector & 3) !== cpl) throw Fault.of(TS, error);
  setStackSegment(cpu, d);
}

function loadData(cpu: Cpu, segment: number, selector: number, cpl: number): void {
  if (isNull(selector)) return;
  readDescriptor(cpu, selector, TS, scratch);
  checkData(scratch, cpl, TS);
  markAccessed(cpu, scratch);
  setSegment(cpu, segment, scratch);
}

function loadCode(cpu: Cpu, selector: number, cpl: number): void {
  const error = selector & 0xfffc;
  if (isNull(selector)) throw Fault.of(TS, 0);
  const d = readDescriptor(cpu, selector, TS, scratch);
  const fits = isConforming(d) ? dplOf(d) <= cpl : dplOf(d) === cpl;
  if (!isCode(d) || !fits) throw Fault.of(TS, error);
  if (!isPresent(d)) throw Fault.of(NP, error);
  setCodeSegment(cpu, d, cpl);
}
