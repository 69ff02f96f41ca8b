/**
 * EMMS, MXCSR to and from memory, and the instructions that order memory accesses: here all are in
 * order, so those do nothing. Source: Intel SDM vol. 2.
 * @module
 */

import type { Cpu } from "../cpu.ts";
import { Fault, VECTOR } from "../fault.ts";
import type { Insn } from "../insn.ts";
import { effectiveAddress, readOperand, writeOperand } from "../operand.ts";
import { AT } from "../state.ts";
import { permitMmx, permitSse, turnToMmx } from "./access.ts";
import { mxcsrMask } from "./mxcsr.ts";

const ALL_EMPTY = 0xffff;

/** EMMS. */
export function emms(cpu: Cpu): void {
  permitMmx(cpu);
  turnToMmx(cpu.state, ALL_EMPTY);
}

/** LDMXCSR. */
export function ldmxcsr(cpu: Cpu, insn: Insn): void {
  permitSse(cpu);
  const value = cpu.read(insn.segment, effectiveAddress(cpu, insn), 4);
  if (value & ~mxcsrMask(cpu)) throw Fault.of(VECTOR.GP, 0);
  cpu.state.set(AT.MXCSR, value);
}

/** STMXCSR. */
export function stmxcsr(cpu: Cpu, insn: Insn): void {
  permitSse(cpu);
  cpu.write(insn.segment, effectiveAddress(cpu, insn), 4, cpu.state.get(AT.MXCSR));
}

/** LFENCE, MFENCE, SFENCE. */
export function fence(): void {}

/** CLFLUSH: nothing is cached, but the byte must be one that may be read. */
export function clflush(cpu: Cpu, insn: Insn): void {
  cpu.mmu.hostAddress(cpu.linear(insn.segment, effectiveAddress(cpu, insn), 1, false), false);
}

/** MOVNTI: a store like any other. */
export function movnti(cpu: Cpu, insn: Insn): void {
  writeOperand(cpu, insn, 0, readOperand(cpu, insn, 1));
}
