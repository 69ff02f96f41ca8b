/**
 * Arithmetic and comparison of registers as generated functions: what they do when every operand is
 * ordinary. Anything else goes to TypeScript (see special.ts), which comes back to the same core.
 * @module
 */

import {
  add,
  and,
  clz64,
  eq,
  eqz,
  eqz64,
  gtU,
  gtU64,
  low,
  ltU,
  ltU64,
  ne,
  num,
  or,
  or64,
  select,
  shl,
  shl64,
  sub,
  type Val,
  xor,
} from "../ir.ts";

import {
  ARITHMETIC,
  ARITHMETIC_SLOW,
  COMPARE,
  COMPARE_SLOW,
  COMPARE_STATUS,
  CORE,
  type Operation,
  RNDINT,
  RNDINT_SLOW,
  ROUND,
  SQRT,
  SQRT_SLOW,
  TO_INTEGER,
} from "./callees.ts";
import {
  exponentOf,
  FpuCode,
  isEmpty,
  isNormal,
  isZero,
  type Loaded,
  loaded,
  popIf,
  precisionShift,
  shiftRight,
  significand,
  signOf,
  ST0,
  STATUS,
  ZERO_64,
} from "./code.ts";
import { BIAS, CONDITIONS, SIGN, TEMP } from "./layout.ts";

/** Operations in the order in which {@link ARITHMETIC_SLOW} numbers them. */
export const OPERATIONS: readonly Operation[] = ["add", "sub", "mul", "div"];

function arithmetic(operation: Operation): FpuCode {
  const f = new FpuCode(ARITHMETIC[operation]);
  const [at, a, b, pops] = [f.arg(0), f.arg(1), f.arg(2), f.arg(3)];
  const x = loaded(f, a), y = loaded(f, b);
  const filled = f.let(eqz(or(isEmpty(a), isEmpty(b))));
  const ordinary = and(isNormal(x.se, x.bits), isNormal(y.se, y.bits));
  f.if(eqz(and(ordinary, filled)), () => {
    f.if(filled, () => withZero(f, operation, x, y));
    f.tailCall(ARITHMETIC_SLOW, num(OPERATIONS.indexOf(operation)), at, a, b, pops);
  });
  const [ea, eb] = [exponentOf(x.se), exponentOf(y.se)];
  const sign = signOf(xor(x.se, y.se));
  if (operation === "mul") {
    f.call(CORE.mul, at, sign, sub(add(ea, eb), num(BIAS - 1)), x.bits, y.bits);
  } else if (operation === "div") {
    f.call(CORE.div, at, sign, add(sub(ea, eb), num(BIAS)), x.bits, y.bits);
  } else {
    f.call(CORE.add, at, signOf(x.se), ea, x.bits, signOf(second(operation, y)), eb, y.bits);
  }
  popIf(f, pops);
  return f;
}

/** Sign and exponent of the second summand. */
const second = (operation: Operation, y: Loaded): Val =>
  operation === "sub" ? xor(y.se, num(SIGN)) : y.se;

/** A normal number and a zero, in an order that has a plain result: returns with it. */
function withZero(f: FpuCode, operation: Operation, x: Loaded, y: Loaded): void {
  const [at, pops] = [f.arg(0), f.arg(3)];
  const zeroFirst = f.let(and(isZero(x.se, x.bits), isNormal(y.se, y.bits)));
  const zeroSecond = and(isZero(y.se, y.bits), isNormal(x.se, x.bits));
  f.if(operation === "div" ? zeroFirst : or(zeroFirst, zeroSecond), () => {
    if (operation === "mul" || operation === "div") {
      f.setRegister(at, ZERO_64, signOf(xor(x.se, y.se)));
      f.clearC1();
    } else {
      const se = f.let(select(zeroFirst, second(operation, y), x.se));
      const bits = select(zeroFirst, y.bits, x.bits);
      f.callFor(ROUND, at, signOf(se), exponentOf(se), bits, ZERO_64, precisionShift);
    }
    popIf(f, pops);
    f.return();
  });
}

function squareRoot(): FpuCode {
  const f = new FpuCode(SQRT);
  const at = f.arg(0);
  const { se, bits } = loaded(f, at);
  const ordinary = and(isNormal(se, bits), eqz(signOf(se)));
  f.leaveIf(or(eqz(ordinary), isEmpty(at)), SQRT_SLOW, at);
  f.call(CORE.sqrt, at, se, bits);
  return f;
}

/** Bits behind the binary point of a significand with this exponent. */
const fractionBits = (exponent: Val): Val => sub(num(BIAS + 63), exponent);

function toInteger(): FpuCode {
  const f = new FpuCode(TO_INTEGER);
  const bits = f.arg(1);
  const [hi, lo] = shiftRight(f, bits, f.arg(2));
  f.return(f.callFor(ROUND, num(TEMP), f.arg(0), num(BIAS), hi, lo, num(0)));
  f.unreachable();
  return f;
}

function roundToInteger(): FpuCode {
  const f = new FpuCode(RNDINT);
  const at = f.arg(0);
  const { se, bits } = loaded(f, at);
  const exponent = exponentOf(se);
  const ordinary = and(isNormal(se, bits), ltU(exponent, num(BIAS + 63)));
  f.leaveIf(or(eqz(ordinary), isEmpty(at)), RNDINT_SLOW, at);
  f.callFor(TO_INTEGER, signOf(se), bits, fractionBits(exponent));
  const integer = f.let64(significand(num(TEMP)));
  f.if(
    eqz64(integer),
    () => f.setRegister(at, ZERO_64, signOf(se)),
    () => {
      const left = f.let64(clz64(integer));
      const scaled = sub(num(BIAS + 63), low(left));
      f.setRegister(at, shl64(integer, left), or(scaled, signOf(se)));
    },
  );
  return f;
}

/** EFLAGS of a comparison: CF below, ZF equal. */
const BELOW = 1, EQUAL = 0x40;

function compare(): FpuCode {
  const f = new FpuCode(COMPARE);
  const [b, quiet, pops] = [f.arg(0), f.arg(1), f.arg(2)];
  const a = f.let(ST0);
  const x = loaded(f, a), y = loaded(f, b);
  const isPlain = ({ se, bits }: Loaded): Val => or(isNormal(se, bits), isZero(se, bits));
  const filled = eqz(or(isEmpty(a), isEmpty(b)));
  f.if(eqz(and(and(isPlain(x), isPlain(y)), filled)), () => {
    f.return(f.callFor(COMPARE_SLOW, b, quiet, pops));
  });
  const [ea, eb] = [f.let(exponentOf(x.se)), f.let(exponentOf(y.se))];
  const smaller = f.let(or(ltU(ea, eb), and(eq(ea, eb), ltU64(x.bits, y.bits))));
  const larger = f.let(or(gtU(ea, eb), and(eq(ea, eb), gtU64(x.bits, y.bits))));
  const negative = f.let(signOf(x.se));
  const sameSign = select(or(smaller, larger), select(negative, larger, smaller), num(EQUAL));
  const otherSign = select(negative, num(BELOW), num(0));
  const bothZero = eqz64(or64(x.bits, y.bits));
  const differ = ne(negative, signOf(y.se));
  const result = f.let(
    select(bothZero, num(EQUAL), select(differ, otherSign, sameSign)),
  );
  popIf(f, pops);
  popIf(f, ltU(num(1), pops));
  f.return(result);
  f.unreachable();
  return f;
}

/** CF, PF and ZF lie eight bits below C0, C2 and C3; C1 is cleared. */
function compareStatus(): FpuCode {
  const f = new FpuCode(COMPARE_STATUS);
  const result = f.callFor(COMPARE, f.arg(0), f.arg(1), f.arg(2));
  const cleared = and(STATUS, num(~CONDITIONS));
  f.setStatus(or(cleared, shl(result, num(8))));
  return f;
}

/** All functions of this file. */
export const OPERATION_CODE: readonly (() => FpuCode)[] = [
  ...OPERATIONS.map((operation) => () => arithmetic(operation)),
  squareRoot,
  toInteger,
  roundToInteger,
  compare,
  compareStatus,
];
