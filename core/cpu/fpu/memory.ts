/**
 * Between memory and the registers, as generated functions: widening of operands, and rounding of
 * ST(0) to what is stored. Memory is written before the status word, so that a fault leaves the x87
 * as it was.
 * @module
 */

import { READ, WRITE } from "../callees.ts";
import {
  add,
  and,
  clz64,
  eq,
  eqz,
  eqz64,
  load16,
  load32,
  load64,
  low,
  ltS64,
  ltU,
  ne64,
  num,
  num64,
  or,
  or64,
  select,
  shl64,
  shr,
  shrU64,
  signed,
  sub,
  sub64,
  type Val,
  wideS,
  wideU,
} from "../ir.ts";
import { TLB } from "../state.ts";
import {
  NARROW,
  NARROW_INTEGER,
  NARROW_INTEGER_SLOW,
  NARROW_SLOW,
  READ_WIDE,
  ROUND,
  STORE,
  TO_INTEGER,
  WIDEN,
  WIDEN_INTEGER,
  WRITE_WIDE,
} from "./callees.ts";
import {
  exponentOf,
  FpuCode,
  isEmpty,
  isNormal,
  isZero,
  signExponent,
  significand,
  signOf,
  ST0,
  STATUS,
  TOP_BIT,
  ZERO_64,
} from "./code.ts";
import { BIAS, FORMAT, MAX_EXPONENT, NEW_STATUS, SIGN_EXPONENT, TEMP } from "./layout.ts";

const AT_TEMP = num(TEMP);

/** A memory operand of 2 or 4 bytes, zero-extended. */
function read(f: FpuCode, linear: Val, size: 2 | 4): Val {
  const host = f.host(linear, size, TLB.READ);
  const value = f.let(num(0));
  f.if(
    host,
    () => f.set(value, size === 4 ? load32(host) : load16(host)),
    () => f.callTo(value.n, READ[size], linear),
  );
  return value;
}

function read64(f: FpuCode, linear: Val): Val {
  const host = f.host(linear, 8, TLB.READ);
  const value = f.let64(ZERO_64);
  f.if(host, () => f.set(value, load64(host)), () => {
    f.call(READ_WIDE, linear, num(8));
    f.set(value, load64(AT_TEMP));
  });
  return value;
}

// ---- widening -----------------------------------------------------------------------------------

/**
 * Writes the temporary register from a binary format.
 * @param exponent as the format holds it, `largest` for infinity and NaN
 * @param fraction moved to the end of a 64-bit significand
 */
function widened(
  f: FpuCode,
  sign: Val,
  exponent: Val,
  fraction: Val,
  bytes: 4 | 8,
): void {
  const { least } = FORMAT[bytes];
  const largest = bytes === 4 ? 0xff : 0x7ff;
  const denormal = select(eqz64(fraction), num(0), num(least));
  const normal = select(
    eq(exponent, num(largest)),
    num(MAX_EXPONENT),
    add(exponent, num(least - 1)),
  );
  const lead = select(exponent, TOP_BIT, ZERO_64);
  f.setRegister(AT_TEMP, or64(lead, fraction), or(sign, select(exponent, normal, denormal)));
}

function widen4(): FpuCode {
  const f = new FpuCode(WIDEN[4]);
  const bits = read(f, f.arg(0), 4);
  const exponent = f.let(and(shr(bits, num(23)), num(0xff)));
  const fraction = f.let64(shl64(wideU(and(bits, num(0x7fffff))), num64(40)));
  widened(f, signOf(shr(bits, num(16))), exponent, fraction, 4);
  return f;
}

function widen8(): FpuCode {
  const f = new FpuCode(WIDEN[8]);
  const bits = read64(f, f.arg(0));
  const top = f.let(low(shrU64(bits, num64(48))));
  const exponent = f.let(and(shr(top, num(4)), num(0x7ff)));
  const fraction = f.let64(shrU64(shl64(bits, num64(12)), num64(1)));
  widened(f, signOf(top), exponent, fraction, 8);
  return f;
}

function widen10(): FpuCode {
  const f = new FpuCode(WIDEN[10]);
  const linear = f.arg(0);
  const host = f.host(linear, 10, TLB.READ);
  f.if(
    host,
    () => f.setRegister(AT_TEMP, load64(host), load16(host, SIGN_EXPONENT)),
    () => f.call(READ_WIDE, linear, num(10)),
  );
  return f;
}

function widenInteger(bytes: 2 | 4 | 8): FpuCode {
  const f = new FpuCode(WIDEN_INTEGER[bytes]);
  const linear = f.arg(0);
  const value = bytes === 8
    ? read64(f, linear)
    : f.let64(wideS(signed(read(f, linear, bytes), bytes)));
  const sign = f.let(num(0));
  f.if(ltS64(value, ZERO_64), () => {
    f.set(value, sub64(ZERO_64, value));
    f.set(sign, num(0x8000));
  });
  const left = f.let64(clz64(value));
  const exponent = select(eqz64(value), num(0), sub(num(BIAS + 63), low(left)));
  f.setRegister(AT_TEMP, shl64(value, left), or(sign, exponent));
  return f;
}

// ---- narrowing ----------------------------------------------------------------------------------

interface Top {
  readonly se: Val;
  readonly bits: Val;
  readonly exponent: Val;
  readonly empty: Val;
}

function top(f: FpuCode): Top {
  const at = f.let(ST0);
  const se = f.let(signExponent(at));
  return {
    se,
    bits: f.let64(significand(at)),
    exponent: f.let(exponentOf(se)),
    empty: f.let(isEmpty(at)),
  };
}

/**
 * Rounds with `convert`, which calls ROUND; the status it leaves is put aside until memory has been
 * written.
 */
function withStatusLater(f: FpuCode, convert: () => void): void {
  const before = f.let(STATUS);
  f.clearC1();
  convert();
  f.store(AT_TEMP, NEW_STATUS, STATUS, 4);
  f.setStatus(before);
}

/** Ends with a result that is to be stored. */
function ready(f: FpuCode): FpuCode {
  f.return(num(1));
  f.unreachable();
  return f;
}

function narrow(bytes: 4 | 8): FpuCode {
  const f = new FpuCode(NARROW[bytes]);
  const st = top(f);
  const { shift, least, greatest } = FORMAT[bytes];
  // Rounding up cannot leave this range.
  const inside = ltU(sub(st.exponent, num(least)), num(greatest - least));
  const ordinary = or(and(isNormal(st.se, st.bits), inside), isZero(st.se, st.bits));
  f.leaveIf(or(eqz(ordinary), st.empty), NARROW_SLOW, num(bytes));
  const biased = f.let(num(0));
  const fraction = f.let64(ZERO_64);
  withStatusLater(f, () =>
    f.if(ne64(st.bits, ZERO_64), () => {
      f.callFor(ROUND, AT_TEMP, signOf(st.se), st.exponent, st.bits, ZERO_64, num(shift));
      f.set(biased, sub(exponentOf(signExponent(AT_TEMP)), num(least - 1)));
      f.set(fraction, shrU64(shl64(significand(AT_TEMP), num64(1)), num64(shift + 1)));
    }));
  const width = 63 - shift;
  const upper = or(shr(signOf(st.se), num(width + 16 - bytes * 8)), biased);
  f.store64(AT_TEMP, 0, or64(shl64(wideU(upper), num64(width)), fraction));
  return ready(f);
}

function narrow10(): FpuCode {
  const f = new FpuCode(NARROW[10]);
  const from = f.let(ST0);
  f.leaveIf(isEmpty(from), NARROW_SLOW, num(10));
  f.copyRegister(AT_TEMP, from);
  withStatusLater(f, () => {});
  return ready(f);
}

function narrowInteger(bytes: 2 | 4 | 8): FpuCode {
  const f = new FpuCode(NARROW_INTEGER[bytes]);
  const st = top(f);
  const fits = ltU(st.exponent, num(BIAS + bytes * 8 - 1));
  const ordinary = or(and(isNormal(st.se, st.bits), fits), isZero(st.se, st.bits));
  f.leaveIf(or(eqz(ordinary), st.empty), NARROW_INTEGER_SLOW, num(bytes));
  const value = f.let64(ZERO_64);
  withStatusLater(f, () =>
    f.if(ne64(st.bits, ZERO_64), () => {
      const fraction = sub(num(BIAS + 63), st.exponent);
      f.callFor(TO_INTEGER, signOf(st.se), st.bits, fraction);
      f.set(value, significand(AT_TEMP));
    }));
  // Rounded up to the first number that does not fit.
  const over = ne64(shrU64(value, num64(bytes * 8 - 1)), ZERO_64);
  f.leaveIf(over, NARROW_INTEGER_SLOW, num(bytes));
  f.if(signOf(st.se), () => f.set(value, sub64(ZERO_64, value)));
  f.store64(AT_TEMP, 0, value);
  return ready(f);
}

function store(bytes: 2 | 4 | 8 | 10): FpuCode {
  const f = new FpuCode(STORE[bytes]);
  const [linear, pops] = [f.arg(0), f.arg(1)];
  const host = f.host(linear, bytes, TLB.WRITE);
  f.if(
    host,
    () => {
      if (bytes < 8) f.store(host, 0, load32(AT_TEMP), bytes);
      else f.store64(host, 0, significand(AT_TEMP));
      if (bytes === 10) f.store(host, SIGN_EXPONENT, signExponent(AT_TEMP), 2);
    },
    () => {
      if (bytes < 8) f.call(WRITE[bytes as 2 | 4], linear, load32(AT_TEMP));
      else f.call(WRITE_WIDE, linear, num(bytes));
    },
  );
  f.setStatus(load32(AT_TEMP, NEW_STATUS));
  f.if(pops, () => f.pop());
  return f;
}

/** All functions of this file. */
export const MEMORY_CODE: readonly (() => FpuCode)[] = [
  widen4,
  widen8,
  widen10,
  () => widenInteger(2),
  () => widenInteger(4),
  () => widenInteger(8),
  () => narrow(4),
  () => narrow(8),
  narrow10,
  () => narrowInteger(2),
  () => narrowInteger(4),
  () => narrowInteger(8),
  () => store(2),
  () => store(4),
  () => store(8),
  () => store(10),
];
