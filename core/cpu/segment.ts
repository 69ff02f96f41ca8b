/**
 * Segment registers and descriptors. Source: Intel SDM vol. 3, ch. 3 and 5.
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { Fault, VECTOR } from "./fault.ts";
import { AT, CR0, CS, DS, ES, FLAG, LDTR, MODE, NULL_ATTR, SEG, SS, TLB } from "./state.ts";
import type { CpuState } from "./state.ts";

/** A descriptor, unpacked. `attr` as in {@link SEG}; `at` is the linear address it was read from. */
export interface Descriptor {
  readonly selector: number;
  readonly base: number;
  readonly limit: number;
  readonly attr: number;
  readonly at: number;
}

const ACCESSED = 1;
const BIG = 1 << 14;

/**
 * Reads a selector's descriptor.
 * @param vector fault when it lies outside its table
 * @param ext EXT bit of the error code
 */
export function readDescriptor(
  cpu: Cpu,
  selector: number,
  vector: number,
  ext: number = 0,
): Descriptor {
  const { state, mmu } = cpu;
  const local = (selector & 4) !== 0;
  const base = local ? state.seg(LDTR, SEG.BASE) : state.get(AT.GDT_BASE);
  const limit = local ? state.seg(LDTR, SEG.LIMIT) : state.get(AT.GDT_LIMIT);
  const absent = local && state.seg(LDTR, SEG.ATTR) === NULL_ATTR;
  if (absent || (selector & 0xfff8) + 7 > limit >>> 0) {
    throw Fault.of(vector, (selector & 0xfffc) | ext);
  }
  const at = (base + (selector & 0xfff8)) >>> 0;
  return unpack(selector, mmu.systemRead(at, 4), mmu.systemRead(at + 4, 4), at);
}

function unpack(selector: number, low: number, high: number, at: number): Descriptor {
  const raw = (low & 0xffff) | (high & 0xf0000);
  return {
    selector,
    base: (low >>> 16 | (high & 0xff) << 16 | (high & 0xff000000)) >>> 0,
    limit: high & 1 << 23 ? (raw << 12 | 0xfff) >>> 0 : raw,
    attr: high >>> 8 & 0xf0ff,
    at,
  };
}

/** Sets the accessed bit in memory, as a load does. */
function markAccessed(cpu: Cpu, d: Descriptor): Descriptor {
  if (d.attr & ACCESSED || !(d.attr & 0x10)) return d;
  cpu.mmu.systemWrite(d.at + 5, 1, (d.attr | ACCESSED) & 0xff);
  return { ...d, attr: d.attr | ACCESSED };
}

/** Loads the hidden part of a segment register and what depends on it. */
export function setSegment(cpu: Cpu, segment: number, d: Descriptor): void {
  const { state } = cpu;
  const usable = d.attr !== NULL_ATTR;
  const code = (d.attr & 0x18) === 0x18;
  const real = !(state.get(AT.CR) & CR0.PE) || state.flag(FLAG.VM);
  const expandDown = !code && (d.attr & 4) !== 0;
  const top = d.attr & BIG ? 0xffffffff : 0xffff;
  const low = expandDown ? d.limit + 1 : 0;
  const readable = !code || (d.attr & 2) !== 0;
  const writable = !code && (d.attr & 2) !== 0;
  state.setSeg(segment, SEG.SELECTOR, d.selector);
  state.setSeg(segment, SEG.BASE, d.base);
  state.setSeg(segment, SEG.LIMIT, d.limit);
  state.setSeg(segment, SEG.ATTR, d.attr);
  state.setSeg(segment, SEG.LOW, low);
  state.setSeg(segment, SEG.SPAN, expandDown ? top - low : d.limit);
  const empty = expandDown && low > top;
  const rights = real ? 3 : (readable ? 1 : 0) | (writable ? 2 : 0);
  state.setSeg(segment, SEG.RIGHTS, empty || !usable ? 0 : rights);
  updateMode(cpu);
}

function setNull(cpu: Cpu, segment: number, selector: number): void {
  setSegment(cpu, segment, { selector, base: 0, limit: 0, attr: NULL_ATTR, at: 0 });
}

/** Recomputes the key of what decoded code depends on, and the TLB bank. */
export function updateMode(cpu: Cpu): void {
  const { state } = cpu;
  const v86 = state.flag(FLAG.VM);
  let mode = 0;
  if (!v86 && state.seg(CS, SEG.ATTR) & BIG) mode |= MODE.CODE32;
  if (!v86 && state.seg(SS, SEG.ATTR) & BIG) mode |= MODE.STACK32;
  if (isFlat(state)) mode |= MODE.FLAT;
  else mode |= cpu.codeSegmentId() << MODE.CS_SHIFT;
  const strict = state.flag(FLAG.AC) && (state.get(AT.CR) & CR0.AM) !== 0;
  const bank = state.cpl !== 3 ? 0 : strict ? 2 : 1;
  state.set(AT.MODE, mode | bank << MODE.BANK_SHIFT);
  state.set(AT.BANK, TLB.BASE + bank * TLB.BANK_BYTES);
}

function isFlat(state: CpuState): boolean {
  for (const segment of [ES, SS, DS]) {
    if (state.seg(segment, SEG.RIGHTS) !== 3 || !coversAll(state, segment)) return false;
  }
  return coversAll(state, CS);
}

function coversAll(state: CpuState, segment: number): boolean {
  return state.seg(segment, SEG.BASE) === 0 && state.seg(segment, SEG.LOW) === 0 &&
    state.seg(segment, SEG.SPAN) === -1;
}

/** Loads a segment register other than CS, as MOV and POP do. */
export function loadSegment(cpu: Cpu, segment: number, selector: number): void {
  const { state } = cpu;
  if (!(state.get(AT.CR) & CR0.PE) || state.flag(FLAG.VM)) {
    const limit = state.flag(FLAG.VM) ? 0xffff : state.seg(segment, SEG.LIMIT);
    const kept = state.seg(segment, SEG.ATTR);
    const attr = kept === NULL_ATTR || state.flag(FLAG.VM) ? 0x93 : kept;
    return setSegment(cpu, segment, { selector, base: selector << 4, limit, attr, at: 0 });
  }
  if (segment === SS) return loadStackSegment(cpu, selector);
  if (!(selector & 0xfffc)) return setNull(cpu, segment, selector);
  const code = selector & 0xfffc;
  const d = readDescriptor(cpu, selector, VECTOR.GP);
  const type = d.attr & 0x1f;
  const isCode = (type & 0x18) === 0x18;
  const readable = (type & 0x10) !== 0 && (!isCode || (type & 2) !== 0);
  const conforming = isCode && (type & 4) !== 0;
  const dpl = d.attr >> 5 & 3;
  if (!readable || (!conforming && dpl < Math.max(selector & 3, state.cpl))) {
    throw Fault.of(VECTOR.GP, code);
  }
  if (!(d.attr & 0x80)) throw Fault.of(VECTOR.NP, code);
  setSegment(cpu, segment, markAccessed(cpu, d));
}

function loadStackSegment(cpu: Cpu, selector: number): void {
  const { state } = cpu;
  if (!(selector & 0xfffc)) throw Fault.of(VECTOR.GP, 0);
  setSegment(cpu, SS, checkedStack(cpu, selector, state.cpl, VECTOR.GP));
}

/** The stack segment for privilege `cpl`, checked and marked accessed. */
export function checkedStack(cpu: Cpu, selector: number, cpl: number, vector: number): Descriptor {
  const code = selector & 0xfffc;
  if (!code) throw Fault.of(vector, 0);
  const d = readDescriptor(cpu, selector, vector);
  const writableData = (d.attr & 0x1a) === 0x12;
  if ((selector & 3) !== cpl || !writableData || (d.attr >> 5 & 3) !== cpl) {
    throw Fault.of(vector, code);
  }
  if (!(d.attr & 0x80)) throw Fault.of(VECTOR.SS, code);
  return markAccessed(cpu, d);
}

/** Loads a stack segment that {@link checkedStack} or an inner-ring check has passed. */
export function setStackSegment(cpu: Cpu, d: Descriptor): void {
  setSegment(cpu, SS, markAccessed(cpu, d));
}

/** Loads CS with a checked code descriptor and changes the privilege level. */
export function setCodeSegment(cpu: Cpu, d: Descriptor, cpl: number): void {
  cpu.state.set(AT.CPL, cpl);
  const marked = markAccessed(cpu, d);
  setSegment(cpu, CS, { ...marked, selector: (d.selector & 0xfffc) | cpl });
}

/** After a return to an outer ring: data segments that it may not use become null. */
export function dropInnerSegments(cpu: Cpu): void {
  const { state } = cpu;
  for (const segment of [ES, DS, 4, 5]) {
    const attr = state.seg(segment, SEG.ATTR);
    const conforming = (attr & 0x1c) === 0x1c;
    if (attr !== NULL_ATTR && !conforming && (attr >> 5 & 3) < state.cpl) setNull(cpu, segment, 0);
  }
}

/** Loads a system segment register (LDTR, TR) from a checked descriptor. */
export function setSystemSegment(cpu: Cpu, segment: number, d: Descriptor): void {
  const { state } = cpu;
  state.setSeg(segment, SEG.SELECTOR, d.selector);
  state.setSeg(segment, SEG.BASE, d.base);
  state.setSeg(segment, SEG.LIMIT, d.limit);
  state.setSeg(segment, SEG.ATTR, d.attr);
}
