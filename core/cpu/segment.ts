/**
 * Segment registers: how they are loaded, and what follows from what they hold.
 * Source: Intel SDM vol. 3, ch. 3 and 5.
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { isArmed } from "./debug.ts";
import {
  Descriptor,
  dplOf,
  isConforming,
  isNull,
  isPresent,
  isReadable,
  isWritableData,
  markAccessed,
  readDescriptor,
} from "./descriptor.ts";
import { Fault, VECTOR } from "./fault.ts";
import { AT, CR0, CS, DS, ES, FLAG, FS, GS, LDTR, MODE, NULL_ATTR, SEG, SS, TLB } from "./state.ts";
import type { CpuState } from "./state.ts";

const { BANK, CPL, CR: AT_CR, MODE: AT_MODE, SEGS } = AT;
const {
  ATTR: SEG_ATTR,
  BASE: SEG_BASE,
  LIMIT: SEG_LIMIT,
  LOW: SEG_LOW,
  RIGHTS: SEG_RIGHTS,
  SELECTOR: SEG_SELECTOR,
  SPAN: SEG_SPAN,
  STRIDE: SEG_STRIDE,
} = SEG;
const { AC, VM } = FLAG;
const { BANK_BYTES: TLB_BANK_BYTES, BASE: TLB_BASE } = TLB;
const {
  BANK_SHIFT: MODE_BANK_SHIFT,
  CODE32: MODE_CODE32,
  CS_SHIFT: MODE_CS_SHIFT,
  FLAT: MODE_FLAT,
  STACK32: MODE_STACK32,
} = MODE;
const { AM: CR0_AM, PE: CR0_PE } = CR0;
const { GP, NP, SS: VECTOR_SS } = VECTOR;

const BIG = 1 << 14;
/** Every data segment, and CS, of virtual-8086 mode: writable, accessed, DPL 3. */
const V86_ATTR = 0xf3;

/** Loads the hidden part of a segment register and what depends on it. */
export function setSegment(cpu: Cpu, segment: number, d: Descriptor): void {
  const { state } = cpu;
  const rights = rightsOf(state, d.attr);
  if (isLoaded(state, segment, d) && state.seg(segment, SEG_RIGHTS) === rights) return;
  state.setSeg(segment, SEG_SELECTOR, d.selector);
  const expandDown = (d.attr & 0xc) === 4;
  const limit = d.limit >>> 0;
  const top = d.attr & BIG ? 0xffffffff : 0xffff;
  const low = expandDown ? limit + 1 : 0;
  state.setSeg(segment, SEG_BASE, d.base);
  state.setSeg(segment, SEG_LIMIT, limit);
  state.setSeg(segment, SEG_ATTR, d.attr);
  state.setSeg(segment, SEG_LOW, low);
  state.setSeg(segment, SEG_SPAN, expandDown ? top - low : limit);
  state.setSeg(segment, SEG_RIGHTS, low > top ? 0 : rights);
  updateMode(cpu);
}

/** As `SEG.RIGHTS`: anything usable in real and virtual-8086 mode; code is never writable. */
function rightsOf(state: CpuState, attr: number): number {
  if (attr === NULL_ATTR) return 0;
  if (!(state.get(AT_CR) & CR0_PE) || state.flag(VM)) return 3;
  const bit1 = attr >> 1 & 1;
  return attr & 8 ? bit1 : 1 | bit1 << 1;
}

function isLoaded({ words }: CpuState, segment: number, d: Descriptor): boolean {
  const at = (SEGS + segment * SEG_STRIDE) >> 2;
  return words[at + (SEG_SELECTOR >> 2)] === d.selector && words[at + (SEG_BASE >> 2)] === d.base &&
    words[at + (SEG_LIMIT >> 2)] === d.limit && words[at + (SEG_ATTR >> 2)] === d.attr;
}

const scratch: Descriptor = new Descriptor();

/** Makes a segment register unusable. */
export function setNull(cpu: Cpu, segment: number, selector: number): void {
  setPlain(cpu, segment, selector, 0, 0, NULL_ATTR);
}

function setPlain(
  cpu: Cpu,
  segment: number,
  selector: number,
  base: number,
  limit: number,
  attr: number,
): void {
  scratch.selector = selector;
  scratch.base = base;
  scratch.limit = limit;
  scratch.attr = attr;
  setSegment(cpu, segment, scratch);
}

/** Recomputes the key of what decoded code depends on, and the TLB bank. */
export function updateMode(cpu: Cpu): void {
  const { state } = cpu;
  let mode = 0;
  if (state.seg(CS, SEG_ATTR) & BIG) mode |= MODE_CODE32;
  if (state.seg(SS, SEG_ATTR) & BIG) mode |= MODE_STACK32;
  if (isFlat(state)) mode |= MODE_FLAT;
  else mode |= cpu.codeSegmentId() << MODE_CS_SHIFT;
  const user = state.cpl === 3;
  const aligned = user && state.flag(AC) && (state.get(AT_CR) & CR0_AM) !== 0;
  const bank = aligned || isArmed(state) ? 2 : user ? 1 : 0;
  state.set(AT_MODE, mode | bank << MODE_BANK_SHIFT);
  state.set(BANK, TLB_BASE + bank * TLB_BANK_BYTES);
}

function isFlat(state: CpuState): boolean {
  return isFlatData(state, ES) && isFlatData(state, SS) && isFlatData(state, DS) &&
    coversAll(state, CS);
}

function isFlatData(state: CpuState, segment: number): boolean {
  return state.seg(segment, SEG_RIGHTS) === 3 && coversAll(state, segment);
}

function coversAll(state: CpuState, segment: number): boolean {
  return state.seg(segment, SEG_BASE) === 0 && state.seg(segment, SEG_LOW) === 0 &&
    state.seg(segment, SEG_SPAN) === -1;
}

// ---- loading -----------------------------------------------------------------------------------

/** Loads a segment register other than CS, as MOV and POP do. */
export function loadSegment(cpu: Cpu, segment: number, selector: number): void {
  const { state } = cpu;
  if (state.flag(VM)) return setV86Segment(cpu, segment, selector);
  if (!(state.get(AT_CR) & CR0_PE)) return setRealSegment(cpu, segment, selector);
  if (segment === SS) {
    readStack(cpu, selector, state.cpl, GP, scratch);
    return setStackSegment(cpu, scratch);
  }
  if (isNull(selector)) return setNull(cpu, segment, selector);
  readDescriptor(cpu, selector, GP, scratch);
  checkData(scratch, state.cpl, GP);
  markAccessed(cpu, scratch);
  setSegment(cpu, segment, scratch);
}

/** @throws {Fault} unless the descriptor may be in DS, ES, FS or GS at privilege `cpl` */
export function checkData(d: Descriptor, cpl: number, vector: number): void {
  const code = d.selector & 0xfffc;
  const dpl = dplOf(d);
  const allowed = isConforming(d) || (dpl >= cpl && dpl >= (d.selector & 3));
  if (!isReadable(d) || !allowed) throw Fault.of(vector, code);
  if (!isPresent(d)) throw Fault.of(NP, code);
}

/** A segment register in real mode: limit and attributes stay what they were. */
export function setRealSegment(cpu: Cpu, segment: number, selector: number): void {
  const { state } = cpu;
  const limit = state.seg(segment, SEG_LIMIT);
  const kept = state.seg(segment, SEG_ATTR);
  setPlain(cpu, segment, selector, selector << 4, limit, kept === NULL_ATTR ? 0x93 : kept);
}

/** A segment register in virtual-8086 mode. */
export function setV86Segment(cpu: Cpu, segment: number, selector: number): void {
  setPlain(cpu, segment, selector, selector << 4, 0xffff, V86_ATTR);
}

/** Reads and checks the descriptor of a stack segment for privilege `cpl`. */
export function readStack(
  cpu: Cpu,
  selector: number,
  cpl: number,
  vector: number,
  into: Descriptor,
): void {
  if (isNull(selector)) throw Fault.of(vector, 0);
  const d = readDescriptor(cpu, selector, vector, into);
  if ((selector & 3) !== cpl || !isWritableData(d) || dplOf(d) !== cpl) {
    throw Fault.of(vector, selector & 0xfffc);
  }
  if (!isPresent(d)) throw Fault.of(VECTOR_SS, selector & 0xfffc);
}

/** Loads SS with a descriptor that {@link readStack} has passed. */
export function setStackSegment(cpu: Cpu, d: Descriptor): void {
  markAccessed(cpu, d);
  setSegment(cpu, SS, d);
}

/** Loads CS with a checked code descriptor and changes the privilege level. */
export function setCodeSegment(cpu: Cpu, d: Descriptor, cpl: number): void {
  const { state } = cpu;
  markAccessed(cpu, d);
  d.selector = (d.selector & 0xfffc) | cpl;
  // Most transfers stay where they are. Code that was loaded in real mode may be written to.
  if (isLoaded(state, CS, d) && state.cpl === cpl && state.seg(CS, SEG_RIGHTS) !== 3) return;
  state.set(CPL, cpl);
  setSegment(cpu, CS, d);
  updateMode(cpu);
}

/** After a return to an outer ring: data segments that it may not use become null. */
export function dropInnerSegments(cpu: Cpu): void {
  const { state } = cpu;
  for (let segment = ES; segment <= GS; segment++) {
    if (segment === CS || segment === SS) continue;
    const attr = state.seg(segment, SEG_ATTR);
    const conforming = (attr & 0x1c) === 0x1c;
    if (attr !== NULL_ATTR && !conforming && (attr >> 5 & 3) < state.cpl) setNull(cpu, segment, 0);
  }
}

/** Makes ES, DS, FS and GS unusable, as leaving virtual-8086 mode does. */
export function dropDataSegments(cpu: Cpu): void {
  setNull(cpu, ES, 0);
  setNull(cpu, DS, 0);
  setNull(cpu, FS, 0);
  setNull(cpu, GS, 0);
}

/** Loads a system segment register (LDTR, TR) from a checked descriptor. */
export function setSystemSegment(cpu: Cpu, segment: number, d: Descriptor): void {
  const { state } = cpu;
  state.setSeg(segment, SEG_SELECTOR, d.selector);
  state.setSeg(segment, SEG_BASE, d.base);
  state.setSeg(segment, SEG_LIMIT, d.limit);
  state.setSeg(segment, SEG_ATTR, d.attr);
}

/** Makes LDTR unusable: selectors with TI set then lead nowhere. */
export function setNullLdt(cpu: Cpu, selector: number): void {
  scratch.selector = selector;
  scratch.base = scratch.limit = 0;
  scratch.attr = NULL_ATTR;
  setSystemSegment(cpu, LDTR, scratch);
}
