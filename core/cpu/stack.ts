/**
 * The stack, for instructions and deliveries in TypeScript.
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { isArmed } from "./debug.ts";
import { Fault, VECTOR } from "./fault.ts";
import type { Descriptor } from "./segment.ts";
import { ESP, SEG, SS } from "./state.ts";

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

  /** The `n`-th word, unsigned. */
  at(n: number): number {
    return this.words[n]! >>> 0;
  }
}

const PAGE = 4096;
const single = new Frame();

/** Bits of ESP that count. */
export function stackMask(cpu: Cpu): number {
  return cpu.state.seg(SS, SEG.ATTR) & 0x4000 ? 0xffffffff : 0xffff;
}

/** Sets SP or ESP, by the stack's size. */
export function setStackPointer(cpu: Cpu, value: number, mask: number = stackMask(cpu)): void {
  const { regs } = cpu.state;
  regs[ESP] = mask === 0xffff ? (regs[ESP]! & 0xffff0000) | (value & 0xffff) : value;
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
  const mask = stackMask(cpu);
  const { words, count } = frame;
  let top = cpu.state.regs[ESP]!;
  let host = hostBelow(cpu, top & mask, count * size, size);
  if (host < 0) {
    for (let n = 0; n < count; n++) {
      top = (top - size) >>> 0;
      cpu.write(SS, (top & mask) >>> 0, size, words[n]!);
    }
    return top;
  }
  const { view } = cpu.state;
  for (let n = 0; n < count; n++) {
    host -= size;
    if (size === 4) view.setInt32(host, words[n]!, true);
    else view.setInt16(host, words[n]!, true);
  }
  return (top - count * size) >>> 0;
}

/**
 * Host offset of the stack at `offset`, when the `bytes` below it can be written at once: inside
 * the segment and one page, aligned, without decoded code. Else -1.
 * @throws {Fault} #PF, that of the word next to `offset`
 */
function hostBelow(cpu: Cpu, offset: number, bytes: number, size: number): number {
  const { mmu } = cpu;
  const linear = linearRun(cpu, (offset - bytes) >>> 0, bytes, size, 2);
  if (linear < 0) return -1;
  const above = bytes - size;
  const host = mmu.hostAddress(linear + above, true) - above;
  return host < 0 || mmu.holdsCode(host) ? -1 : host + bytes;
}

/**
 * Linear address of a run of stack that one check covers and nobody watches, else -1.
 * @param right bit of `SEG.RIGHTS`
 */
function linearRun(cpu: Cpu, offset: number, bytes: number, size: number, right: 1 | 2): number {
  const { state } = cpu;
  const above = (offset - state.seg(SS, SEG.LOW)) >>> 0;
  const span = state.seg(SS, SEG.SPAN) >>> 0;
  const inside = above <= span && span - above >= bytes - 1;
  if (!(state.seg(SS, SEG.RIGHTS) & right) || !inside || isArmed(state)) return -1;
  const linear = (state.segmentBase(SS) + offset) >>> 0;
  const inPage = linear & PAGE - 1;
  return linear & size - 1 || inPage + bytes > PAGE ? -1 : linear;
}

/** The `n`-th word from the top of the stack. */
export function peek(cpu: Cpu, n: number, size: 2 | 4): number {
  const offset = (cpu.state.regs[ESP]! + n * size) & stackMask(cpu);
  return cpu.read(SS, offset >>> 0, size);
}

/** Reads `count` words from the top of the stack, and `skipped` bytes above it. */
export function peekAll(
  cpu: Cpu,
  count: number,
  size: 2 | 4,
  frame: Frame,
  skipped: number = 0,
): void {
  const mask = stackMask(cpu);
  const { words } = frame;
  const top = cpu.state.regs[ESP]! + skipped;
  frame.count = count;
  const linear = linearRun(cpu, (top & mask) >>> 0, count * size, size, 1);
  const host = linear < 0 ? -1 : cpu.mmu.hostAddress(linear, false);
  const { view } = cpu.state;
  for (let n = 0; n < count; n++) {
    if (host < 0) words[n] = cpu.read(SS, ((top + n * size) & mask) >>> 0, size);
    else if (size === 4) words[n] = view.getInt32(host + n * 4, true);
    else words[n] = view.getUint16(host + n * 2, true);
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
  const mask = stack.attr & 0x4000 ? 0xffffffff : 0xffff;
  const { words, count } = frame;
  let top = esp;
  for (let n = 0; n < count; n++) {
    top = (top - size) >>> 0;
    const offset = (top & mask) >>> 0;
    if (!isInside(stack, offset, size)) throw Fault.of(VECTOR.SS, stack.selector & 0xfffc);
    // An inner ring has supervisor rights, and nobody checks its alignment.
    cpu.mmu.systemWrite((stack.base + offset) >>> 0, size, words[n]!);
  }
  return top;
}

/** `size` bytes at `offset` lie inside a segment that grows up or down. */
function isInside(d: Descriptor, offset: number, size: number): boolean {
  const last = offset + size - 1;
  if (!(d.attr & 4)) return last <= d.limit;
  return offset > d.limit && last <= (d.attr & 0x4000 ? 0xffffffff : 0xffff);
}
