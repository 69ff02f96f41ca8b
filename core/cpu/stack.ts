/**
 * The stack, for instructions and deliveries in TypeScript.
 * @module
 */

import { cachedHost } from "./cached.ts";
import type { Cpu } from "./cpu.ts";
import { Fault, VECTOR } from "./fault.ts";
import type { Descriptor } from "./descriptor.ts";
import { AT, type CpuState, ESP, MODE, SS, TLB } from "./state.ts";

const { BANK, MODE: AT_MODE } = AT;
const { READ: TLB_READ, WRITE: TLB_WRITE } = TLB;
const { FLAT: MODE_FLAT, STACK32: MODE_STACK32 } = MODE;
const { SS: VECTOR_SS } = VECTOR;

/** Words on their way to or from the stack together; reused, so that transfers do not allocate. */
export class Frame {
  /** The longest is that of a call gate: 31 parameters, SS, ESP, CS, EIP. */
  readonly words: Int32Array = new Int32Array(40);
  count = 0;

  clear(): this {
    this.count = 0;
    return this;
  }

  add(word: number): this {
    this.words[this.count++] = word;
    return this;
  }

  /** The `n`-th word, signed. */
  at(n: number): number {
    return this.words[n]!;
  }
}

const single = new Frame();

/** Bits of ESP that count. */
export function stackMask(cpu: Cpu): number {
  return cpu.state.get(AT_MODE) & MODE_STACK32 ? -1 : 0xffff;
}

/** Sets SP or ESP, by the stack's size. */
export function setStackPointer(cpu: Cpu, value: number, mask: number = stackMask(cpu)): void {
  const { regs } = cpu.state;
  regs[ESP] = (regs[ESP]! & ~mask) | (value & mask);
}

/** Pushes one word. */
export function push(cpu: Cpu, size: 2 | 4, word: number): void {
  pushAll(cpu, size, single.clear().add(word));
}

/** Pushes words in order; the stack pointer moves when all have been written. */
export function pushAll(cpu: Cpu, size: 2 | 4, frame: Frame): void {
  setStackPointer(cpu, writeBelow(cpu, size, frame));
}

/** The memory half of {@link pushAll}. @returns the new stack pointer */
export function writeBelow(cpu: Cpu, size: 2 | 4, frame: Frame): number {
  const { state } = cpu;
  const { words, count } = frame;
  const bytes = count * size;
  let top = state.regs[ESP]! | 0;
  let host = plainHost(state, top - bytes, bytes, TLB_WRITE);
  if (host < 0) {
    const mask = stackMask(cpu);
    for (let n = 0; n < count; n++) {
      top = (top - size) | 0;
      cpu.write(SS, (top & mask) >>> 0, size, words[n]!);
    }
    return top;
  }
  host += bytes;
  for (let n = 0; n < count; n++) {
    host -= size;
    if (size === 4) state.view.setInt32(host, words[n]!, true);
    else state.view.setInt16(host, words[n]!, true);
  }
  return (top - bytes) | 0;
}

/** Host offset of a run of a flat 32-bit stack that one look at the TLB allows, else -1. */
function plainHost(state: CpuState, from: number, bytes: number, tag: number): number {
  const flat = MODE_FLAT | MODE_STACK32;
  if ((state.get(AT_MODE) & flat) !== flat) return -1;
  return cachedHost(state, state.get(BANK), from, bytes, tag);
}

/** The `n`-th word from the top of the stack. */
export function peek(cpu: Cpu, n: number, size: 2 | 4): number {
  const offset = (cpu.state.regs[ESP]! + n * size) & stackMask(cpu);
  return cpu.read(SS, offset >>> 0, size);
}

/** Reads `count` words from the top of the stack, or from `skipped` bytes above it. */
export function peekAll(
  cpu: Cpu,
  count: number,
  size: 2 | 4,
  frame: Frame,
  skipped: number = 0,
): void {
  const { state } = cpu;
  const { words } = frame;
  const top = (state.regs[ESP]! + skipped) | 0;
  const host = plainHost(state, top, count * size, TLB_READ);
  const mask = stackMask(cpu);
  frame.count = count;
  for (let n = 0; n < count; n++) {
    if (host < 0) words[n] = cpu.read(SS, ((top + n * size) & mask) >>> 0, size);
    else if (size === 4) words[n] = state.view.getInt32(host + n * 4, true);
    else words[n] = state.view.getUint16(host + n * 2, true);
  }
}

/**
 * Writes words to the stack of an inner ring, which is not loaded yet.
 * @returns its new stack pointer
 * @throws {Fault} #SS(selector) outside its limit
 */
export function writeInner(
  cpu: Cpu,
  stack: Descriptor,
  esp: number,
  size: 2 | 4,
  frame: Frame,
): number {
  const mask = stack.attr & 0x4000 ? -1 : 0xffff;
  const { words, count } = frame;
  let top = esp;
  for (let n = 0; n < count; n++) {
    top = (top - size) >>> 0;
    const offset = (top & mask) >>> 0;
    if (!isInside(stack, offset, size)) throw Fault.of(VECTOR_SS, stack.selector & 0xfffc);
    // An inner ring has supervisor rights, and nobody checks its alignment.
    cpu.mmu.systemWrite((stack.base + offset) >>> 0, size, words[n]!);
  }
  return top;
}

/** `size` bytes at `offset` lie inside a segment that grows up or down. */
function isInside(d: Descriptor, offset: number, size: number): boolean {
  const last = offset + size - 1;
  if (!(d.attr & 4)) return last <= d.limit >>> 0;
  return offset > d.limit >>> 0 && last <= (d.attr & 0x4000 ? 0xffffffff : 0xffff);
}
