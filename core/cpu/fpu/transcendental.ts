/**
 * F2XM1, FYL2X, FYL2XP1, FPTAN, FPATAN, FSIN, FCOS, FSINCOS: special operands by the tables of the
 * manual, the rest by precise.ts and one rounding. Source: Intel SDM vol. 2; vol. 1, §8.3.8 (π).
 * @module
 */

import { BIAS, FORMAT, SIGN, SW } from "./layout.ts";
import { CLASS, type Extended, INDEFINITE, isNan, quieted, special } from "./number.ts";
import {
  arcTangent,
  cosine,
  exponentialFactor,
  FRACTION,
  LN2,
  logarithmFactor,
  ONE,
  PI,
  sineFactor,
} from "./precise.ts";
import { nans, one, stackUnderflow } from "./special.ts";
import { type FpuUnit, signOfProduct } from "./unit.ts";

const { ZERO, INFINITY, NORMAL } = CLASS;
const ALL_ONES = (1n << 64n) - 1n;

/** An exact number: `bits` × 2^`scale`. */
interface Scaled {
  readonly sign: number;
  readonly bits: bigint;
  readonly scale: number;
}

const scaled = ({ sign, exponent, bits }: Extended): Scaled => ({
  sign,
  bits,
  scale: exponent - BIAS - 63,
});

/** Magnitude in fixed point, cut. */
function fixed({ bits, scale }: Scaled): bigint {
  const shift = scale + FRACTION;
  return shift >= 0 ? bits << BigInt(shift) : bits >> BigInt(-shift);
}

/** Rounds to 64 bits, whatever the precision control says; the result is never exact. */
function deliver(fpu: FpuUnit, at: number, { sign, bits, scale }: Scaled): void {
  const length = bits.toString(2).length;
  const cut = length - 128;
  const top = (cut > 0 ? bits >> BigInt(cut) : bits << BigInt(-cut)) | 1n;
  const exponent = BIAS + scale + length - 1;
  const exact = { sign, exponent, hi: top >> 64n, lo: top & ALL_ONES };
  fpu.fit(exact, { at, shift: 0, format: FORMAT[10], wrap: true });
  fpu.tag(at, false);
}

const product = (x: Scaled, factor: bigint): Scaled => ({
  sign: factor < 0n ? x.sign ^ SIGN : x.sign,
  bits: x.bits * (factor < 0n ? -factor : factor),
  scale: x.scale - FRACTION,
});

/** One operand on the top of the stack; nothing when it is empty or no number. */
function topNumber(fpu: FpuUnit): Extended | undefined {
  const at = fpu.stack(0);
  if (fpu.isEmpty(at)) {
    stackUnderflow(fpu, at);
    return undefined;
  }
  const x = fpu.number(at);
  return nans(fpu, at, x) === undefined ? x : undefined;
}

// ---- trigonometry ----------------------------------------------------------------------------------

/** Half of the π that processors reduce by: 66 bits. */
const HALF_PI_BITS = 0xc90fdaa22168c234cn;
const HALF_PI_SCALE = -67;
/** From this exponent on nothing is reduced. */
const UNREDUCED = BIAS + 63;

/** An angle: a multiple of π/2 and a rest of at most π/4. */
interface Angle {
  readonly quadrant: number;
  readonly rest: Scaled;
}

function reduced(x: Extended): Angle {
  const { sign, bits, scale } = scaled(x);
  if (x.exponent < BIAS - 1) return { quadrant: 0, rest: { sign, bits, scale } };
  const common = Math.min(scale, HALF_PI_SCALE);
  const value = bits << BigInt(scale - common);
  const unit = HALF_PI_BITS << BigInt(HALF_PI_SCALE - common);
  const turns = (2n * value + unit) / (2n * unit);
  const rest = value - turns * unit;
  const quadrant = Number(turns & 3n);
  return {
    quadrant: sign ? 4 - quadrant & 3 : quadrant,
    rest: { sign: rest < 0n ? sign ^ SIGN : sign, bits: rest < 0n ? -rest : rest, scale: common },
  };
}

interface SineCosine {
  readonly sine: Scaled;
  readonly cosine: Scaled;
}

function sineCosine(x: Extended): SineCosine {
  const { quadrant, rest } = reduced(x);
  const magnitude = fixed(rest);
  const square = magnitude * magnitude >> BigInt(FRACTION);
  const sine = product(rest, sineFactor(square));
  const other = { sign: 0, bits: cosine(square) - 1n, scale: -FRACTION };
  const negated = (s: Scaled): Scaled => ({ ...s, sign: s.sign ^ SIGN });
  switch (quadrant) {
    case 0:
      return { sine, cosine: other };
    case 1:
      return { sine: other, cosine: negated(sine) };
    case 2:
      return { sine: negated(sine), cosine: negated(other) };
    default:
      return { sine: negated(other), cosine: sine };
  }
}

/** The operand of a trigonometric instruction; sets C2 where it is too large. */
function angleOperand(fpu: FpuUnit): Extended | undefined {
  fpu.status &= ~(SW.C1 | SW.C2);
  const x = topNumber(fpu);
  if (!x) return undefined;
  if (x.kind === INFINITY) {
    fpu.invalid(fpu.stack(0));
    return undefined;
  }
  if (x.kind !== ZERO && x.exponent >= UNREDUCED) {
    fpu.status |= SW.C2;
    return undefined;
  }
  return fpu.denormals(x) ? x : undefined;
}

/** FSIN. */
export function fsin(fpu: FpuUnit): void {
  const x = angleOperand(fpu);
  if (x && x.kind !== ZERO) deliver(fpu, fpu.stack(0), sineCosine(x).sine);
}

/** FCOS. */
export function fcos(fpu: FpuUnit): void {
  const x = angleOperand(fpu);
  if (!x) return;
  if (x.kind === ZERO) fpu.set(fpu.stack(0), one(0));
  else deliver(fpu, fpu.stack(0), sineCosine(x).cosine);
}

/**
 * FSINCOS and FPTAN: ST(0) becomes the first result and the second is pushed. After a stack fault or
 * an invalid operand both are the default NaN; a NaN is both.
 */
function pushing(fpu: FpuUnit, compute: (x: Extended, at: number) => void): void {
  fpu.status &= ~(SW.C1 | SW.C2);
  const at = fpu.stack(0);
  const underflow = fpu.isEmpty(at);
  if (underflow || !fpu.isEmpty(fpu.stack(-1))) {
    if (!fpu.stackFault(!underflow)) return;
    fpu.set(at, INDEFINITE);
    return fpu.push(INDEFINITE);
  }
  const given = fpu.number(at);
  if (given.kind === INFINITY || given.kind === CLASS.UNSUPPORTED) {
    if (fpu.invalid(at)) fpu.push(INDEFINITE);
  } else if (isNan(given)) {
    if (nans(fpu, at, given)) fpu.push(quieted(given));
  } else {
    const x = angleOperand(fpu);
    if (x) compute(x, at);
  }
}

/** FSINCOS. */
export const fsincos = (fpu: FpuUnit): void =>
  pushing(fpu, (x, at) => {
    if (x.kind === ZERO) return fpu.push(one(0));
    const { sine, cosine } = sineCosine(x);
    deliver(fpu, at, sine);
    fpu.turn(-1);
    deliver(fpu, fpu.stack(0), cosine);
  });

/** FPTAN. */
export const fptan = (fpu: FpuUnit): void =>
  pushing(fpu, (x, at) => {
    if (x.kind !== ZERO) {
      const { sine, cosine } = sineCosine(x);
      deliver(fpu, at, quotient(sine, cosine));
    }
    fpu.push(one(0));
  });

function quotient(x: Scaled, y: Scaled): Scaled {
  const extra = 192 + y.bits.toString(2).length;
  return {
    sign: x.sign ^ y.sign,
    bits: (x.bits << BigInt(extra)) / y.bits,
    scale: x.scale - y.scale - extra,
  };
}

// ---- two operands, the second of which takes the result and becomes the top ---------------------------

type Result = Extended | Scaled | "invalid" | "zero-divide" | "undefined";

/** What an instruction does to two numbers. */
interface Rules {
  /** Result for operands that are zero, infinite or outside the domain; nothing for others. */
  readonly special: (x: Extended, y: Extended) => Result | undefined;
  readonly compute: (x: Extended, y: Extended) => Scaled;
}

function binary(fpu: FpuUnit, rules: Rules): void {
  fpu.clearC1();
  const [a, b] = [fpu.stack(0), fpu.stack(1)];
  if (fpu.isEmpty(a) || fpu.isEmpty(b)) {
    if (stackUnderflow(fpu, b)) fpu.pop();
    return;
  }
  const x = fpu.number(a), y = fpu.number(b);
  if (nans(fpu, b, x, y) ?? settle(fpu, b, [x, y], rules)) fpu.pop();
}

/** @returns whether the instruction is complete */
function settle(
  fpu: FpuUnit,
  at: number,
  [x, y]: readonly [Extended, Extended],
  rules: Rules,
): boolean {
  const result = rules.special(x, y);
  if (result === "invalid") return fpu.invalid(at);
  if (result === "zero-divide") {
    if (!fpu.raise(SW.ZE)) return false;
    fpu.set(at, special(INFINITY, y.sign ^ SIGN));
    return true;
  }
  if (!fpu.denormals(x, y)) return false;
  if (result === "undefined") {
    fpu.set(at, x);
    fpu.raise(SW.PE);
    return true;
  }
  const value = result ?? rules.compute(x, y);
  if ("kind" in value) fpu.set(at, value);
  else deliver(fpu, at, value);
  return true;
}

/** y · log2(x), when one of them is zero or infinite, or x is 1 or negative. */
function specialLogarithm(x: Extended, y: Extended): Result | undefined {
  if (x.kind === ZERO) {
    if (y.kind === ZERO) return "invalid";
    return y.kind === INFINITY ? special(INFINITY, y.sign ^ SIGN) : "zero-divide";
  }
  if (x.sign) return "invalid";
  const isOne = x.exponent === BIAS && x.bits === 1n << 63n;
  if (isOne) return y.kind === INFINITY ? "invalid" : special(ZERO, y.sign);
  const sign = x.exponent < BIAS ? y.sign ^ SIGN : y.sign;
  if (x.kind === INFINITY) return y.kind === ZERO ? "invalid" : special(INFINITY, y.sign);
  if (y.kind === INFINITY) return special(INFINITY, sign);
  return y.kind === ZERO ? special(ZERO, sign) : undefined;
}

/** log2 of a positive number that is not 1. */
function logarithm({ bits, scale }: Scaled): Scaled {
  const length = bits.toString(2).length;
  // 1 + x lies between ¾ and 1½.
  const above = bits >> BigInt(length - 2) === 3n ? 1 : 0;
  const shift = FRACTION + 1 - length - above;
  const x = (shift >= 0 ? bits << BigInt(shift) : bits >> BigInt(-shift)) - ONE;
  const power = BigInt(scale + length - 1 + above);
  const value = power * ONE + (x * logarithmFactor(x) >> BigInt(FRACTION));
  return { sign: value < 0n ? SIGN : 0, bits: value < 0n ? -value : value, scale: -FRACTION };
}

const multiplied = (x: Scaled, y: Scaled): Scaled => ({
  sign: x.sign ^ y.sign,
  bits: x.bits * y.bits,
  scale: x.scale + y.scale,
});

/** FYL2X. */
export const fyl2x = (fpu: FpuUnit): void =>
  binary(fpu, {
    special: specialLogarithm,
    compute: (x, y) => multiplied(logarithm(scaled(x)), scaled(y)),
  });

/** y · log2(x + 1) at the borders of its domain. */
function specialLogarithmPlus(x: Extended, y: Extended): Result | undefined {
  const sign = signOfProduct(x, y);
  if (x.kind === ZERO) return y.kind === INFINITY ? "invalid" : special(ZERO, sign);
  if (x.kind === INFINITY) {
    return x.sign || y.kind === ZERO ? "invalid" : special(INFINITY, sign);
  }
  if (y.kind === INFINITY) return special(INFINITY, sign);
  if (y.kind === ZERO) return special(ZERO, sign);
  // The logarithm of what is not positive: processors leave x.
  return x.sign && x.exponent >= BIAS ? "undefined" : undefined;
}

/** x + 1, for x above -1. */
function increased({ sign, bits, scale }: Scaled): Scaled {
  const common = Math.min(scale, 0);
  const x = bits << BigInt(scale - common);
  const unit = 1n << BigInt(-common);
  return { sign: 0, bits: sign ? unit - x : unit + x, scale: common };
}

function logarithmPlus(x: Extended): Scaled {
  const argument = scaled(x);
  if (x.exponent >= BIAS - 1) return logarithm(increased(argument));
  const magnitude = fixed(argument);
  return product(argument, logarithmFactor(x.sign ? -magnitude : magnitude));
}

/** FYL2XP1. */
export const fyl2xp1 = (fpu: FpuUnit): void =>
  binary(fpu, {
    special: specialLogarithmPlus,
    compute: (x, y) => multiplied(logarithmPlus(x), scaled(y)),
  });

/** An angle of so many quarters of π. */
const turn = (quarters: bigint, sign: number): Scaled => ({
  sign,
  bits: PI * quarters,
  scale: -FRACTION - 2,
});

/** atan2(y, x) where one of them is zero or infinite. */
function specialArcTangent(x: Extended, y: Extended): Result | undefined {
  const { sign } = y;
  if (y.kind === INFINITY) {
    return turn(x.kind === INFINITY ? (x.sign ? 3n : 1n) : 2n, sign);
  }
  if (y.kind === ZERO || x.kind === INFINITY) return x.sign ? turn(4n, sign) : special(ZERO, sign);
  return x.kind === ZERO ? turn(2n, sign) : undefined;
}

function arcTangentOf(x: Extended, y: Extended): Scaled {
  const [ax, ay] = [{ ...scaled(x), sign: 0 }, { ...scaled(y), sign: 0 }];
  const steep = y.exponent > x.exponent || (y.exponent === x.exponent && y.bits > x.bits);
  const ratio = steep ? quotient(ax, ay) : quotient(ay, ax);
  const small = angleOf(ratio);
  if (!steep && !x.sign) return { ...small, sign: y.sign };
  const angle = fixed(small);
  const bits = steep ? (x.sign ? PI / 2n + angle : PI / 2n - angle) : PI - angle;
  return { sign: y.sign, bits, scale: -FRACTION };
}

/** Below this a tangent and its angle differ by less than anybody can see. */
const TINY = -100;

function angleOf(ratio: Scaled): Scaled {
  const exponent = ratio.scale + ratio.bits.toString(2).length;
  if (exponent < TINY) return { ...ratio, bits: (ratio.bits << 64n) - 1n, scale: ratio.scale - 64 };
  return { sign: 0, bits: arcTangent(fixed(ratio)), scale: -FRACTION };
}

/** FPATAN. */
export const fpatan = (fpu: FpuUnit): void =>
  binary(fpu, { special: specialArcTangent, compute: arcTangentOf });

// ---- powers ------------------------------------------------------------------------------------------

/** F2XM1. */
export function f2xm1(fpu: FpuUnit): void {
  fpu.clearC1();
  const x = topNumber(fpu);
  if (!x || x.kind === ZERO) return;
  const at = fpu.stack(0);
  if (x.kind === INFINITY) {
    if (x.sign) fpu.set(at, { ...one(SIGN), kind: NORMAL });
    return;
  }
  if (!fpu.denormals(x)) return;
  // Outside -1 to 1 the result is undefined: processors leave the operand.
  if (x.exponent > BIAS || (x.exponent === BIAS && x.bits !== 1n << 63n)) {
    fpu.raise(SW.PE);
    return;
  }
  if (x.exponent === BIAS) return fpu.set(at, x.sign ? half(SIGN) : one(0));
  const argument = product(scaled(x), LN2);
  const magnitude = fixed(argument);
  deliver(fpu, at, product(argument, exponentialFactor(x.sign ? -magnitude : magnitude)));
}

const half = (sign: number): Extended => ({ ...one(sign), exponent: BIAS - 1 });
