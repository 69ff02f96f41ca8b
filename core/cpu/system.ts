/**
 * Descriptor tables, software interrupts, and what else always leaves the straight line.
 * @module
 */

import { EXIT } from "../types.ts";
import type { Cpu } from "./cpu.ts";
import { noteDebug } from "./debug.ts";
import { deliver, raise } from "./deliver.ts";
import { checkIopl } from "./eflags.ts";
import { VECTOR } from "./fault.ts";
import type { Insn, SystemOp } from "./insn.ts";
import { effectiveAddress, maskAddress, privileged } from "./operand.ts";
import { AT, FLAG } from "./state.ts";

const { GDT_BASE, GDT_LIMIT, IDT_BASE, IDT_LIMIT } = AT;
const { OF, VM } = FLAG;
const { HLT: EXIT_HLT, VMCALL: EXIT_VMCALL } = EXIT;
const { BP, DB, OF: VECTOR_OF } = VECTOR;

// ---- software interrupts ------------------------------------------------------------------------

function softwareInterrupt(cpu: Cpu, vector: number): void {
  deliver(cpu, vector, 0, "software", cpu.nextEip);
}

/** INT n: in virtual-8086 mode IOPL must be 3. */
export function intN(cpu: Cpu, insn: Insn): void {
  if (cpu.state.flag(VM)) checkIopl(cpu);
  softwareInterrupt(cpu, insn.imm);
}

/** INT3: IOPL does not matter to it. */
export const int3: SystemOp = (cpu) => softwareInterrupt(cpu, BP);

/** INTO. */
export function into(cpu: Cpu): void {
  if (cpu.state.eflags & OF) softwareInterrupt(cpu, VECTOR_OF);
}

/** INT1 is a trap like an exception: no gate privilege check. */
export function int1(cpu: Cpu): void {
  cpu.state.eip = cpu.nextEip;
  noteDebug(cpu.state, 0);
  raise(cpu, DB, 0);
}

/** HLT: the exit comes before EIP moves on. */
export function hlt(cpu: Cpu): void {
  privileged(cpu);
  cpu.halted = true;
  cpu.leave(EXIT_HLT);
}

/**
 * VMCALL and VMMCALL. EIP is still that of the instruction while the host serves the call, and stays
 * there if the host leaves 1 in `exit.value`.
 */
export function vmcall(cpu: Cpu, insn: Insn): void {
  cpu.exit.value = 0;
  cpu.leave(EXIT_VMCALL);
  if (cpu.exit.value === 1) cpu.nextEip = insn.pc;
}

// ---- descriptor tables --------------------------------------------------------------------------

type Table = "GDT" | "IDT";
const BASE_OF = { GDT: GDT_BASE, IDT: IDT_BASE } as const;
const LIMIT_OF = { GDT: GDT_LIMIT, IDT: IDT_LIMIT } as const;

/** LGDT, LIDT: of a base, 16-bit operands have 24 bits. */
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

/** SGDT, SIDT: the whole base at either operand size. */
export function storeTable(table: Table): SystemOp {
  return (cpu, insn) => {
    const at = effectiveAddress(cpu, insn);
    cpu.write(insn.segment, at, 2, cpu.state.get(LIMIT_OF[table]));
    cpu.write(insn.segment, maskAddress(at + 2, insn), 4, cpu.state.get(BASE_OF[table]));
  };
}

/** INVD, WBINVD: there is no cache, but Xen intercepts both. */
export function cacheFlush(reason: typeof EXIT.INVD | typeof EXIT.WBINVD): SystemOp {
  return (cpu) => {
    privileged(cpu);
    cpu.leave(reason);
  };
}
