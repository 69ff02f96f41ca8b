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
import { type Insn, KIND } from "./insn.ts";
import { readMsr, writeMsr } from "./msr.ts";
import { effectiveAddress, privileged, readOperand, writeOperand } from "./operand.ts";
import { AT, CR0, CR4, EAX, EBX, ECX, EDX } from "./state.ts";
import { updateMode } from "./segment.ts";

const { CPL, CR: AT_CR, DR: AT_DR } = AT;
const { CPUID: EXIT_CPUID, CR_ACCESS: EXIT_CR_ACCESS } = EXIT;
const {
  AM: CR0_AM,
  CD: CR0_CD,
  EM: CR0_EM,
  ET: CR0_ET,
  MP: CR0_MP,
  NE: CR0_NE,
  NW: CR0_NW,
  PE: CR0_PE,
  PG: CR0_PG,
  TS: CR0_TS,
  WP: CR0_WP,
} = CR0;
const {
  DE: CR4_DE,
  MCE: CR4_MCE,
  OSFXSR: CR4_OSFXSR,
  OSXMMEXCPT: CR4_OSXMMEXCPT,
  PAE: CR4_PAE,
  PCE: CR4_PCE,
  PGE: CR4_PGE,
  PSE: CR4_PSE,
  PVI: CR4_PVI,
  TSD: CR4_TSD,
  VME: CR4_VME,
} = CR4;
const { DB, GP, UD } = VECTOR;

// ---- control and debug registers ----------------------------------------------------------------

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
  writeOperand(cpu, insn, 0, cpu.state.get(AT_CR + number * 4));
}

/** MOV CRn, r32. */
export function writeControl(cpu: Cpu, insn: Insn): void {
  const number = controlRegister(cpu, insn, 0);
  const value = readOperand(cpu, insn, 1);
  if (number === 0) setCr0(cpu, value);
  else if (number === 2) cpu.state.set(AT_CR + 8, value);
  else if (number === 3) setCr3(cpu, value);
  else setCr4(cpu, value);
}

const CR0_BITS = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD |
  CR0_PG;

/** Xen intercepts CR0 writes; CR3 and CR4 stay in the guest with EPT. */
function setCr0(cpu: Cpu, value: number): void {
  const { state } = cpu;
  const pagingWithoutProtection = (value & CR0_PG) !== 0 && !(value & CR0_PE);
  const writeThroughUncached = (value & CR0_NW) !== 0 && !(value & CR0_CD);
  if (pagingWithoutProtection || writeThroughUncached) throw Fault.of(GP, 0);
  const changed = state.get(AT_CR) ^ value;
  if (changed & (CR0_PG | CR0_CD | CR0_NW)) reloadPdptes(cpu, value, state.get(AT_CR + 16));
  cpu.exit.write = true;
  cpu.exit.value = value;
  cpu.leave(EXIT_CR_ACCESS);
  state.set(AT_CR, (value & CR0_BITS) | CR0_ET);
  if (changed & (CR0_PG | CR0_WP | CR0_PE)) cpu.mmu.flush();
  if (changed & CR0_PE) state.set(CPL, 0);
  updateMode(cpu);
}

/**
 * Loads the page-directory-pointer entries if control registers of these values use them.
 * @throws {Fault} #GP(0) when one has a reserved bit set
 */
function reloadPdptes(cpu: Cpu, cr0: number, cr4: number, cr3: number = cpu.state.cr[3]!): void {
  if (!(cr0 & CR0_PG) || !(cr4 & CR4_PAE)) return;
  if (!cpu.mmu.loadPdptes(cr3)) throw Fault.of(GP, 0);
}

/** Loads CR3, as MOV and task switches do. */
export function setCr3(cpu: Cpu, value: number): void {
  const { state } = cpu;
  reloadPdptes(cpu, state.get(AT_CR), state.get(AT_CR + 16), value);
  state.set(AT_CR + 12, value);
  cpu.mmu.flushLocal();
}

/** CR4 bits by the feature that brings them. Every processor of this family has PCE. */
const CR4_BITS: readonly [bits: number, feature: number][] = [
  [CR4_VME | CR4_PVI, FEATURE.VME],
  [CR4_TSD, FEATURE.TSC],
  [CR4_DE, FEATURE.DE],
  [CR4_PSE, FEATURE.PSE],
  [CR4_PAE, FEATURE.PAE],
  [CR4_MCE, FEATURE.MCE],
  [CR4_PGE, FEATURE.PGE],
  [CR4_PCE, 0],
  [CR4_OSFXSR, FEATURE.FXSR],
  [CR4_OSXMMEXCPT, FEATURE.SSE],
];

function setCr4(cpu: Cpu, value: number): void {
  const { state, features } = cpu;
  let unknown = value;
  for (const [bits, feature] of CR4_BITS) {
    if ((features & feature) === feature) unknown &= ~bits;
  }
  if (unknown) throw Fault.of(GP, 0);
  const paging = (state.get(AT_CR + 16) ^ value) & (CR4_PSE | CR4_PAE | CR4_PGE);
  if (paging) reloadPdptes(cpu, state.get(AT_CR), value);
  state.set(AT_CR + 16, value);
  if (paging) cpu.mmu.flush();
}

/** SMSW: a 32-bit register gets all of CR0. */
export function smsw(cpu: Cpu, insn: Insn): void {
  const memory = insn.operands[0]!.kind === KIND.MEM;
  writeOperand(cpu, insn, 0, cpu.state.get(AT_CR), memory ? 2 : insn.operandSize);
}

/** LMSW sets PE, MP, EM, TS; it cannot clear PE. */
export function lmsw(cpu: Cpu, insn: Insn): void {
  privileged(cpu);
  const cr0 = cpu.state.get(AT_CR);
  const value = readOperand(cpu, insn, 0);
  setCr0(cpu, (cr0 & ~0xe) | (value & 0xf) | (cr0 & CR0_PE));
}

/** CLTS. */
export function clts(cpu: Cpu): void {
  privileged(cpu);
  cpu.state.set(AT_CR, cpu.state.get(AT_CR) & ~CR0_TS);
}

/**
 * Where a debug register lies. DR4 and DR5 are DR6 and DR7 unless CR4.DE.
 * @throws {Fault} #UD for DR4 and DR5 under CR4.DE, #GP(0) outside ring 0, #DB under general detect
 */
function debugRegister(cpu: Cpu, number: number): number {
  const { state } = cpu;
  const alias = number === 4 || number === 5;
  if (alias && state.get(AT_CR + 16) & CR4_DE) throw Fault.of(UD, 0);
  privileged(cpu);
  if (state.get(AT_DR + 28) & DR7.GD) {
    noteDebug(state, DR6.BD);
    throw Fault.of(DB, 0);
  }
  return AT_DR + (alias ? number + 2 : number) * 4;
}

/** MOV r32, DRn. */
export function readDebug(cpu: Cpu, insn: Insn): void {
  writeOperand(cpu, insn, 0, cpu.state.get(debugRegister(cpu, insn.operands[1]!.reg)));
}

/** MOV DRn, r32. */
export function writeDebug(cpu: Cpu, insn: Insn): void {
  const at = debugRegister(cpu, insn.operands[0]!.reg);
  const value = readOperand(cpu, insn, 1);
  if (at === AT_DR + 28) {
    cpu.state.set(at, (value & DR7.WRITABLE) | DR7.FIXED);
    updateMode(cpu);
  } else if (at === AT_DR + 24) cpu.state.set(at, (value & DR6.WRITABLE) | DR6.FIXED);
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
  cpu.leave(EXIT_CPUID);
  if (cpu.exit.value === 1) return;
  const features = cpu.hidesApic ? cpu.features & ~FEATURE.APIC : cpu.features;
  const [eax, ebx, ecx, edx] = cpuidLeaf(leaf, cpu.signature, features);
  regs[EAX] = eax!;
  regs[EBX] = ebx!;
  regs[ECX] = ecx!;
  regs[EDX] = edx!;
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
