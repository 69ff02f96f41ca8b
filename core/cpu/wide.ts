/**
 * Memory operands of more than four bytes. Both pages are checked before a store, so nothing is
 * written when the second one faults.
 * @module
 */

import { PAGE_SIZE } from "../types.ts";
import type { Cpu } from "./cpu.ts";
import { AT, type CpuState, TLB } from "./state.ts";

/**
 * Bytes that are accessed at a time. Sixteen may lie anywhere, also where alignment is checked:
 * MOVUPS raises no #AC.
 */
function unitOf(state: CpuState, linear: number, size: number): 1 | 4 {
  const anywhere = size === 16 && (linear & 3) !== 0;
  return anywhere && state.get(AT.BANK) === TLB.STRICT ? 1 : 4;
}

/**
 * Reads guest memory into linear memory.
 * @param linear address that the segment allows
 * @param size bytes, a multiple of 4
 * @param to byte address in linear memory
 */
export function readWide(cpu: Cpu, linear: number, size: number, to: number): void {
  const { mmu, state } = cpu;
  const unit = unitOf(state, linear, size);
  for (let n = 0; n < size; n += unit) {
    const value = mmu.read((linear + n) >>> 0, unit);
    if (unit === 4) state.view.setInt32(to + n, value, true);
    else state.bytes[to + n] = value;
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
  const unit = unitOf(state, linear, size);
  checkWritable(cpu, linear, size);
  for (let n = 0; n < size; n += unit) {
    const value = unit === 4 ? state.view.getInt32(from + n, true) : state.bytes[from + n]!;
    mmu.write((linear + n) >>> 0, unit, value);
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
