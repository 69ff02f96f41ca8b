/**
 * Memory operands of more than four bytes. Both pages are checked before a store, so nothing is
 * written when the second one faults.
 * @module
 */

import { PAGE_SIZE } from "../types.ts";
import type { Cpu } from "./cpu.ts";

/**
 * Reads guest memory into linear memory.
 * @param linear address that the segment allows
 * @param size bytes, a multiple of 4
 * @param to byte address in linear memory
 */
export function readWide(cpu: Cpu, linear: number, size: number, to: number): void {
  const { mmu, state } = cpu;
  for (let n = 0; n < size; n += 4) {
    state.view.setInt32(to + n, mmu.read((linear + n) >>> 0, 4), true);
  }
}

/**
 * Writes guest memory from linear memory.
 * @param linear address that the segment allows
 * @param size bytes, a multiple of 4
 * @param from byte address in linear memory
 */
export function writeWide(cpu: Cpu, linear: number, size: number, from: number): void {
  const { mmu, state } = cpu;
  checkWritable(cpu, linear, size);
  for (let n = 0; n < size; n += 4) {
    mmu.write((linear + n) >>> 0, 4, state.view.getInt32(from + n, true));
  }
}

/**
 * @param size below that of a page
 * @throws {Fault} #PF unless all of an operand that lies on two pages can be written
 */
export function checkWritable(cpu: Cpu, linear: number, size: number): void {
  if ((linear & (PAGE_SIZE - 1)) <= PAGE_SIZE - size) return;
  cpu.mmu.hostAddress(linear, true);
  cpu.mmu.hostAddress(((linear | (PAGE_SIZE - 1)) + 1) >>> 0, true);
}
