/**
 * A decoded instruction, and the opcode row it came from.
 * @module
 */

import type { Cpu } from "./cpu.ts";
import type { Sem } from "./x.ts";

/** Where an operand lives. `NONE` has a size only (string instructions). */
export const KIND = { NONE: 0, REG: 1, MEM: 2, IMM: 3, ST: 4, MMX: 5, XMM: 6 } as const;

/** Bytes of an operand. Semantics see 1, 2 and 4 only; x87 and SSE memory operands are wider. */
export type OperandSize = 1 | 2 | 4 | 8 | 10 | 16;

/** One operand. `reg` numbers a general, segment, control or debug register, as the row says. */
export interface Operand {
  readonly kind: number;
  readonly reg: number;
  readonly size: OperandSize;
}

/** Work that only TypeScript does: it ends the block, and is a precise VM exit point. */
export type SystemOp = (cpu: Cpu, insn: Insn) => void;

/** One row of the opcode table. */
export interface Row {
  readonly id: number;
  readonly mnemonic: string;
  /** Operand notation of the SDM opcode map; see decode.ts. */
  readonly operands: readonly string[];
  /** Meaning; absent where `system` holds it. */
  readonly sem?: Sem;
  readonly system?: SystemOp;
  /** Meaning under a REP prefix, where there is one. */
  readonly rep?: SystemOp;
  /** The semantics leave the straight line. */
  readonly branch: boolean;
  /** Such semantics only go on with the next instruction, in a block of its own. */
  readonly proceeds?: boolean;
  /** CPUID feature bits without which the encoding is undefined: see `FEATURE` in cpuid.ts. */
  readonly feature?: number;
}

/** A decoded instruction. */
export interface Insn {
  readonly row: Row;
  /** Opcode byte, 0Fxx for two-byte opcodes. */
  readonly opcode: number;
  /** ModRM byte, -1 when the instruction has none. */
  readonly modrm: number;
  readonly operands: readonly Operand[];
  readonly operandSize: 2 | 4;
  readonly addressSize: 2 | 4;
  /** Segment of the memory operand, or DS as overridden. */
  readonly segment: number;
  /** General registers, -1 when absent. */
  readonly base: number;
  readonly index: number;
  /** Shift count of the index. */
  readonly scale: number;
  readonly disp: number;
  /** Immediate, cut to its operand's size. Far pointers: the offset. */
  readonly imm: number;
  /** Second immediate: the selector of a far pointer, the nesting level of ENTER. */
  readonly imm2: number;
  /** Bytes of the immediate at the instruction's end; 0 when there is none or two. */
  readonly immediateBytes: number;
  /** 0, 0xf2 or 0xf3. */
  readonly rep: number;
  /** Bytes of prefixes in front of the opcode. */
  readonly prefixes: number;
  /** EIP of the instruction and of the next one. */
  readonly pc: number;
  readonly next: number;
  /** EIP a relative branch goes to. */
  readonly target: number;
}

/** Bytes of operand `n` of an integer instruction. */
export function integerSize(insn: Insn, n: number): 1 | 2 | 4 {
  return insn.operands[n]!.size as 1 | 2 | 4;
}
