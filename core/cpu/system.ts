/**
 * Flags, control registers, descriptor tables, software interrupts, and what else always leaves
 * the straight line.
 * @module
 */

import { EXIT } from "../types.ts";
import { cpuidLeaf } from "./cpuid.ts";
import type { Cpu } from "./cpu.ts";
import { deliver, Fault, raise, VECTOR } from "./fault.ts";
import type { Insn, SystemOp } from "./insn.ts";
import { readMsr, writeMsr } from "./msr.ts";
import { effectiveAddress, maskAddress, privileged, readOperand, writeOperand } from "./operand.ts";
import { peek, pushAll, setStackPointer } from "./stack.ts";
import { AT, CR0, CR4, EAX, EBX, ECX, EDX, FLAG } from "./state.ts";
import { updateMode } from "./segment.ts";

const { GP, UD } = VECTOR;

// ---- flags -------------------------------------------------------------------------------------

function iopl(cpu: Cpu): number {
  return cpu.state.get(AT.EFLAGS) >> 12 & 3;
}

/** @throws {Fault} #GP(0) where IOPL forbids touching IF */
function checkIopl(cpu: Cpu): void {
  const { state } = cpu;
  const limit = state.flag(FLAG.VM) ? iopl(cpu) < 3 : state.cpl > iopl(cpu);
  if (state.get(AT.CR) & CR0.PE && limit) throw Fault.of(GP, 0);
}

export function pushf(cpu: Cpu, insn: Insn): void {
  if (cpu.state.flag(FLAG.VM)) checkIopl(cpu);
  pushAll(cpu, insn.operandSize, [cpu.state.eflags & ~(FLAG.VM | FLAG.RF)]);
}

export function popf(cpu: Cpu, insn: Insn): void {
  if (cpu.state.flag(FLAG.VM)) checkIopl(cpu);
  const value = peek(cpu, 0, insn.operandSize);
  setStackPointer(cpu, cpu.state.regs[4]! + insn.operandSize);
  setFlags(cpu, value, insn.operandSize);
}

/** Loads EFLAGS as POPF and IRET to the same ring may: IOPL at CPL 0, IF at CPL ≤ IOPL. */
export function setFlags(cpu: Cpu, value: number, size: 2 | 4): void {
  const { state } = cpu;
  let writable = 0xdd5 | FLAG.NT | FLAG.AC | FLAG.ID;
  const real = !(state.get(AT.CR) & CR0.PE);
  if (real || state.cpl === 0) writable |= FLAG.IOPL;
  if (real || state.cpl <= iopl(cpu)) writable |= FLAG.IF;
  else writable &= ~FLAG.IF;
  if (size === 2) writable &= 0xffff;
  const before = state.eflags & ~FLAG.RF;
  state.eflags = (before & ~writable) | (value & writable);
  if ((before ^ state.eflags) & FLAG.AC) updateMode(cpu);
}

export function cli(cpu: Cpu): void {
  checkIopl(cpu);
  cpu.state.setFlag(FLAG.IF, false);
}

export function sti(cpu: Cpu): void {
  checkIopl(cpu);
  if (!cpu.state.flag(FLAG.IF)) cpu.shadow = true;
  cpu.state.setFlag(FLAG.IF, true);
}

export function cld(cpu: Cpu): void {
  cpu.state.setFlag(FLAG.DF, false);
}

export function std(cpu: Cpu): void {
  cpu.state.setFlag(FLAG.DF, true);
}

// ---- software interrupts -------------------------------------------------------------------------

function softwareInterrupt(cpu: Cpu, vector: number): void {
  deliver(cpu, vector, 0, "software", cpu.nextEip);
}

export function intN(cpu: Cpu, insn: Insn): void {
  if (cpu.state.flag(FLAG.VM)) checkIopl(cpu);
  softwareInterrupt(cpu, insn.imm);
}

export const int3: SystemOp = (cpu) => softwareInterrupt(cpu, VECTOR.BP);

export function into(cpu: Cpu): void {
  if (cpu.state.eflags & FLAG.OF) softwareInterrupt(cpu, VECTOR.OF);
}

/** INT1 is a trap like an exception: no gate privilege check. */
export function int1(cpu: Cpu): void {
  cpu.state.eip = cpu.nextEip;
  raise(cpu, VECTOR.DB, 0);
}

export function hlt(cpu: Cpu): void {
  privileged(cpu);
  cpu.halted = true;
  cpu.leave(EXIT.HLT);
}

/** VMCALL and VMMCALL. EIP is still that of the instruction while the host serves the call. */
export function vmcall(cpu: Cpu): void {
  cpu.leave(EXIT.VMCALL);
}

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

function setCr3(cpu: Cpu, value: number): void {
  cpu.state.set(AT.CR + 12, value);
  cpu.mmu.flush();
}

function setCr4(cpu: Cpu, value: number): void {
  const known = CR4.TSD | CR4.DE | CR4.PSE | CR4.PGE;
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

// ---- descriptor tables -----------------------------------------------------------------------------

type Table = "GDT" | "IDT";
const BASE_OF = { GDT: AT.GDT_BASE, IDT: AT.IDT_BASE } as const;
const LIMIT_OF = { GDT: AT.GDT_LIMIT, IDT: AT.IDT_LIMIT } as const;

export function loadTable(table: Table): SystemOp {
  return (cpu, insn) => {
    privileged(cpu);
    const at = effectiveAddress(cpu, insn);
    const limit = cpu.read(insn.segment, at, 2);
    const base = cpu.read(insn.segment, maskAddress(at + 2, insn), 4);
    cpu.state.set(LIMIT_OF[table], limit);
    cpu.state.set(BASE_OF[table], insn.operandSize === 4 ? base : base & 0xffffff);
  };
}

export function storeTable(table: Table): SystemOp {
  return (cpu, insn) => {
    const at = effectiveAddress(cpu, insn);
    cpu.write(insn.segment, at, 2, cpu.state.get(LIMIT_OF[table]));
    cpu.write(insn.segment, maskAddress(at + 2, insn), 4, cpu.state.get(BASE_OF[table]));
  };
}

export function invlpg(cpu: Cpu, insn: Insn): void {
  privileged(cpu);
  const base = cpu.state.segmentBase(insn.segment);
  cpu.mmu.invalidate((base + effectiveAddress(cpu, insn)) >>> 0);
}

/** INVD, WBINVD. */
export function cacheFlush(reason: 13 | 54): SystemOp {
  return (cpu) => {
    privileged(cpu);
    cpu.leave(reason);
  };
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
  const [eax, ebx, ecx, edx] = cpuidLeaf(leaf, cpu.signature);
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
