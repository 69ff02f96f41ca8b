/**
 * Flags, descriptor tables, software interrupts, and what else always leaves the straight line.
 * @module
 */

import { EXIT } from "../types.ts";
import type { Cpu } from "./cpu.ts";
import { deliver, Fault, raise, VECTOR } from "./fault.ts";
import type { Insn, SystemOp } from "./insn.ts";
import { effectiveAddress, maskAddress, privileged } from "./operand.ts";
import { peek, pushAll, setStackPointer } from "./stack.ts";
import { AT, CR0, FLAG } from "./state.ts";
import { updateMode } from "./segment.ts";

const { GP } = VECTOR;

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

/** INVD, WBINVD. */
export function cacheFlush(reason: 13 | 54): SystemOp {
  return (cpu) => {
    privileged(cpu);
    cpu.leave(reason);
  };
}
