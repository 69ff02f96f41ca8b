/**
 * Records of the first tier: their words, and what decides which handler a record gets.
 * @module
 */

import { type Insn, KIND } from "./insn.ts";
import { CS, FS, MODE } from "./state.ts";

/**
 * Fields of a record: byte offsets. A kernel's worth of records does not fit into the host's caches,
 * so they are short: those of branches, last in their blocks, go on behind `STRIDE`.
 */
export const REC = {
  HANDLER: 0,
  PC: 4,
  /** Immediate operand, or its host address if the guest changes it. */
  IMM: 8,
  /** In a head record: runs left until the block is compiled. */
  HEAT: 8,
  DISP: 12,
  /** In a complex or straddling record: number of the instruction. */
  INSN: 12,
  /** Byte addresses of up to three register operands, 16 bits each. */
  REG: 16,
  /** In the first record of a block: instructions that a head takes off the budget at once. */
  COUNT: 16,
  /** Instructions of the block from this one on: 8 bits. */
  LEFT: 22,
  /** The instruction has met MMIO, or code where it writes, and probably will again: 8 bits. */
  SLOW: 23,
  /** In the first record of a block: what leads from its linear address to its memory. */
  ADDEND: 24,
  /** Byte addresses of the base and the index register, 16 bits each. */
  BASE: 24,
  INDEX: 26,
  /** Byte address of the memory operand's segment register: 16 bits. */
  SEGMENT: 28,
  /** In the record of INT: EIP behind it. */
  RETURN: 28,
  SCALE: 30,
  STRIDE: 32,
  NEXT: 32,
  TARGET: 36,
  /** Head record behind the target and behind the next instruction, 0 while unknown. */
  TAKEN: 40,
  FALL: 44,
  BRANCH_STRIDE: 64,
} as const;

/** Handler numbers of `SPECIAL` in recorder.ts, fixed by the order in which they are made. */
export const HANDLER = {
  STOP: 0,
  HEAD: 1,
  COMPLEX: 2,
  ENTER: 3,
  STRADDLING: 4,
  INTERRUPT: 5,
  INTERRUPT_RETURN: 6,
} as const;

/** What a handler is specialised on, beside its row. */
export interface Shape {
  readonly flat: boolean;
  readonly flatMemory: boolean;
  readonly stack32: boolean;
  /** Target, and next instruction, lie on the instruction's own page. */
  readonly nearTarget: boolean;
  readonly nearNext: boolean;
  /** The guest changes the immediate operand. */
  readonly patched: boolean;
}

/**
 * Shape of an instruction under a mode word.
 * @param base linear base of the code segment
 * @param near take all jumps for near ones
 */
export function shapeOf(
  insn: Insn,
  mode: number,
  base: number,
  near: boolean,
  patched: boolean,
): Shape {
  const flat = (mode & MODE.FLAT) !== 0;
  const samePage = (eip: number): boolean => near || ((base + eip) ^ (base + insn.pc)) >>> 12 === 0;
  return {
    flat,
    flatMemory: flat && insn.segment < FS && insn.segment !== CS,
    stack32: (mode & MODE.STACK32) !== 0,
    nearTarget: samePage(insn.target),
    nearNext: samePage(insn.next),
    patched,
  };
}

/** A number that is equal exactly when one handler can serve both instructions. */
export function shapeKey(insn: Insn, shape: Shape): number {
  let key = insn.row.id;
  const bit = (on: boolean): void => {
    key = key * 2 + (on ? 1 : 0);
  };
  bit(insn.operandSize === 4);
  bit(insn.addressSize === 4);
  bit(insn.index >= 0);
  bit(shape.flat);
  bit(shape.flatMemory);
  bit(shape.stack32);
  bit(insn.row.branch && shape.nearTarget);
  bit(insn.row.branch && shape.nearNext);
  bit(shape.patched);
  for (const operand of insn.operands) bit(operand.kind === KIND.MEM);
  return key * 4 + insn.operands.length;
}

/** Byte address of a byte register: AL CL DL BL AH CH DH BH. */
export function byteRegister(register: number): number {
  return register < 4 ? register * 4 : (register - 4) * 4 + 1;
}

/** Byte address of a general register operand in linear memory. */
export function registerAddress(register: number, size: number): number {
  return size === 1 ? byteRegister(register) : register * 4;
}
