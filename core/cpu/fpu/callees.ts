/**
 * The functions of the x87: those that instructions call, and those that its generated half and its
 * TypeScript half call of one another.
 * @module
 */

import { type Callee, I32, I64 } from "../wasm.ts";

const callee = (name: string, params: readonly number[], results: readonly number[]): Callee => ({
  name: `x87.${name}`,
  params,
  results,
});
const plain = (name: string, params: number, results: number = 0): Callee =>
  callee(name, new Array(params).fill(I32), new Array(results).fill(I32));

/**
 * Emulation or a task switch is on, or, where the argument is 1, an exception pends: #NM or #MF.
 */
export const UNREADY: Callee = plain("unready", 1);
/** FWAIT. */
export const WAIT: Callee = plain("wait", 0);

/** Names of the four operations. */
export type Operation = "add" | "sub" | "mul" | "div";

/** Arithmetic on registers by address: destination, two operands, 1 = pop. */
export const ARITHMETIC: Readonly<Record<Operation, Callee>> = {
  add: plain("add", 4),
  sub: plain("sub", 4),
  mul: plain("mul", 4),
  div: plain("div", 4),
};

/** Square root of the register at an address, in its place. */
export const SQRT: Callee = plain("sqrt", 1);
/** Integer next to the register at an address, in its place. */
export const RNDINT: Callee = plain("rndint", 1);

/** Number at a linear address to the temporary register. */
export const WIDEN: Readonly<Record<4 | 8 | 10, Callee>> = {
  4: plain("widen4", 1),
  8: plain("widen8", 1),
  10: plain("widen10", 1),
};
/** Integer at a linear address to the temporary register. */
export const WIDEN_INTEGER: Readonly<Record<2 | 4 | 8, Callee>> = {
  2: plain("widenInteger2", 1),
  4: plain("widenInteger4", 1),
  8: plain("widenInteger8", 1),
};
/**
 * ST(0) to the temporary register as memory will hold it, the new status word behind it. Result: 0
 * when an unmasked exception forbids the store.
 */
export const NARROW: Readonly<Record<4 | 8 | 10, Callee>> = {
  4: plain("narrow4", 0, 1),
  8: plain("narrow8", 0, 1),
  10: plain("narrow10", 0, 1),
};
/** As {@link NARROW}, as an integer. */
export const NARROW_INTEGER: Readonly<Record<2 | 4 | 8, Callee>> = {
  2: plain("narrowInteger2", 0, 1),
  4: plain("narrowInteger4", 0, 1),
  8: plain("narrowInteger8", 0, 1),
};
/** As {@link NARROW}, as 18 decimal digits. */
export const NARROW_DECIMAL: Callee = plain("narrowDecimal", 0, 1);
/** Writes what has been narrowed to a linear address, then the status word; 1 = pop. */
export const STORE: Readonly<Record<2 | 4 | 8 | 10, Callee>> = {
  2: plain("store2", 2),
  4: plain("store4", 2),
  8: plain("store8", 2),
  10: plain("store10", 2),
};

/** Sets the temporary register: high and low half of the significand, sign and exponent. */
export const CONSTANT: Callee = plain("constant", 3);
/** Pushes the temporary register, a number just widened. */
export const PUSH: Callee = plain("push", 0);
/** Pushes a copy of the register at an address. */
export const PUSH_COPY: Callee = plain("pushCopy", 1);
/** Copies ST(0) to an address, 1 = pop. */
export const COPY: Callee = plain("copy", 2);
/** Copies the register at an address to ST(0) unless it is empty. */
export const MOVE: Callee = plain("move", 2);
/** Exchanges ST(0) with the register at an address. */
export const EXCHANGE: Callee = plain("exchange", 1);
/** Sign of ST(0): bits to keep, bits to flip. */
export const SET_SIGN: Callee = plain("setSign", 2);

/**
 * Compares ST(0) with the register at an address; second argument 1: quiet NaNs are no error;
 * third: registers to pop. Result: CF, PF and ZF where EFLAGS has them.
 */
export const COMPARE: Callee = plain("compare", 3, 1);
/** As {@link COMPARE}, with the result in C0, C2 and C3. */
export const COMPARE_STATUS: Callee = plain("compareStatus", 3);

/** Sets the control word. */
export const LOAD_CONTROL: Callee = plain("loadControl", 1);

/** Frees the register at an address; 1 = pop. */
export const FREE: Callee = plain("free", 2);
/** Turns the stack: added to TOP. */
export const TURN: Callee = plain("turn", 1);
/** FNCLEX. */
export const CLEAR: Callee = plain("clear", 0);
/** FNINIT. */
export const INITIALIZE: Callee = plain("initialize", 0);

/** FBLD: linear address. */
export const LOAD_DECIMAL: Callee = plain("loadDecimal", 1);
/** FNSTENV: linear address, operand size. */
export const STORE_ENVIRONMENT: Callee = plain("storeEnvironment", 2);
/** FLDENV: linear address, operand size. */
export const LOAD_ENVIRONMENT: Callee = plain("loadEnvironment", 2);
/** FNSAVE: linear address, operand size. */
export const SAVE: Callee = plain("save", 2);
/** FRSTOR: linear address, operand size. */
export const RESTORE: Callee = plain("restore", 2);
/** FXSAVE: linear address. */
export const FXSAVE: Callee = plain("fxsave", 1);
/** FXRSTOR: linear address. */
export const FXRSTOR: Callee = plain("fxrstor", 1);

/** Instructions on the top of the stack that only TypeScript executes, by mnemonic. */
export const RARE = [
  "fxam",
  "f2xm1",
  "fyl2x",
  "fptan",
  "fpatan",
  "fxtract",
  "fprem1",
  "fprem",
  "fyl2xp1",
  "fsincos",
  "fscale",
  "fsin",
  "fcos",
] as const;
/** Their mnemonics. */
export type Rare = typeof RARE[number];
/** The function behind such an instruction. */
export const rare = (name: Rare): Callee => plain(name, 0);

// ---- between the halves -------------------------------------------------------------------------

/**
 * Arithmetic on finite numbers that are not zero, with exponents beyond their format: destination
 * address, sign (0 or 0x8000) and biased exponent, normalised significand.
 */
export const CORE: Readonly<Record<"add" | "mul" | "div" | "sqrt", Callee>> = {
  add: callee("coreAdd", [I32, I32, I32, I64, I32, I32, I64], []),
  mul: callee("coreMul", [I32, I32, I32, I64, I64], []),
  div: callee("coreDiv", [I32, I32, I32, I64, I64], []),
  sqrt: callee("coreSqrt", [I32, I32, I64], []),
};

/**
 * Rounds a 128-bit significand: destination, sign, exponent, its halves, bits to clear at the end
 * of the high half. Returns the exceptions (PE) and C1, which it has raised.
 */
export const ROUND: Callee = callee("round", [I32, I32, I32, I64, I64, I32], [I32]);
/** Raises exceptions, with or without C1: sets the status word. */
export const RAISE: Callee = plain("raise", 1);
/** Rounds a significand below 2^64 (shifted right by the last argument) to an integer in TEMP. */
export const TO_INTEGER: Callee = callee("toInteger", [I32, I64, I32], [I32]);

/** The result that {@link ROUND} was asked for does not fit: its arguments. */
export const OUT_OF_RANGE: Callee = callee("outOfRange", ROUND.params, ROUND.results);
/** Operation, destination, operands, pop. */
export const ARITHMETIC_SLOW: Callee = plain("arithmeticSlow", 5);
/** As {@link SQRT}, for any operand. */
export const SQRT_SLOW: Callee = plain("sqrtSlow", 1);
/** As {@link RNDINT}, for what is not below 2^63 and normal. */
export const RNDINT_SLOW: Callee = plain("rndintSlow", 1);
/** Pushes what is not ordinary, or onto what is not empty: address. */
export const PUSH_SLOW: Callee = plain("pushSlow", 1);
/** As {@link COPY} or {@link MOVE}, when an operand is empty. */
export const COPY_SLOW: Callee = plain("copySlow", 2);
/** One of the two is empty. */
export const EXCHANGE_SLOW: Callee = plain("exchangeSlow", 1);
/** ST(0) is empty. */
export const SIGN_SLOW: Callee = plain("signSlow", 0);
/** As {@link COMPARE}, for any operand. */
export const COMPARE_SLOW: Callee = plain("compareSlow", 3, 1);
/** As {@link NARROW}, for any operand: bytes. */
export const NARROW_SLOW: Callee = plain("narrowSlow", 1, 1);
/** As {@link NARROW_INTEGER}, for any operand: bytes. */
export const NARROW_INTEGER_SLOW: Callee = plain("narrowIntegerSlow", 1, 1);
/** Reads memory into the temporary register: linear address, bytes. */
export const READ_WIDE: Callee = plain("readWide", 2);
/** Writes the temporary register to memory: linear address, bytes. */
export const WRITE_WIDE: Callee = plain("writeWide", 2);
