/**
 * Memory operands of more than four bytes. The segment is checked for the whole operand and, before
 * a store, both pages: nothing is written when the second one faults.
 * @module
 */

import { PAGE_SIZE } from "../../types.ts";
import type { Cpu } from "../cpu.ts";
import { Fault, VECTOR } from "../fault.ts";

/**
 * Reads guest memory into linear memory.
 * @param size bytes, a multiple of 4
 * @param to byte address in linear memory
 */
export function readWide(
  cpu: Cpu,
  segment: number,
  offset: number,
  size: number,
  to: number,
): void {
  const { mmu, state } = cpu;
  const linear = cpu.linear(segment, offset, size, false);
  for (let n = 0; n < size; n += 4) {
    state.view.setInt32(to + n, mmu.read((linear + n) >>> 0, 4), true);
  }
}

/**
 * Writes guest memory from linear memory.
 * @param size bytes, a multiple of 4
 * @param from byte address in linear memory
 */
export function writeWide(
  cpu: Cpu,
  segment: number,
  offset: number,
  size: number,
  from: number,
): void {
  const { mmu, state } = cpu;
  const linear = writable(cpu, segment, offset, size);
  for (let n = 0; n < size; n += 4) {
    mmu.write((linear + n) >>> 0, 4, state.view.getInt32(from + n, true));
  }
}

/**
 * Writes the bytes whose mask byte has bit 7 set; with none set, memory is not looked at.
 * @param from byte address in linear memory of the data
 * @param mask byte address in linear memory of the mask
 */
export function writeMasked(
  cpu: Cpu,
  segment: number,
  offset: number,
  size: number,
  from: number,
  mask: number,
): void {
  const { view } = cpu.state;
  let linear = -1;
  for (let n = 0; n < size; n++) {
    if (view.getInt8(mask + n) >= 0) continue;
    if (linear < 0) linear = writable(cpu, segment, offset, size);
    cpu.mmu.write((linear + n) >>> 0, 1, view.getUint8(from + n));
  }
}

/** Linear address of an operand that can be written as a whole. */
function writable(cpu: Cpu, segment: number, offset: number, size: number): number {
  const linear = cpu.linear(segment, offset, size, true);
  if ((linear & (PAGE_SIZE - 1)) > PAGE_SIZE - size) {
    cpu.mmu.hostAddress(linear, true);
    cpu.mmu.hostAddress(((linear | (PAGE_SIZE - 1)) + 1) >>> 0, true);
  }
  return linear;
}

/** @throws {Fault} #GP(0) unless the operand lies at a multiple of 16 */
export function checkAligned(cpu: Cpu, segment: number, offset: number): void {
  if ((cpu.state.segmentBase(segment) + offset) & 15) throw Fault.of(VECTOR.GP, 0);
}
