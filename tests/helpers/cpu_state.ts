/**
 * A CPU's whole system state as plain data: the form of the system cases, and of the fuzzer's.
 * @module
 */

import type { Cpu } from "../../core/cpu/cpu.ts";
import { setSegment, updateMode } from "../../core/cpu/segment.ts";
import { AT, NULL_ATTR } from "../../core/cpu/state.ts";

/** A segment register with its hidden part; attributes as in `SEG.ATTR`. */
export type Segment = readonly [selector: number, base: number, limit: number, attributes: number];

/** All that system instructions can see. */
export interface SystemState {
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  readonly r: readonly number[];
  readonly ip: number;
  readonly fl: number;
  /** ES CS SS DS FS GS. */
  readonly s: readonly Segment[];
  readonly ldt: Segment;
  readonly tr: Segment;
  readonly gdt: readonly [base: number, limit: number];
  readonly idt: readonly [base: number, limit: number];
  /** CR0 CR2 CR3 CR4. */
  readonly cr: readonly number[];
  /** DR0–DR3 DR6 DR7; {@link DEBUG} unless given. */
  readonly dr?: readonly number[];
  /** EFER.NXE. */
  readonly nx?: number;
  /** SYSENTER's CS, ESP, EIP; zeros unless given. */
  readonly se?: readonly number[];
}

/** Debug registers after reset. */
export const DEBUG: readonly number[] = [0, 0, 0, 0, 0xffff0ff0, 0x400];

/** SYSENTER's registers after reset. */
export const NO_SYSENTER: readonly number[] = [0, 0, 0];

/** Number of the n-th debug register of a state. */
export const debugRegister = (n: number): number => n < 4 ? n : n + 2;

/** CR0.PG, CR4.PAE and EFER.NXE. */
const PG = 0x80000000, PAE = 0x20, NXE = 0x800;

/**
 * Puts a CPU into a state, with nothing cached or pending.
 * @param ram the guest's memory from address 0, as it is in that state
 */
export function loadState(cpu: Cpu, ram: Uint8Array, i: SystemState, cpl: number): void {
  const { state } = cpu;
  cpu.halted = cpu.shutdown = cpu.shadow = false;
  [i.cr[0]!, 0, ...i.cr.slice(1)].forEach((value, n) => state.set(AT.CR + n * 4, value));
  (i.dr ?? DEBUG).forEach((value, n) => state.set(AT.DR + debugRegister(n) * 4, value));
  (i.se ?? NO_SYSENTER).forEach((value, n) => state.set(AT.SYSENTER + n * 4, value));
  state.set(AT.EFER, i.nx ? NXE : 0);
  const paged = (i.cr[0]! & PG) !== 0 && (i.cr[3]! & PAE) !== 0;
  const pointers = paged ? i.cr[2]! & ~31 : 0;
  state.bytes.set(ram.subarray(pointers, pointers + 32), AT.PDPTES);
  state.set(AT.GDT_BASE, i.gdt[0]);
  state.set(AT.GDT_LIMIT, i.gdt[1]);
  state.set(AT.IDT_BASE, i.idt[0]);
  state.set(AT.IDT_LIMIT, i.idt[1]);
  state.eflags = i.fl;
  state.set(AT.CPL, cpl);
  [...i.s, i.ldt, i.tr].forEach(([selector, base, limit, ar], segment) => {
    const attr = ar & NULL_ATTR ? NULL_ATTR : ar;
    setSegment(cpu, segment, { selector, base, limit, attr, at: 0 });
  });
  state.regs.set(i.r);
  state.eip = i.ip;
  updateMode(cpu);
  cpu.mmu.breakpoints.hits = 0;
  cpu.flushTlb();
}
