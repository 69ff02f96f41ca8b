/**
 * Instructions on control, debug and model-specific registers, identification and time.
 * Source: Intel SDM vol. 2; vol. 3 §2.5 and §17.2.
 * @module
 */

import { EXIT } from "../types.ts";
import { cpuidLeaf, FEATURE, profileFeatures } from "./cpuid.ts";
import type { Cpu } from "./cpu.ts";
import { Fault, VECTOR } from "./fault.ts";
import type { Insn } from "./insn.ts";
import { readMsr, writeMsr } from "./msr.ts";
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

export function readControl(cpu: Cpu, insn: Insn): void {
  const number = controlRegister(cpu, insn, 1);
  writeOperand(cpu, insn, 0, cpu.state.get(AT.CR + number * 4));
}

export function writeControl(cpu: Cpu, insn: Insn): void {
  const number = controlRegister(cpu, insn, 0);
  const value = readOperand(cpu, insn, 1);
  if (number === 0) setCr0(cpu, value);
  else if (number === 2) cpu.state.set(AT.CR + 8, value);
  else if (number === 3) setCr3(cpu, value);
  else setCr4(cpu, value);
}

/** Xen intercepts CR0 writes; CR3 and CR4 stay in the guest with EPT. */
function setCr0(cpu: Cpu, value: number): void {
  const { state } = cpu;
  const pagingWithoutProtection = (value & CR0.PG) !== 0 && !(value & CR0.PE);
  const writeThroughUncached = (value & CR0.NW) !== 0 && !(value & CR0.CD);
  if (pagingWithoutProtection || writeThroughUncached) throw Fault.of(GP, 0);
  cpu.exit.write = true;
  cpu.exit.value = value;
  cpu.leave(EXIT.CR_ACCESS);
  const known = CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.NE | CR0.WP | CR0.AM | CR0.NW | CR0.CD |
    CR0.PG;
  const before = state.get(AT.CR);
  state.set(AT.CR, (value & known) | CR0.ET);
  if ((before ^ value) & (CR0.PG | CR0.WP | CR0.PE)) cpu.mmu.flush();
  if ((before ^ value) & CR0.PE) state.set(AT.CPL, 0);
  updateMode(cpu);
}

export function setCr3(cpu: Cpu, value: number): void {
  cpu.state.set(AT.CR + 12, value);
  cpu.mmu.flush();
}

function setCr4(cpu: Cpu, value: number): void {
  const features = profileFeatures(cpu.profile);
  let known = CR4.TSD | CR4.DE | CR4.PSE | CR4.PGE;
  if (features & FEATURE.FXSR) known |= CR4.OSFXSR;
  if (features & FEATURE.SSE) known |= CR4.OSXMMEXCPT;
  if (value & ~known) throw Fault.of(GP, 0);
  cpu.state.set(AT.CR + 16, value);
  cpu.mmu.flush();
}

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

export function clts(cpu: Cpu): void {
  privileged(cpu);
  cpu.state.set(AT.CR, cpu.state.get(AT.CR) & ~CR0.TS);
}

/** DR4 and DR5 are DR6 and DR7 unless CR4.DE. Breakpoints are kept, not yet matched. */
function debugRegister(cpu: Cpu, number: number): number {
  if (number !== 4 && number !== 5) return AT.DR + number * 4;
  if (cpu.state.get(AT.CR + 16) & CR4.DE) throw Fault.of(UD, 0);
  return AT.DR + (number + 2) * 4;
}

export function readDebug(cpu: Cpu, insn: Insn): void {
  privileged(cpu);
  writeOperand(cpu, insn, 0, cpu.state.get(debugRegister(cpu, insn.operands[1]!.reg)));
}

export function writeDebug(cpu: Cpu, insn: Insn): void {
  privileged(cpu);
  const number = insn.operands[0]!.reg;
  const at = debugRegister(cpu, number);
  const value = readOperand(cpu, insn, 1);
  if (at === AT.DR + 28) {
    if (value & 0xff) cpu.notModelled("a hardware breakpoint (DR7)");
    cpu.state.set(at, (value & 0xffff2fff) | 0x400);
  } else if (at === AT.DR + 24) cpu.state.set(at, (value & 0xe00f) | 0xffff0ff0);
  else cpu.state.set(at, value);
}

export function invlpg(cpu: Cpu, insn: Insn): void {
  privileged(cpu);
  const base = cpu.state.segmentBase(insn.segment);
  cpu.mmu.invalidate((base + effectiveAddress(cpu, insn)) >>> 0);
}

// ---- identification, time, MSRs ----------------------------------------------------------------------

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

export function rdtsc(cpu: Cpu): void {
  const { state } = cpu;
  if (state.get(AT.CR + 16) & CR4.TSD) privileged(cpu);
  setPair(cpu, cpu.timestamp());
}

/** EDX:EAX from an integer below 2^53. */
function setPair(cpu: Cpu, value: number): void {
  cpu.state.regs[EAX] = value;
  cpu.state.regs[EDX] = Math.floor(value / 0x1_0000_0000);
}

/** RDPMC: there are no counters. */
export function rdpmc(): never {
  throw Fault.of(GP, 0);
}

export function rdmsr(cpu: Cpu): void {
  privileged(cpu);
  readMsr(cpu, cpu.state.regs[ECX]!);
}

export function wrmsr(cpu: Cpu): void {
  privileged(cpu);
  writeMsr(cpu, cpu.state.regs[ECX]!);
}
