/**
 * CPUID and MSR exits: what Xen answers, and IA32_APIC_BASE. Everything else is the CPU's.
 * Source: Intel SDM vol. 4, chapter 2; guest_rdmsr() and guest_wrmsr() of xen/arch/x86/msr.c.
 * @module
 */

import type { VcpuState } from "../types.ts";
import type { ApicBase, Paravirt } from "./hypervisor_parts.ts";

const [EAX, ECX, EDX, EBX] = [0, 1, 2, 3] as const;

const MSR_APIC_BASE = 0x1b;

/** Answers CPUID into the registers. @returns false for a leaf that is the CPU's */
export function answerCpuid(
  xen: Pick<Paravirt, "cpuid">,
  leaf: number,
  { regs }: VcpuState,
): boolean {
  const answer = xen.cpuid(leaf, regs[ECX]!);
  if (answer === undefined) return false;
  regs[EAX] = answer[0]!;
  regs[EBX] = answer[1]!;
  regs[ECX] = answer[2]!;
  regs[EDX] = answer[3]!;
  return true;
}

/** Answers RDMSR into EDX:EAX. @returns false for a register that is the CPU's, or nobody's */
export function readMsr(
  xen: Pick<Paravirt, "readMsr">,
  apic: ApicBase | undefined,
  msr: number,
  { regs }: VcpuState,
): boolean {
  const value = msr === MSR_APIC_BASE ? apic && BigInt(apic.base) : xen.readMsr(msr);
  if (value === undefined) return false;
  regs[EAX] = Number(value & 0xffffffffn);
  regs[EDX] = Number(value >> 32n);
  return true;
}

/** Takes WRMSR's EDX:EAX. @returns false for a register that is the CPU's, or for a bad value */
export function writeMsr(
  xen: Pick<Paravirt, "writeMsr">,
  apic: ApicBase | undefined,
  msr: number,
  { regs }: VcpuState,
): boolean {
  const [low, high] = [regs[EAX]!, regs[EDX]!];
  if (msr === MSR_APIC_BASE) return apic?.setBase(low, high) === true;
  return xen.writeMsr(msr, low, high) === true;
}
