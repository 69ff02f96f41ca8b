/**
 * x87 instructions of generated programs.
 * @module
 */

import type { Rng } from "../fuzz/rng.ts";
import type { Assembler, Mem } from "./asm.ts";

/** Opcodes with memory operands; any extension where none is given. */
const FLOAT_MEMORY: readonly (readonly [opcode: number, extension?: number])[] = [
  [0xd8],
  [0xdc],
  [0xda],
  [0xde],
  [0xd9, 0],
  [0xd9, 2],
  [0xd9, 3],
  [0xdd, 0],
  [0xdd, 0],
  [0xdd, 3],
  [0xdb, 0],
  [0xdb, 3],
  [0xdb, 5],
  [0xdb, 7],
  [0xdf, 0],
  [0xdf, 3],
  [0xdf, 5],
  [0xdf, 7],
  [0xd9, 7],
  [0xdd, 7],
];
/** Second bytes of D9 without a register: sign, constants, roots, the stack's top. */
const FLOAT_SINGLE = [0xe0, 0xe1, 0xe4, 0xe5, 0xe8, 0xeb, 0xee, 0xfa, 0xfc, 0xfd, 0xf6, 0xf7, 0xf8];
/** Second bytes of register forms, before the register is added. */
const FLOAT_REGISTER: Readonly<Record<number, readonly number[]>> = {
  0xd8: [0xc0, 0xc8, 0xd0, 0xe0, 0xf0],
  0xdc: [0xc0, 0xc8, 0xe8, 0xf8],
  0xde: [0xc0, 0xc8, 0xe8, 0xf8],
  0xda: [0xc0, 0xc8, 0xd0, 0xd8],
  0xdb: [0xc0, 0xd0, 0xe8, 0xf0],
  0xdd: [0xc0, 0xd0, 0xd8, 0xe0],
  0xdf: [0xe8, 0xf0],
};

/**
 * One x87 instruction; any order of them is allowed, as their exceptions are masked.
 * @param memory a memory operand, where one is needed
 * @param free EAX may change
 */
export function writeFloat(asm: Assembler, rng: Rng, memory: () => Mem, free: boolean): void {
  if (rng.chance(50)) {
    const [opcode, extension] = rng.pick(FLOAT_MEMORY);
    const operand = memory();
    asm.form(asm.word, opcode, extension ?? rng.below(8), operand);
  } else if (rng.chance(30)) {
    asm.bytes(0xd9, rng.pick(FLOAT_SINGLE));
  } else if (free && rng.chance(20)) {
    asm.bytes(0xdf, 0xe0);
    if (rng.chance(60)) asm.bytes(0x9e);
  } else {
    const opcode = rng.pick([0xd8, 0xdc, 0xde, 0xda, 0xdb, 0xdd, 0xdf]);
    asm.bytes(opcode, rng.pick(FLOAT_REGISTER[opcode]!) + rng.below(8));
  }
}
