/**
 * The x87 instructions: each checks that the x87 is ready, calls a function of callees.ts and notes
 * where it was. Source: Intel SDM vol. 2, F2XM1 to FYL2XP1; vol. 1, §8.1.8 (last instruction).
 * @module
 */

import { and, eqz, load32, num, or, select, shl, shr, sub, type Val, xor } from "../ir.ts";
import { AT, CR0, CS, EAX } from "../state.ts";
import type { Callee } from "../wasm.ts";
import type { Sem, X } from "../x.ts";
import * as callees from "./callees.ts";
import { CONTROL, ST0, stackAddress, STATUS } from "./code.ts";
import { RC, SIGN, SW, TEMP } from "./layout.ts";

const AT_TEMP = num(TEMP);

/** #NM or #MF if need be. @param waits pending exceptions are raised */
function ready(x: X, waits: boolean): void {
  const absent = and(load32(num(AT.CR)), num(CR0.EM | CR0.TS));
  const pending = and(STATUS, num(SW.ES));
  x.if(waits ? or(absent, pending) : absent, () => x.call(callees.UNREADY, num(waits ? 1 : 0)));
}

/** Notes opcode and address of an instruction, and of memory operand `n` if it has one. */
function note(x: X, n: number = -1): void {
  x.setWord(AT.FPU_OPCODE, x.immediate);
  x.setWord(AT.FPU_IP, x.pc);
  x.setWord(AT.FPU_CS, x.selector(CS));
  if (n < 0) return;
  x.setWord(AT.FPU_DP, x.address(n));
  x.setWord(AT.FPU_DS, x.selector("operand"));
}

/** An instruction on registers. */
const onStack = (act: (x: X) => void): Sem => (x) => {
  ready(x, true);
  act(x);
  note(x);
};

/** An instruction that reads memory operand 0 of `bytes`, whose linear address `act` is given. */
const onMemory = (bytes: number, act: (x: X, linear: Val) => void): Sem => (x) => {
  ready(x, true);
  act(x, x.linear(0, bytes, 1));
  note(x, 0);
};

/** A control instruction: it leaves the note of the last instruction alone. */
const control = (waits: boolean, act: (x: X) => void): Sem => (x) => {
  ready(x, waits);
  act(x);
};

/** Address of register operand `n`. */
const register = (x: X, n: number): Val => x.let(stackAddress(x.vectorIndex(n)));

// ---- arithmetic ---------------------------------------------------------------------------------

/** @param reversed the second operand comes first */
export const arithmetic = (
  operation: callees.Operation,
  reversed: boolean,
  pops: boolean = false,
): Sem =>
  onStack((x) => {
    const [a, b] = [register(x, 0), register(x, 1)];
    const [first, second] = reversed ? [b, a] : [a, b];
    x.call(callees.ARITHMETIC[operation], a, first, second, num(pops ? 1 : 0));
  });

/** ST(0) and a number in memory. */
export const arithmeticMemory = (
  operation: callees.Operation,
  reversed: boolean,
  bytes: 4 | 8,
): Sem => withNumber(callees.WIDEN[bytes], bytes, operation, reversed);

/** ST(0) and an integer in memory. */
export const arithmeticInteger = (
  operation: callees.Operation,
  reversed: boolean,
  bytes: 2 | 4,
): Sem => withNumber(callees.WIDEN_INTEGER[bytes], bytes, operation, reversed);

const withNumber = (
  widen: Callee,
  bytes: number,
  operation: callees.Operation,
  reversed: boolean,
): Sem =>
  onMemory(bytes, (x, linear) => {
    x.call(widen, linear);
    const top = x.let(ST0);
    const [first, second] = reversed ? [AT_TEMP, top] : [top, AT_TEMP];
    x.call(callees.ARITHMETIC[operation], top, first, second, num(0));
  });

/** FSQRT. */
export const sqrt: Sem = onStack((x) => x.call(callees.SQRT, ST0));
/** FRNDINT. */
export const rndint: Sem = onStack((x) => x.call(callees.RNDINT, ST0));
/** FCHS. */
export const changeSign: Sem = onStack((x) => x.call(callees.SET_SIGN, num(0xffff), num(SIGN)));
/** FABS. */
export const absolute: Sem = onStack((x) => x.call(callees.SET_SIGN, num(SIGN - 1), num(0)));

/** An instruction that only TypeScript executes. */
export const rare = (name: callees.Rare): Sem => onStack((x) => x.call(callees.rare(name)));

// ---- loads and stores ---------------------------------------------------------------------------

/** FLD of a number in memory. */
export const load = (bytes: 4 | 8): Sem =>
  onMemory(bytes, (x, linear) => {
    x.call(callees.WIDEN[bytes], linear);
    x.call(callees.PUSH);
  });

/** An extended number is loaded as it is. */
export const loadExtended: Sem = onMemory(10, (x, linear) => {
  x.call(callees.WIDEN[10], linear);
  x.call(callees.PUSH_COPY, AT_TEMP);
});

/** FILD. */
export const loadInteger = (bytes: 2 | 4 | 8): Sem =>
  onMemory(bytes, (x, linear) => {
    x.call(callees.WIDEN_INTEGER[bytes], linear);
    x.call(callees.PUSH);
  });

/** FLD ST(i). */
export const loadRegister: Sem = onStack((x) => x.call(callees.PUSH_COPY, register(x, 0)));

/** A constant's significand, rounded to nearest, and what is added to it to round down and up. */
export interface Constant {
  readonly high: number;
  readonly low: number;
  readonly exponent: number;
  /** -1: nearest is above the exact value; 1: below; 0: exact. */
  readonly toOther: -1 | 0 | 1;
}

/** FLDPI and its like: rounding control counts, precision control does not. */
export const loadConstant = ({ high, low, exponent, toOther }: Constant): Sem =>
  onStack((x) => {
    const rounding = x.let(and(shr(CONTROL, num(RC.SHIFT)), num(3)));
    // Rounding up changes what nearest rounded down; down and chop change what it rounded up.
    const isUp = eqz(sub(rounding, num(RC.UP)));
    const isDown = and(rounding, num(1));
    const bits = select(toOther > 0 ? isUp : isDown, num(low + toOther), num(low));
    x.call(callees.CONSTANT, num(high), toOther ? bits : num(low), num(exponent));
    x.call(callees.PUSH);
  });

/** After an unmasked exception memory is not even looked at. */
const storeAs = (narrow: Callee, bytes: 2 | 4 | 8 | 10, pops: boolean): Sem => (x) => {
  ready(x, true);
  x.if(x.callFor(narrow), () => {
    x.call(callees.STORE[bytes], x.linear(0, bytes, 2), num(pops ? 1 : 0));
  });
  note(x, 0);
};

/** FST and FSTP to memory. */
export const store = (bytes: 4 | 8 | 10, pops: boolean): Sem =>
  storeAs(callees.NARROW[bytes], bytes, pops);
/** FIST and FISTP. */
export const storeInteger = (bytes: 2 | 4 | 8, pops: boolean): Sem =>
  storeAs(callees.NARROW_INTEGER[bytes], bytes, pops);
/** FBSTP. */
export const storeDecimal: Sem = storeAs(callees.NARROW_DECIMAL, 10, true);

/** FST and FSTP to a register. */
export const storeRegister = (pops: boolean): Sem =>
  onStack((x) => x.call(callees.COPY, register(x, 0), num(pops ? 1 : 0)));

/** FBLD. */
export const loadDecimal: Sem = onMemory(10, (x, linear) => x.call(callees.LOAD_DECIMAL, linear));
/** FCMOVcc by flag: 0 below, 1 equal, 2 below or equal, 3 unordered. */
export const move = (condition: number, wanted: boolean): Sem =>
  onStack((x) => {
    const { carry, zero, parity } = x;
    const holds = [carry, zero, or(carry, zero), parity][condition]!;
    x.call(callees.MOVE, register(x, 1), wanted ? holds : eqz(holds));
  });

/** FXCH. */
export const exchange: Sem = onStack((x) => x.call(callees.EXCHANGE, register(x, 0)));

// ---- comparison ---------------------------------------------------------------------------------

const compareWith = (x: X, other: Val, quiet: boolean, pops: number): void =>
  x.call(callees.COMPARE_STATUS, other, num(quiet ? 1 : 0), num(pops));

/** FCOM and FUCOM, with FCOMP and FUCOMP, of ST(i). */
export const compare = (quiet: boolean, pops: number): Sem =>
  onStack((x) => compareWith(x, register(x, 0), quiet, pops));

/** FCOMPP and FUCOMPP. */
export const compareTwo = (quiet: boolean): Sem =>
  onStack((x) => compareWith(x, x.let(stackAddress(num(1))), quiet, 2));

/** FCOM and FCOMP of a number in memory. */
export const compareMemory = (bytes: 4 | 8, pops: number): Sem =>
  onMemory(bytes, (x, linear) => {
    x.call(callees.WIDEN[bytes], linear);
    compareWith(x, AT_TEMP, false, pops);
  });

/** FICOM and FICOMP. */
export const compareInteger = (bytes: 2 | 4, pops: number): Sem =>
  onMemory(bytes, (x, linear) => {
    x.call(callees.WIDEN_INTEGER[bytes], linear);
    compareWith(x, AT_TEMP, false, pops);
  });

/** FTST: with zero. */
export const test: Sem = onStack((x) => {
  x.call(callees.CONSTANT, num(0), num(0), num(0));
  compareWith(x, AT_TEMP, false, 0);
});

/** FCOMI and its like: CF, PF and ZF from the comparison; OF, SF and AF become 0. */
export const compareFlags = (quiet: boolean, pops: number): Sem =>
  onStack((x) => {
    const result = x.callFor(callees.COMPARE, register(x, 1), num(quiet ? 1 : 0), num(pops));
    const carry = and(result, num(1));
    const parity = and(shr(result, num(2)), num(1));
    // 0 with ZF, whose parity is even; 1 without, whose parity is odd.
    const fr = x.let(xor(and(shr(result, num(6)), num(1)), num(1)));
    const odd = xor(parity, xor(fr, num(1)));
    x.setFlags({ ca: num(0), cb: carry, fo: num(0), fr, fx: shl(odd, num(8)) });
  });

// ---- control ------------------------------------------------------------------------------------

/** FLDCW. */
export const loadControl: Sem = control(true, (x) => x.call(callees.LOAD_CONTROL, x.read(0)));
/** FNSTCW. */
export const storeControl: Sem = control(false, (x) => x.write(0, x.let(CONTROL)));
/** FNSTSW to memory. */
export const storeStatus: Sem = control(false, (x) => x.write(0, x.let(STATUS)));
/** FNSTSW AX. */
export const storeStatusAx: Sem = control(false, (x) => x.setReg(EAX, x.let(STATUS), 2));
/** FNCLEX. */
export const clear: Sem = control(false, (x) => x.call(callees.CLEAR));
/** FNINIT. */
export const initialize: Sem = control(false, (x) => x.call(callees.INITIALIZE));
/** What later processors ignore: FENI, FDISI, FSETPM. */
export const ignored: Sem = control(false, () => {});
/** FNOP. */
export const nop: Sem = onStack(() => {});
/** FFREE and FFREEP. */
export const free = (pops: boolean): Sem =>
  onStack((x) => x.call(callees.FREE, register(x, 0), num(pops ? 1 : 0)));
/** FINCSTP and FDECSTP. */
export const turn = (by: number): Sem => onStack((x) => x.call(callees.TURN, num(by)));
/** FWAIT. */
export const wait: Sem = (x) => {
  const asked = or(
    and(load32(num(AT.CR)), num(CR0.TS)),
    and(STATUS, num(SW.ES)),
  );
  x.if(asked, () => x.call(callees.WAIT));
};

/** The environment, and what follows it, takes less room with 16-bit operands. */
const withEnvironment = (
  waits: boolean,
  rights: 1 | 2,
  beyond: number,
  callee: Callee,
): Sem =>
  control(waits, (x) => {
    const linear = x.linear(0, (x.operandSize === 4 ? 28 : 14) + beyond, rights);
    x.call(callee, linear, num(x.operandSize));
  });

const REGISTERS_BYTES = 80;
/** FNSTENV. */
export const storeEnvironment: Sem = withEnvironment(false, 2, 0, callees.STORE_ENVIRONMENT);
/** FLDENV. */
export const loadEnvironment: Sem = withEnvironment(true, 1, 0, callees.LOAD_ENVIRONMENT);
/** FNSAVE. */
export const save: Sem = withEnvironment(false, 2, REGISTERS_BYTES, callees.SAVE);
/** FRSTOR. */
export const restore: Sem = withEnvironment(true, 1, REGISTERS_BYTES, callees.RESTORE);

const FX_BYTES = 512;
/** FXSAVE, which raises no pending exception. */
export const fxsave: Sem = control(
  false,
  (x) => x.call(callees.FXSAVE, x.linear(0, FX_BYTES, 2)),
);
/** FXRSTOR, which raises no pending exception. */
export const fxrstor: Sem = control(
  false,
  (x) => x.call(callees.FXRSTOR, x.linear(0, FX_BYTES, 1)),
);
