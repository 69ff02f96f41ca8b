/**
 * Instructions on control, debug and model-specific registers, identification and time.
 * Source: Intel SDM vol. 2; vol. 3 §2.5 and §17.2.
 * @module
 */

import { EXIT } from "../types.ts";
import { cpuidLeaf, FEATURE } from "./cpuid.ts";
import type { Cpu } from "./cpu.ts";
import { DR6, DR7, noteDebug } from "./debug.ts";
import { Fault, VECTOR } from "./fault.ts";
import type { Insn } from "./insn.ts";
import { readMsr, readTimestamp, writeMsr } from "./msr.ts";
import { effectiveAddress, privileged, readOperand, writeOperand } from "./operand.ts";
import { AT, CR0, CR4, EAX, EBX, ECX, EDX } from "./state.ts";
import { updateMode } from "./segment.ts";

const { GP, UD } = VECTOR;

// ---- control and debug registers -----------------------------------------------------------------

/** A control register that exists; the privilege is checked after that. */
function controlRegister(cpu: Cpu, insn: Insn, operand: number): number {
  const number = insn.operands[operand]!.reg;
  if (number === 1 || number > 4) throw Fault.of(UD, 0);
  privileged(cpu);
  return number;
}

/** MOV r32, CRn. */
export function readControl(cpu: Cpu, insn: Insn): void {
  const number = controlRegister(cpu, insn, 1);
  writeOperand(cpu, insn, 0, cpu.state.get(AT.CR + number * 4));
}

/** MOV CRn, r32. */
export function writeControl(cpu: Cpu, insn: Insn): void {
  const number = controlRegister(cpu, insn, 0);
  const value = readOperand(cpu, insn, 1);
  if (number === 0) setCr0(cpu, value);
  else if (number === 2) cpu.state.set(AT.CR + 8, value);
  else if (number === 3) setCr3(cpu, value);
  else setCr4(cpu, value);
}

const CR0_BITS = CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.NE | CR0.WP | CR0.AM | CR0.NW | CR0.CD |
  CR0.PG;

/** Xen intercepts CR0 writes; CR3 and CR4 stay in the guest with EPT. */
function setCr0(cpu: Cpu, value: number): void {
  const { state } = cpu;
  const pagingWithoutProtection = (value & CR0.PG) !== 0 && !(value & CR0.PE);
  const writeThroughUncached = (value & CR0.NW) !== 0 && !(value & CR0.CD);
  if (pagingWithoutProtection || writeThroughUncached) throw Fault.of(GP, 0);
  const changed = state.get(AT.CR) ^ value;
  if (changed & (CR0.PG | CR0.CD | CR0.NW)) reloadPdptes(cpu, value, state.get(AT.CR + 16));
  cpu.exit.write = true;
  cpu.exit.value = value;
  cpu.leave(EXIT.CR_ACCESS);
  state.set(AT.CR, (value & CR0_BITS) | CR0.ET);
  if (changed & (CR0.PG | CR0.WP | CR0.PE)) cpu.mmu.flush();
  if (changed & CR0.PE) state.set(AT.CPL, 0);
  updateMode(cpu);
}

/**
 * Loads the page-directory-pointer entries if control registers of these values use them.
 * @throws {Fault} #GP(0) when one has a reserved bit set
 */
function reloadPdptes(cpu: Cpu, cr0: number, cr4: number, cr3: number = cpu.state.cr[3]!): void {
  if (!(cr0 & CR0.PG) || !(cr4 & CR4.PAE)) return;
  if (!cpu.mmu.loadPdptes(cr3)) throw Fault.of(GP, 0);
}

/** Loads CR3, as MOV and task switches do. */
export function setCr3(cpu: Cpu, value: number): void {
  const { state } = cpu;
  reloadPdptes(cpu, state.get(AT.CR), state.get(AT.CR + 16), value);
  state.set(AT.CR + 12, value);
  cpu.mmu.flushLocal();
}

/** CR4 bits by the feature that brings them. Every processor of this family has PCE. */
const CR4_BITS: readonly [bits: number, feature: number][] = [
  [CR4.VME | CR4.PVI, FEATURE.VME],
  [CR4.TSD, FEATURE.TSC],
  [CR4.DE, FEATURE.DE],
  [CR4.PSE, FEATURE.PSE],
  [CR4.PAE, FEATURE.PAE],
  [CR4.MCE, FEATURE.MCE],
  [CR4.PGE, FEATURE.PGE],
  [CR4.PCE, 0],
  [CR4.OSFXSR, FEATURE.FXSR],
  [CR4.OSXMMEXCPT, FEATURE.SSE],
];

function setCr4(cpu: Cpu, value: number): void {
  const { state, features } = cpu;
  let unknown = value;
  for (const [bits, feature] of CR4_BITS) {
    if ((features & feature) === feature) unknown &= ~bits;
  }
  if (unknown) throw Fault.of(GP, 0);
  const paging = (state.get(AT.CR + 16) ^ value) & (CR4.PSE | CR4.PAE | CR4.PGE);
  if (paging) reloadPdptes(cpu, state.get(AT.CR), value);
  state.set(AT.CR + 16, value);
  if (paging) cpu.mmu.flush();
}

/** SMSW: a 32-bit register gets all of CR0. */
export function smsw(cpu: Cpu, insn: Insn): void {
  const memory = insn.operands[0]!.kind === 2;
  writeOperand(cpu, insn, 0, cpu.state.get(AT.CR), memory ? 2 : insn.operandSize);
}

/** LMSW sets PE, MP, EM, TS; it cannot clear PE. */
export function lmsw(cpu: Cpu, insn: Insn): void {
  privileged(cpu);
  const cr0 = cpu.state.get(AT.CR);
  const value = readOperand(cpu, insn, 0);
  setCr0(cpu, (cr0 & ~0xe) | (value & 0xf) | (cr0 & CR0.PE));
}

/** CLTS. */
export function clts(cpu: Cpu): void {
  privileged(cpu);
  cpu.state.set(AT.CR, cpu.state.get(AT.CR) & ~CR0.TS);
}

/**
 * Where a debug register lies. DR4 and DR5 are DR6 and DR7 unless CR4.DE.
 * @throws {Fault} #DB under general detect
 */
function debugRegister(cpu: Cpu, number: number): number {
  const { state } = cpu;
  const alias = number === 4 || number === 5;
  if (alias && state.get(AT.CR + 16) & CR4.DE) throw Fault.of(UD, 0);
  privileged(cpu);
  if (state.get(AT.DR + 28) & DR7.GD) {
    noteDebug(state, DR6.BD);
    throw Fault.of(VECTOR.DB, 0);
  }
  return AT.DR + (alias ? number + 2 : number) * 4;
}

/** MOV r32, DRn. */
export function readDebug(cpu: Cpu, insn: Insn): void {
  writeOperand(cpu, insn, 0, cpu.state.get(debugRegister(cpu, insn.operands[1]!.reg)));
}

/** MOV DRn, r32. */
export function writeDebug(cpu: Cpu, insn: Insn): void {
  const at = debugRegister(cpu, insn.operands[0]!.reg);
  const value = readOperand(cpu, insn, 1);
  if (at === AT.DR + 28) {
    cpu.state.set(at, (value & DR7.WRITABLE) | DR7.FIXED);
    updateMode(cpu);
  } else if (at === AT.DR + 24) cpu.state.set(at, (value & DR6.WRITABLE) | DR6.FIXED);
  else cpu.state.set(at, value);
}

/** INVLPG. */
export function invlpg(cpu: Cpu, insn: Insn): void {
  privileged(cpu);
  const base = cpu.state.segmentBase(insn.segment);
  cpu.mmu.invalidate((base + effectiveAddress(cpu, insn)) >>> 0);
}

// ---- identification, time, MSRs ----------------------------------------------------------------

/** The host answers leaves of its own and leaves 1 in `exit.value`; the CPU answers the others. */
export function cpuid(cpu: Cpu): void {
  const { regs } = cpu.state;
  const leaf = regs[EAX]!;
  cpu.exit.port = leaf;
  cpu.exit.value = 0;
  cpu.leave(EXIT.CPUID);
  if (cpu.exit.value === 1) return;
  const [eax, ebx, ecx, edx] = cpuidLeaf(leaf, cpu.signature, cpu.features);
  regs[EAX] = eax!;
  regs[EBX] = ebx!;
  regs[ECX] = ecx!;
  regs[EDX] = edx!;
}

/** RDTSC: not for ring 3 under CR4.TSD. */
export function rdtsc(cpu: Cpu): void {
  if (cpu.state.get(AT.CR + 16) & CR4.TSD) privileged(cpu);
  readTimestamp(cpu);
}

/** RDPMC: there are no counters. */
export function rdpmc(): never {
  throw Fault.of(GP, 0);
}

/** RDMSR. */
export function rdmsr(cpu: Cpu): void {
  privileged(cpu);
  readMsr(cpu, cpu.state.regs[ECX]!);
}

/** WRMSR. */
export function wrmsr(cpu: Cpu): void {
  privileged(cpu);
  writeMsr(cpu, cpu.state.regs[ECX]!);
}
