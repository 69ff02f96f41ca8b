/**
 * How MMX and SSE instructions get at their operands. An operand is an address in linear memory: of
 * a register, or of the slot that a memory operand is copied to. So a meaning is a function of
 * addresses, the same for MMX, XMM and general registers.
 * Source: Intel SDM vol. 1 ch. 9–11, vol. 3 ch. 12–13.
 * @module
 */

import type { Cpu } from "../cpu.ts";
import { Fault, VECTOR } from "../fault.ts";
import { type Insn, KIND, type Operand, type SystemOp } from "../insn.ts";
import { effectiveAddress } from "../operand.ts";
import { AT, type CpuState, CR0, CR4 } from "../state.ts";
import { checkAligned, readWide, writeWide } from "./memory.ts";

/**
 * What an instruction does to the operands at two addresses.
 * @param to operand 0, read and written
 * @param from operand 1; may be `to`
 * @param bytes of operand 0
 */
export type VectorOp = (
  view: DataView,
  to: number,
  from: number,
  bytes: number,
  imm: number,
) => void;

const STRIDE = 16;
/** Status word: an unmasked exception is pending, the number of the top register. */
const ES = 0x80, TOP = 0x3800;
/** Sign and exponent of an x87 register that was written as an MMX register. */
const ALL_ONES = 0xffff, EXPONENT_AT = 8;
const ALL_VALID = 0;

function uses(insn: Insn, kind: number): boolean {
  const { operands } = insn;
  return operands[0]!.kind === kind || (operands.length > 1 && operands[1]!.kind === kind);
}

/**
 * What every MMX and SSE instruction checks first.
 * @throws {Fault} #UD, #NM, #MF
 */
export function permit(cpu: Cpu, insn: Insn): void {
  if (uses(insn, KIND.XMM)) permitSse(cpu);
  if (uses(insn, KIND.MMX)) permitMmx(cpu);
}

/** @throws {Fault} #UD where CR0.EM is set or CR4.OSFXSR clear, #NM where CR0.TS is set */
export function permitSse(cpu: Cpu): void {
  const cr0 = cpu.state.get(AT.CR);
  if (cr0 & CR0.EM || !(cpu.state.get(AT.CR + 16) & CR4.OSFXSR)) throw Fault.of(VECTOR.UD, 0);
  if (cr0 & CR0.TS) throw Fault.of(VECTOR.NM, 0);
}

/** @throws {Fault} #UD where CR0.EM is set, #NM where TS is, #MF for an earlier x87 exception */
export function permitMmx(cpu: Cpu): void {
  const cr0 = cpu.state.get(AT.CR);
  if (cr0 & CR0.EM) throw Fault.of(VECTOR.UD, 0);
  if (cr0 & CR0.TS) throw Fault.of(VECTOR.NM, 0);
  if (cpu.state.get(AT.FPU_STATUS) & ES) throw Fault.of(VECTOR.MF, 0);
}

/** What a store from an MMX register does before it can fault; a load has then done nothing. */
export function putR0OnTop(state: CpuState): void {
  state.set(AT.FPU_STATUS, state.get(AT.FPU_STATUS) & ~TOP);
}

/** The x87 registers become MMX registers: R0 on top, none empty. */
export function turnToMmx(state: CpuState, tags: number = ALL_VALID): void {
  putR0OnTop(state);
  state.set(AT.FPU_TAGS, tags);
}

/** Address of a register operand. */
export function registerAt({ kind, reg }: Operand): number {
  if (kind === KIND.XMM) return AT.XMM + reg * STRIDE;
  return kind === KIND.MMX ? AT.FPU_REGS + reg * STRIDE : AT.REGS + reg * 4;
}

/** Bytes of the register or memory operand as a whole. */
function widthOf({ kind, size }: Operand): number {
  return kind === KIND.XMM ? 16 : kind === KIND.MMX ? 8 : size;
}

/** Address of operand 1 after memory has been read; of operand 0 where there is no other. */
export function fetch(cpu: Cpu, insn: Insn, aligned: boolean): number {
  const { kind, size } = insn.operands[1]!;
  if (kind === KIND.IMM) return registerAt(insn.operands[0]!);
  if (kind !== KIND.MEM) return registerAt(insn.operands[1]!);
  const offset = effectiveAddress(cpu, insn);
  const to = AT.SIMD_SOURCE;
  if (size === 16 && aligned) checkAligned(cpu, insn.segment, offset);
  if (size > 2) readWide(cpu, insn.segment, offset, size, to);
  else cpu.state.view.setUint16(to, cpu.read(insn.segment, offset, 2), true);
  return to;
}

function store(cpu: Cpu, insn: Insn, aligned: boolean, op: VectorOp): void {
  const { size } = insn.operands[0]!;
  const offset = effectiveAddress(cpu, insn);
  const mmx = uses(insn, KIND.MMX);
  if (mmx) putR0OnTop(cpu.state);
  if (size === 16 && aligned) checkAligned(cpu, insn.segment, offset);
  op(cpu.state.view, AT.SIMD_RESULT, registerAt(insn.operands[1]!), size, insn.imm);
  writeWide(cpu, insn.segment, offset, size, AT.SIMD_RESULT);
  if (mmx) turnToMmx(cpu.state);
}

/** An operand was written: what else a register of its kind shows. */
export function written(state: CpuState, { kind, reg }: Operand): void {
  if (kind === KIND.MMX) {
    state.view.setUint16(AT.FPU_REGS + reg * STRIDE + EXPONENT_AT, ALL_ONES, true);
  }
}

/**
 * An instruction without floating-point exceptions.
 * @param aligned 16 bytes of memory must lie at a multiple of 16
 */
export function vector(op: VectorOp, aligned = true): SystemOp {
  return (cpu, insn) => {
    const { state } = cpu;
    const first = insn.operands[0]!;
    permit(cpu, insn);
    if (first.kind === KIND.MEM) return store(cpu, insn, aligned, op);
    const from = fetch(cpu, insn, aligned);
    if (uses(insn, KIND.MMX)) turnToMmx(state);
    op(state.view, registerAt(first), from, widthOf(first), insn.imm);
    written(state, first);
  };
}

/** The instruction names an MMX register, and so ends the use of the x87 registers as a stack. */
export function usesMmx(insn: Insn): boolean {
  return uses(insn, KIND.MMX);
}
