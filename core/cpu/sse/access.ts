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
import { readWide, writeWide } from "../wide.ts";

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

/** The instruction names an MMX register, and so ends the use of the x87 registers as a stack. */
export function usesMmx(insn: Insn): boolean {
  return uses(insn, KIND.MMX);
}

/**
 * What every MMX and SSE instruction checks first.
 * @throws {Fault} #UD, #NM, #MF
 */
export function permit(cpu: Cpu, insn: Insn): void {
  if (uses(insn, KIND.XMM)) permitSse(cpu);
  if (usesMmx(insn)) permitMmx(cpu);
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
  // With CR0.NE clear the error goes to a pin, and the processor goes on.
  if (cr0 & CR0.NE && cpu.state.get(AT.FPU_STATUS) & ES) throw Fault.of(VECTOR.MF, 0);
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

/**
 * Linear address of a memory operand, after the checks that come before paging.
 * @param n operand: 0 is written, 1 is read
 * @param aligned 16 bytes must lie at a multiple of 16
 * @throws {Fault} #GP, #SS, #AC
 */
function linearOf(cpu: Cpu, insn: Insn, n: 0 | 1, aligned: boolean): number {
  const { segment } = insn;
  const { size } = insn.operands[n]!;
  const offset = effectiveAddress(cpu, insn);
  const misplaced = (cpu.state.segmentBase(segment) + offset) & 15;
  if (misplaced && size === 16 && aligned) throw Fault.of(VECTOR.GP, 0);
  return cpu.linear(segment, offset, size, n === 0);
}

/** Address of operand 1, after memory has been read. */
export function fetch(cpu: Cpu, insn: Insn, aligned: boolean): number {
  const second = insn.operands[1]!;
  if (second.kind !== KIND.MEM) return registerAt(second);
  const linear = linearOf(cpu, insn, 1, aligned);
  const to = AT.SIMD_SOURCE;
  if (second.size > 2) readWide(cpu, linear, second.size, to);
  else cpu.state.view.setUint16(to, cpu.mmu.read(linear, 2), true);
  return to;
}

function store(cpu: Cpu, insn: Insn, aligned: boolean, op: VectorOp): void {
  const { state } = cpu;
  const { size } = insn.operands[0]!;
  const mmx = usesMmx(insn);
  if (mmx) putR0OnTop(state);
  const linear = linearOf(cpu, insn, 0, aligned);
  op(state.view, AT.SIMD_RESULT, registerAt(insn.operands[1]!), size, insn.imm);
  writeWide(cpu, linear, size, AT.SIMD_RESULT);
  if (mmx) turnToMmx(state);
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
    if (usesMmx(insn)) turnToMmx(state);
    op(state.view, registerAt(first), from, widthOf(first), insn.imm);
    written(state, first);
  };
}
