/**
 * IEEE 754 arithmetic on encodings, exact in every case: integers of any length, rounded once.
 * Source: IEEE 754-1985; Intel SDM vol. 1 §4.8, §4.9, §11.5 and app. E (priorities, NaNs, tininess
 * after rounding).
 * @module
 */

import { type FloatUnit, MX, ROUND } from "./mxcsr.ts";

/** An encoding: sign, exponent, fraction. */
export interface Encoding {
  readonly fractionBits: number;
  /** Exponent of infinities and NaNs. */
  readonly special: number;
}

/** Encodings of four and eight bytes. */
export const BINARY32: Encoding = { fractionBits: 23, special: 0xff };
export const BINARY64: Encoding = { fractionBits: 52, special: 0x7ff };

/** The number `significand` × 2^`exponent`, or its negative. */
interface Exact {
  readonly negative: boolean;
  readonly significand: bigint;
  readonly exponent: number;
}

/** An encoding taken apart. */
interface Parts extends Exact {
  readonly bits: bigint;
  /** An infinity or NaN. */
  readonly special: boolean;
  readonly denormal: boolean;
}

const bias = (e: Encoding): number => e.special >> 1;
const quietBit = (e: Encoding): bigint => 1n << BigInt(e.fractionBits - 1);
const signOf = (e: Encoding, negative: boolean): bigint =>
  negative ? BigInt(e.special + 1) << BigInt(e.fractionBits) : 0n;
const infinity = (e: Encoding, negative: boolean): bigint =>
  signOf(e, negative) | BigInt(e.special) << BigInt(e.fractionBits);
/** The NaN that stands for a result that does not exist. */
const indefinite = (e: Encoding): bigint => infinity(e, true) | quietBit(e);

function takeApart(e: Encoding, u: FloatUnit, bits: bigint): Parts {
  const fraction = BigInt.asUintN(e.fractionBits, bits);
  const exponent = Number(bits >> BigInt(e.fractionBits)) & e.special;
  const isDenormal = exponent === 0 && fraction !== 0n;
  const flushed = isDenormal && u.denormalsAreZero;
  const special = exponent === e.special;
  const implied = exponent === 0 || special ? 0n : 1n << BigInt(e.fractionBits);
  return {
    bits,
    negative: Number(bits >> BigInt(e.fractionBits)) > e.special,
    special,
    denormal: isDenormal && !flushed,
    significand: flushed ? 0n : fraction | implied,
    exponent: Math.max(exponent, 1) - bias(e) - e.fractionBits,
  };
}

const isNan = (x: Parts): boolean => x.special && x.significand !== 0n;
const isInfinite = (x: Parts): boolean => x.special && x.significand === 0n;
const isZero = (x: Parts): boolean => !x.special && x.significand === 0n;

function invalid(e: Encoding, u: FloatUnit): bigint {
  u.raise(MX.IE);
  return indefinite(e);
}

/** The NaN operand, made quiet; of two, the first. */
function nan(e: Encoding, u: FloatUnit, x: Parts, y: Parts): bigint {
  const signals = (v: Parts): boolean => isNan(v) && !(v.significand & quietBit(e));
  if (signals(x) || signals(y)) u.raise(MX.IE);
  return (isNan(x) ? x : y).bits | quietBit(e);
}

type Operation = (e: Encoding, u: FloatUnit, x: Parts, y: Parts) => bigint;

/** A function of two operands neither of which is a NaN. */
function binary(f: Operation): (e: Encoding, u: FloatUnit, a: bigint, b: bigint) => bigint {
  return (e, u, a, b) => {
    const x = takeApart(e, u, a), y = takeApart(e, u, b);
    return isNan(x) || isNan(y) ? nan(e, u, x, y) : f(e, u, x, y);
  };
}

function noteDenormals(u: FloatUnit, x: Parts, y: Parts): void {
  if (x.denormal || y.denormal) u.raise(MX.DE);
}

const sum: Operation = (e, u, x, y) => {
  if (isInfinite(x) && isInfinite(y) && x.negative !== y.negative) return invalid(e, u);
  noteDenormals(u, x, y);
  if (isInfinite(x) || isInfinite(y)) return (isInfinite(x) ? x : y).bits;
  const exponent = Math.min(x.exponent, y.exponent);
  const signed = (v: Parts): bigint =>
    (v.negative ? -v.significand : v.significand) << BigInt(v.exponent - exponent);
  const total = signed(x) + signed(y);
  if (total !== 0n) {
    return round(e, u, {
      negative: total < 0n,
      significand: total < 0n ? -total : total,
      exponent,
    });
  }
  const bothZero = isZero(x) && isZero(y) && x.negative === y.negative;
  return signOf(e, bothZero ? x.negative : u.rounding === ROUND.DOWN);
};

const product: Operation = (e, u, x, y) => {
  if (isInfinite(x) && isZero(y) || isZero(x) && isInfinite(y)) return invalid(e, u);
  noteDenormals(u, x, y);
  const negative = x.negative !== y.negative;
  if (isInfinite(x) || isInfinite(y)) return infinity(e, negative);
  const significand = x.significand * y.significand;
  return round(e, u, { negative, significand, exponent: x.exponent + y.exponent });
};

const quotient: Operation = (e, u, x, y) => {
  if (isInfinite(x) && isInfinite(y) || isZero(x) && isZero(y)) return invalid(e, u);
  const negative = x.negative !== y.negative;
  if (isZero(y)) {
    if (!isInfinite(x)) u.raise(MX.ZE);
    return infinity(e, negative);
  }
  noteDenormals(u, x, y);
  if (isInfinite(x)) return infinity(e, negative);
  if (isInfinite(y)) return signOf(e, negative);
  // Enough bits for rounding whatever the operands; the last one says that there is a remainder.
  const shift = 2 * e.fractionBits + 4;
  const dividend = x.significand << BigInt(shift);
  const whole = dividend / y.significand;
  const rest = whole * y.significand === dividend ? 0n : 1n;
  const exponent = x.exponent - y.exponent - shift - 1;
  return round(e, u, { negative, significand: whole << 1n | rest, exponent });
};

/** Sum of two encodings. */
export const add: (e: Encoding, u: FloatUnit, a: bigint, b: bigint) => bigint = binary(sum);
/** Difference: the second operand with its sign changed, unless it is a NaN. */
export const subtract: (e: Encoding, u: FloatUnit, a: bigint, b: bigint) => bigint = binary(
  (e, u, x, y) => sum(e, u, x, { ...y, bits: y.bits ^ signOf(e, true), negative: !y.negative }),
);
/** Product of two encodings. */
export const multiply: (e: Encoding, u: FloatUnit, a: bigint, b: bigint) => bigint = binary(
  product,
);
/** Quotient of two encodings. */
export const divide: (e: Encoding, u: FloatUnit, a: bigint, b: bigint) => bigint = binary(
  quotient,
);

/** Square root of an encoding. */
export function squareRoot(e: Encoding, u: FloatUnit, a: bigint): bigint {
  const x = takeApart(e, u, a);
  if (isNan(x)) return nan(e, u, x, x);
  if (isZero(x)) return signOf(e, x.negative);
  if (x.negative) return invalid(e, u);
  if (x.denormal) u.raise(MX.DE);
  if (x.special) return x.bits;
  const odd = x.exponent & 1;
  const shift = 2 * (e.fractionBits + 2) + odd;
  const radicand = x.significand << BigInt(shift);
  const root = integerRoot(radicand);
  const rest = root * root === radicand ? 0n : 1n;
  const exponent = (x.exponent - shift) / 2 - 1;
  return round(e, u, { negative: false, significand: root << 1n | rest, exponent });
}

/** Largest integer whose square is not larger: Newton's method from above. */
function integerRoot(n: bigint): bigint {
  let root = 1n << BigInt(bitLength(n) + 1 >> 1);
  for (;;) {
    const next = (root + n / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** A number of one encoding in the other. */
export function convert(from: Encoding, to: Encoding, u: FloatUnit, a: bigint): bigint {
  const x = takeApart(from, u, a);
  if (isNan(x)) {
    const shift = BigInt(to.fractionBits - from.fractionBits);
    const payload = BigInt.asUintN(from.fractionBits, nan(from, u, x, x));
    return infinity(to, x.negative) | (shift < 0n ? payload >> -shift : payload << shift);
  }
  if (x.denormal) u.raise(MX.DE);
  if (x.special) return infinity(to, x.negative);
  return round(to, u, x);
}

/** An integer as an encoding. */
export function fromInteger(e: Encoding, u: FloatUnit, value: number): bigint {
  return round(e, u, { negative: value < 0, significand: BigInt(Math.abs(value)), exponent: 0 });
}

const bitLength = (n: bigint): number => {
  const digits = n.toString(16);
  return digits.length * 4 - Math.clz32(parseInt(digits[0]!, 16)) + 28;
};

/**
 * Rounds an exact number, and raises what that gives rise to. The lowest bit of its significand may
 * stand for others below it that are not all zero, if it lies two or more places below the result.
 */
function round(e: Encoding, u: FloatUnit, x: Exact): bigint {
  const { negative, significand, exponent } = x;
  if (significand === 0n) return signOf(e, negative);
  const excess = bitLength(significand) - e.fractionBits - 1;
  const rounded = shorten(u.rounding, negative, significand, excess);
  const carry = bitLength(rounded) - e.fractionBits - 1;
  const biased = exponent + excess + carry + e.fractionBits + bias(e);
  const inexact = hasLost(rounded, significand, excess);
  if (biased < 1) return tiny(e, u, x);
  if (biased >= e.special) return tooLarge(e, u, negative, inexact);
  if (inexact) u.raise(MX.PE);
  // The leading bit of the fraction counts as one in the exponent.
  const fraction = rounded >> BigInt(carry);
  return signOf(e, negative) | (BigInt(biased - 1) << BigInt(e.fractionBits)) + fraction;
}

function tiny(e: Encoding, u: FloatUnit, { negative, significand, exponent }: Exact): bigint {
  if (u.flushesToZero) {
    u.raise(MX.UE | MX.PE);
    return signOf(e, negative);
  }
  const excess = 1 - bias(e) - e.fractionBits - exponent;
  const rounded = shorten(u.rounding, negative, significand, excess);
  if (hasLost(rounded, significand, excess)) u.raise(MX.UE | MX.PE);
  if (!u.masked(MX.UE)) u.raise(MX.UE);
  return signOf(e, negative) | rounded;
}

/** Rounding has dropped bits that were not zero. */
const hasLost = (rounded: bigint, significand: bigint, excess: number): boolean =>
  excess > 0 && rounded << BigInt(excess) !== significand;

function tooLarge(e: Encoding, u: FloatUnit, negative: boolean, inexact: boolean): bigint {
  u.raise(MX.OE);
  if (inexact || u.masked(MX.OE)) u.raise(MX.PE);
  const towardsZero = u.rounding === ROUND.ZERO ||
    u.rounding === (negative ? ROUND.UP : ROUND.DOWN);
  return infinity(e, negative) - (towardsZero ? 1n : 0n);
}

/** The magnitude without its lowest `excess` bits, rounded; with more zeros if that is negative. */
function shorten(mode: number, negative: boolean, magnitude: bigint, excess: number): bigint {
  if (excess <= 0) return magnitude << BigInt(-excess);
  const kept = magnitude >> BigInt(excess);
  const rest = magnitude - (kept << BigInt(excess));
  if (mode === ROUND.NEAREST) {
    const half = 1n << BigInt(excess - 1);
    return rest > half || rest === half && (kept & 1n) === 1n ? kept + 1n : kept;
  }
  const away = mode === (negative ? ROUND.DOWN : ROUND.UP);
  return away && rest !== 0n ? kept + 1n : kept;
}
