/**
 * The stack, for instructions and deliveries in TypeScript.
 * @module
 */

import type { Cpu } from "./cpu.ts";
import { Fault, VECTOR } from "./fault.ts";
import { type Descriptor, setStackSegment } from "./segment.ts";
import { AT, ESP, FLAG, SEG, SS } from "./state.ts";

/** Bits of ESP that count. */
export function stackMask(cpu: Cpu): number {
  return cpu.state.seg(SS, SEG.ATTR) & 0x4000 && !cpu.state.flag(FLAG.VM) ? 0xffffffff : 0xffff;
}

/** Sets SP or ESP, by the stack's size. */
export function setStackPointer(cpu: Cpu, value: number, mask: number = stackMask(cpu)): void {
  const { regs } = cpu.state;
  regs[ESP] = mask === 0xffff ? (regs[ESP]! & 0xffff0000) | (value & 0xffff) : value;
}

/** Pushes words in order; the stack pointer moves when all have been written. */
export function pushAll(cpu: Cpu, size: 2 | 4, words: readonly number[]): void {
  setStackPointer(cpu, writeBelow(cpu, size, words));
}

/** The memory half of {@link pushAll}. @returns the new stack pointer */
export function writeBelow(cpu: Cpu, size: 2 | 4, words: readonly number[]): number {
  let top = cpu.state.regs[ESP]!;
  const mask = stackMask(cpu);
  for (const value of words) {
    top = (top - size) >>> 0;
    cpu.write(SS, (top & mask) >>> 0, size, value);
  }
  return top;
}

/** The `n`-th word from the top of the stack. */
export function peek(cpu: Cpu, n: number, size: 2 | 4): number {
  const offset = (cpu.state.regs[ESP]! + n * size) & stackMask(cpu);
  return cpu.read(SS, offset >>> 0, size);
}

/** Switches to an inner ring's stack and pushes words there; nothing changes if that faults. */
export function pushOnto(
  cpu: Cpu,
  stack: Descriptor,
  esp: number,
  cpl: number,
  size: 2 | 4,
  words: readonly number[],
): void {
  const mask = stack.attr & 0x4000 ? 0xffffffff : 0xffff;
  const expandDown = (stack.attr & 4) !== 0;
  let top = esp;
  const before = cpu.state.cpl;
  cpu.state.set(AT.CPL, cpl);
  try {
    for (const value of words) {
      top = (top - size) >>> 0;
      const offset = (top & mask) >>> 0;
      const inside = expandDown
        ? offset > stack.limit && offset + size - 1 <= mask >>> 0
        : offset + size - 1 <= stack.limit;
      if (!inside) throw Fault.of(VECTOR.SS, stack.selector & 0xfffc);
      cpu.mmu.write((stack.base + offset) >>> 0, size, value);
    }
  } finally {
    cpu.state.set(AT.CPL, before);
  }
  cpu.state.set(AT.CPL, cpl);
  setStackSegment(cpu, stack);
  setStackPointer(cpu, top, mask);
}
