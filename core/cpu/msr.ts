/**
 * Model-specific registers: the CPU's own as a table; every other is asked of the host.
 * Source: Intel SDM vol. 4, table 2-2 (architectural MSRs).
 * @module
 */

import { EXIT } from "../types.ts";
import { FEATURE } from "./cpuid.ts";
import type { Cpu } from "./cpu.ts";
import { Fault, VECTOR } from "./fault.ts";
import { AT, EAX, EDX, EFER } from "./state.ts";

interface Msr {
  /** Bit of `FEATURE` without which the register does not exist. */
  readonly feature: number;
  /** Leaves the value in EDX:EAX. */
  readonly read: (cpu: Cpu) => void;
  /** @throws {Fault} #GP(0) for a value the register cannot hold */
  readonly write: (cpu: Cpu, low: number, high: number) => void;
}

const MSRS: ReadonlyMap<number, Msr> = new Map([
  [0x10, { feature: FEATURE.TSC, read: readTimestamp, write: writeTimestamp }],
  // Microcode update signature: no update is loaded. A guest writes 0 before it asks.
  [0x8b, { feature: FEATURE.MSR, read: (cpu) => setPair(cpu, 0, 0), write: () => {} }],
  // Miscellaneous enables: fast strings. Linux complains where the register is missing.
  [0x1a0, { feature: FEATURE.MSR, read: (cpu) => setPair(cpu, 1, 0), write: () => {} }],
  [0x174, word(FEATURE.SEP, AT.SYSENTER)],
  [0x175, word(FEATURE.SEP, AT.SYSENTER + 4)],
  [0x176, word(FEATURE.SEP, AT.SYSENTER + 8)],
  [0xc0000080, { feature: FEATURE.NX, read: readWord(AT.EFER), write: writeEfer }],
]);

/** RDMSR. */
export function readMsr(cpu: Cpu, index: number): void {
  const msr = MSRS.get(index);
  if (msr && cpu.features & msr.feature) msr.read(cpu);
  else ask(cpu, index, false);
}

/** WRMSR of EDX:EAX. */
export function writeMsr(cpu: Cpu, index: number): void {
  const msr = MSRS.get(index);
  const { regs } = cpu.state;
  if (msr && cpu.features & msr.feature) msr.write(cpu, regs[EAX]!, regs[EDX]!);
  else ask(cpu, index, true);
}

/** The host leaves a value in EDX:EAX and 1 in `exit.value`, or 0 there for #GP(0). */
function ask(cpu: Cpu, index: number, write: boolean): void {
  cpu.exit.port = index;
  cpu.exit.write = write;
  cpu.exit.value = 0;
  cpu.leave(write ? EXIT.MSR_WRITE : EXIT.MSR_READ);
  if (cpu.exit.value !== 1) throw Fault.of(VECTOR.GP, 0);
}

function setPair(cpu: Cpu, low: number, high: number): void {
  cpu.state.regs[EAX] = low;
  cpu.state.regs[EDX] = high;
}

function readWord(at: number): (cpu: Cpu) => void {
  return (cpu) => setPair(cpu, cpu.state.get(at), 0);
}

/** A register that is one word of the state. */
function word(feature: number, at: number): Msr {
  return { feature, read: readWord(at), write: (cpu, low) => cpu.state.set(at, low) };
}

/** NXE changes which rights a translation has. */
function writeEfer(cpu: Cpu, low: number, high: number): void {
  if (low & ~EFER.NXE || high) throw Fault.of(VECTOR.GP, 0);
  cpu.state.set(AT.EFER, low);
  cpu.mmu.flush();
}

// ---- time stamp counter -------------------------------------------------------------------------

/** Virtual time, moved by what the guest has written. */
function readTimestamp(cpu: Cpu): void {
  const value = BigInt(cpu.timestamp()) + cpu.state.view.getBigInt64(AT.TSC_OFFSET, true);
  setPair(cpu, Number(value & 0xffff_ffffn), Number(value >> 32n));
}

function writeTimestamp(cpu: Cpu, low: number, high: number): void {
  const value = BigInt(high >>> 0) << 32n | BigInt(low >>> 0);
  cpu.state.view.setBigInt64(AT.TSC_OFFSET, value - BigInt(cpu.timestamp()), true);
  cpu.state.set(AT.TSC_KNOWN, 0);
}
