/**
 * What an instruction may say: the interface between the semantics (`sem/`) and the tiers.
 *
 * Order inside an instruction: memory is written first, then registers and flags, so that a fault
 * leaves both as they were.
 * @module
 */

import type { Val } from "./ir.ts";
import type { Callee } from "./wasm.ts";

/** New values of flag words; what is absent stays. See `AT` in state.ts. */
export interface FlagWords {
  ca?: Val;
  cb?: Val;
  fr?: Val;
  fo?: Val;
  fx?: Val;
  /** SF differs from OF, as 0 or 1, where that is simpler to say than by `fr` and `fo`. */
  less?: Val;
  /** ZF is set or SF differs from OF: the same. */
  notGreater?: Val;
  /** CF or ZF is set: the same, by `ca`, `cb` and `fr`. */
  notAbove?: Val;
}

/** The arithmetic flags, as 0 or 1, except `sign`, `overflow`: negative when set. */
export interface Flags {
  readonly carry: Val;
  readonly zero: Val;
  readonly parity: Val;
  readonly adjust: Val;
  readonly sign: Val;
  readonly overflow: Val;
  /** SF differs from OF, as 0 or 1. */
  readonly less: Val;
  /** ZF is set or SF differs from OF, as 0 or 1. */
  readonly notGreater: Val;
  /** CF or ZF is set, as 0 or 1. */
  readonly notAbove: Val;
}

/** Recorder of one instruction. Operand numbers count from 0 as in the opcode row. */
export interface X extends Flags {
  /** Bytes of operand 0. */
  readonly size: 1 | 2 | 4;
  /** Bytes of operand `n`. */
  sizeOf(n: number): 1 | 2 | 4;
  /** Operand size of the instruction: 2 or 4. */
  readonly operandSize: 2 | 4;
  /** Address size of the instruction: 2 or 4. */
  readonly addressSize: 2 | 4;

  /** Evaluates now; the result may be used many times. */
  let(v: Val): Val;
  let64(v: Val): Val;
  if(cond: Val, then: () => void, otherwise?: () => void): void;

  /** Operand `n`, zero-extended, read now. */
  read(n: number): Val;
  /** As {@link read}, but a memory operand must also be writable; {@link write} to it follows. */
  modify(n: number): Val;
  /** Writes the low bytes of `v` to operand `n`. */
  write(n: number, v: Val): void;
  /** Offset of memory operand `n` in its segment (LEA). */
  address(n: number): Val;
  isMemory(n: number): boolean;

  /** General register by number and size; byte registers are AL CL DL BL AH CH DH BH. */
  reg(register: number, size?: 1 | 2 | 4): Val;
  setReg(register: number, v: Val, size?: 1 | 2 | 4): void;
  /** Memory of a segment register by number; `"operand"` is the one the prefixes choose for DS. */
  load(segment: number | "operand", offset: Val, size: 1 | 2 | 4): Val;
  store(segment: number | "operand", offset: Val, size: 1 | 2 | 4, v: Val): void;
  /**
   * {@link read}, or {@link modify} if `writable`, `displacement` bytes beyond memory operand `n`.
   */
  readAt(n: number, displacement: Val, writable: boolean): Val;
  push(v: Val, size: 2 | 4): void;
  /** The memory half of {@link push}; `setStack` with the result is the other. */
  writeBelow(v: Val, size: 2 | 4): Val;
  pop(size: 2 | 4): Val;
  /** What {@link pop} would return, with ESP left alone. */
  peek(size: 2 | 4): Val;
  /** Releases `bytes`, then `more`, from the stack: adds to SP or ESP, by the stack's size. */
  moveStack(bytes: number, more?: Val): void;
  /** Cuts an offset to the stack's size. */
  stackOffset(v: Val): Val;
  /** Sets SP or ESP, by the stack's size. */
  setStack(v: Val): void;

  setFlags(words: FlagWords): void;
  /** Negative when DF is set: +1 or -1 times `size`. */
  step(size: number): Val;

  /** #GP(0) if the relative target, or an EIP, lies beyond the code segment. */
  checkTarget(): void;
  checkLimit(eip: Val): void;
  /** Ends the block at the relative target in the instruction. */
  jump(): void;
  /** Ends the block: relative target if `cond`, else the next instruction. */
  jumpIf(cond: Val): void;
  jumpTo(eip: Val): void;
  /** Ends the block in front of the next instruction. */
  proceed(): void;
  /** What the budget holds in front of the instruction. */
  readonly budgetLeft: Val;
  /** Address of the instruction, and of the next one. */
  readonly pc: Val;
  readonly next: Val;
  /** Immediate of the instruction; of an x87 instruction its opcode as FOP holds it. */
  readonly immediate: Val;

  /** Calls a function outside, which may fault; it touches no general register and no flag. */
  call(callee: Callee, ...args: readonly Val[]): void;
  /** As {@link call}, with the result. */
  callFor(callee: Callee, ...args: readonly Val[]): Val;
  /** Linear address of memory operand `n` of `bytes`, its segment checked (1 read, 2 write). */
  linear(n: number, bytes: number, rights: 1 | 2): Val;
  /** Number of x87, MMX or XMM register operand `n`. */
  vectorIndex(n: number): Val;
  /** Selector of a segment register; `"operand"` is the one the memory operand uses. */
  selector(segment: number | "operand"): Val;
  /** Stores a word of the state that is neither a general register nor a flag: see `AT`. */
  setWord(at: number, v: Val): void;
  /** Raises an exception without error code. */
  fault(vector: number): void;
}

/** One instruction's meaning. */
export type Sem = (x: X) => void;
