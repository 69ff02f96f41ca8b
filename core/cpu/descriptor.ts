/**
 * Segment descriptors: where they lie, what they say. Source: Intel SDM vol. 3, §3.4.5 and ch. 5.
 * @module
 */

import { Entry } from "./cached.ts";
import type { Cpu } from "./cpu.ts";
import { Fault } from "./fault.ts";
import { AT, type CpuState, LDTR, NULL_ATTR, SEG } from "./state.ts";

const { GDT_BASE, GDT_LIMIT } = AT;
const { ATTR: SEG_ATTR, BASE: SEG_BASE, LIMIT: SEG_LIMIT } = SEG;

/**
 * A descriptor, unpacked: addresses and limit as signed words. Transfers keep theirs and fill them
 * in anew, so that they do not allocate.
 */
export class Descriptor {
  selector = 0;
  base = 0;
  limit = 0;
  /** As in {@link SEG}. */
  attr = 0;
  /** Linear address it was read from. */
  at = 0;
}

/** Descriptor types: attribute bits 0–4. */
export const TYPE = {
  LDT: 2,
  TSS16: 1,
  CALL_GATE16: 4,
  TASK_GATE: 5,
  INTERRUPT_GATE16: 6,
  TRAP_GATE16: 7,
  TSS32: 9,
  CALL_GATE32: 12,
  INTERRUPT_GATE32: 14,
  TRAP_GATE32: 15,
} as const;

/** Type bit of a TSS that is running or waits for its successor's IRET. */
export const BUSY = 2;

const ACCESSED = 1;

/** One of {@link TYPE}, for a system descriptor. */
export const typeOf = (d: Descriptor): number => d.attr & 0x1f;
/** Its privilege level. */
export const dplOf = (d: Descriptor): number => d.attr >> 5 & 3;
/** It may be loaded. */
export const isPresent = (d: Descriptor): boolean => (d.attr & 0x80) !== 0;
/** A code segment. */
export const isCode = (d: Descriptor): boolean => (d.attr & 0x18) === 0x18;
/** Code that runs at its caller's privilege. */
export const isConforming = (d: Descriptor): boolean => (d.attr & 0x1c) === 0x1c;
/** A data segment that may be written. */
export const isWritableData = (d: Descriptor): boolean => (d.attr & 0x1a) === 0x12;
/** Data, or code that may be read. */
export const isReadable = (d: Descriptor): boolean => (d.attr & 0x10) !== 0 && (d.attr & 0xa) !== 8;
/** A null selector: RPL does not matter. */
export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;

const entry = new Entry();

/**
 * Reads a selector's descriptor.
 * @param vector fault when it lies outside its table
 */
export function readDescriptor(
  cpu: Cpu,
  selector: number,
  vector: number,
  into: Descriptor = new Descriptor(),
): Descriptor {
  const { state } = cpu;
  if (!isInTable(state, selector)) throw Fault.of(vector, selector & 0xfffc);
  const base = selector & 4 ? state.seg(LDTR, SEG_BASE) : state.get(GDT_BASE);
  const at = (base + (selector & 0xfff8)) | 0;
  entry.read(cpu, at);
  const { low, high } = entry;
  const raw = (low & 0xffff) | (high & 0xf0000);
  into.selector = selector;
  into.base = low >>> 16 | (high & 0xff) << 16 | (high & 0xff000000);
  into.limit = high & 1 << 23 ? raw << 12 | 0xfff : raw;
  into.attr = high >>> 8 & 0xf0ff;
  into.at = at;
  return into;
}

/** Its table exists and is long enough. */
export function isInTable(state: CpuState, selector: number): boolean {
  const local = (selector & 4) !== 0;
  if (local && state.seg(LDTR, SEG_ATTR) === NULL_ATTR) return false;
  const limit = local ? state.seg(LDTR, SEG_LIMIT) : state.get(GDT_LIMIT);
  return (selector & 0xfff8) + 7 <= limit >>> 0;
}

/** Sets the accessed bit, in memory too, as a load does. */
export function markAccessed(cpu: Cpu, d: Descriptor): void {
  if (d.attr & ACCESSED || !(d.attr & 0x10)) return;
  d.attr |= ACCESSED;
  cpu.mmu.systemWrite(d.at + 5, 1, d.attr & 0xff);
}
