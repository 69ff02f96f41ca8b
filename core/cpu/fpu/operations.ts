/**
 * The x87 instructions on registers as generated functions: what they do when every operand is
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
  num64,
  or,
  or64,
  select,
  shl,
  shl64,
  sub,
  type Val,
  wideU,
  xor,
} from "../ir.ts";
import { AT } from "../state.ts";
import {
  ARITHMETIC,
  ARITHMETIC_SLOW,
  COMPARE,
  COMPARE_SLOW,
  COMPARE_STATUS,
  CONSTANT,
  COPY,
  COPY_SLOW,
  CORE,
  EXCHANGE,
  EXCHANGE_SLOW,
  LOAD_CONTROL,
  MOVE,
  type Operation,
  PUSH,
  PUSH_COPY,
  PUSH_SLOW,
  RAISE,
  RNDINT,
  RNDINT_SLOW,
  ROUND,
  SET_SIGN,
  SIGN_SLOW,
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
  precisionShift,
  shiftRight,
  signExponent,
  significand,
  signOf,
  ST0,
  stackAddress,
  STATUS,
  ZERO_64,
} from "./code.ts";
import { BIAS, CONDITIONS, SIGN, SW, TEMP } from "./layout.ts";

/** Operations in the order in which {@link ARITHMETIC_SLOW} numbers them. */
export const OPERATIONS: readonly Operation[] = ["add", "sub", "mul", "div"];

/** A register's halves in variables. */
interface Loaded {
  readonly se: Val;
  readonly bits: Val;
}

function loaded(f: FpuCode, at: Val): Loaded {
  return { se: f.let(signExponent(at)), bits: f.let64(significand(at)) };
}

function popIf(f: FpuCode, cond: Val): void {
  f.if(cond, () => f.pop());
}

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

/** Address of the register that a push will fill. */
const nextTop = (): Val => stackAddress(num(-1));

function pushRegister(f: FpuCode, from: Val): void {
  const to = f.let(nextTop());
  f.leaveIf(eqz(isEmpty(to)), PUSH_SLOW, from);
  f.copyRegister(to, from);
  f.fill(to);
  f.clearC1();
  f.turn(num(-1));
}

/** A widened operand may be a NaN or a denormal of its own format. */
function push(): FpuCode {
  const f = new FpuCode(PUSH);
  const from = num(TEMP);
  const { se, bits } = loaded(f, from);
  f.leaveIf(eqz(or(isNormal(se, bits), isZero(se, bits))), PUSH_SLOW, from);
  pushRegister(f, from);
  return f;
}

function pushCopy(): FpuCode {
  const f = new FpuCode(PUSH_COPY);
  const from = f.arg(0);
  f.leaveIf(isEmpty(from), PUSH_SLOW, from);
  pushRegister(f, from);
  return f;
}

function constant(): FpuCode {
  const f = new FpuCode(CONSTANT);
  const bits = or64(shl64(wideU(f.arg(0)), num64(32)), wideU(f.arg(1)));
  f.setRegister(num(TEMP), bits, f.arg(2));
  return f;
}

function copy(): FpuCode {
  const f = new FpuCode(COPY);
  const [to, pops] = [f.arg(0), f.arg(1)];
  const from = f.let(ST0);
  f.leaveIf(isEmpty(from), COPY_SLOW, to, pops);
  f.copyRegister(to, from);
  f.fill(to);
  f.clearC1();
  popIf(f, pops);
  return f;
}

/** FCMOVcc, once its condition is known; both registers must be filled. */
function move(): FpuCode {
  const f = new FpuCode(MOVE);
  const [from, holds] = [f.arg(0), f.arg(1)];
  const to = f.let(ST0);
  f.leaveIf(or(isEmpty(from), isEmpty(to)), COPY_SLOW, to, num(0));
  f.if(holds, () => f.copyRegister(to, from));
  return f;
}

function exchange(): FpuCode {
  const f = new FpuCode(EXCHANGE);
  const other = f.arg(0);
  const top = f.let(ST0);
  f.leaveIf(or(isEmpty(top), isEmpty(other)), EXCHANGE_SLOW, other);
  const { se, bits } = loaded(f, top);
  f.copyRegister(top, other);
  f.setRegister(other, bits, se);
  f.clearC1();
  return f;
}

function setSign(): FpuCode {
  const f = new FpuCode(SET_SIGN);
  const top = f.let(ST0);
  f.leaveIf(isEmpty(top), SIGN_SLOW);
  const changed = xor(and(signExponent(top), f.arg(0)), f.arg(1));
  f.setRegister(top, significand(top), changed);
  f.clearC1();
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

function raise(): FpuCode {
  const f = new FpuCode(RAISE);
  f.raise(f.arg(0));
  return f;
}

/** The summary follows the new masks. */
function loadControl(): FpuCode {
  const f = new FpuCode(LOAD_CONTROL);
  const value = or(and(f.arg(0), num(0x1f3f)), num(0x40));
  f.store(num(AT.FPU_CONTROL), 0, value, 4);
  f.setStatus(and(STATUS, num(~(SW.ES | SW.B))));
  const flags = or(and(STATUS, num(SW.C1)), and(STATUS, num(SW.EXCEPTIONS)));
  f.raise(flags);
  return f;
}

/** All functions of this file. */
export const OPERATION_CODE: readonly (() => FpuCode)[] = [
  ...OPERATIONS.map((operation) => () => arithmetic(operation)),
  squareRoot,
  toInteger,
  roundToInteger,
  push,
  pushCopy,
  constant,
  copy,
  move,
  exchange,
  setSign,
  compare,
  compareStatus,
  raise,
  loadControl,
];
