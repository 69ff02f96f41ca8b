/**
 * FYL2X, FYL2XP1, FPATAN, F2XM1: special operands by the tables of the manual, the rest by
 * precise.ts and one rounding. Source: Intel SDM vol. 2.
 * @module
 */

import { BIAS, SIGN, SW } from "./layout.ts";
import { CLASS, type Extended, special } from "./number.ts";
import {
  arcTangent,
  exponentialFactor,
  FRACTION,
  LN2,
  logarithmFactor,
  ONE,
  PI,
} from "./precise.ts";
import {
  deliver,
  fixed,
  multiplied,
  product,
  quotient,
  type Scaled,
  scaled,
  topNumber,
} from "./scaled.ts";
import { nans, one, stackUnderflow } from "./special.ts";
import { type FpuUnit, signOfProduct } from "./unit.ts";

const { ZERO, INFINITY, NORMAL } = CLASS;

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

// ---- powers -------------------------------------------------------------------------------------

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
