/**
 * FPREM, FPREM1, FSCALE, FXTRACT and FXAM. Source: Intel SDM vol. 2.
 * @module
 */

import { BIAS, CONDITIONS, MAX_EXPONENT, SIGN, SW } from "./layout.ts";
import { CLASS, type Extended, INDEFINITE, isNan, normalised, quieted, special } from "./number.ts";
import { nans, stackUnderflow } from "./special.ts";
import type { FpuUnit } from "./unit.ts";

const { ZERO, INFINITY } = CLASS;

/** Operands ST(0) and ST(1) that are numbers; nothing when the instruction is over. */
function twoNumbers(fpu: FpuUnit): [Extended, Extended] | undefined {
  const [a, b] = [fpu.stack(0), fpu.stack(1)];
  if (fpu.isEmpty(a) || fpu.isEmpty(b)) {
    stackUnderflow(fpu, a);
    return undefined;
  }
  const x = fpu.number(a), y = fpu.number(b);
  return nans(fpu, a, x, y) === undefined ? [x, y] : undefined;
}

// ---- remainder ----------------------------------------------------------------------------------

/** A difference of exponents up to here is worked off in one step. */
const WHOLE = 64;

/** Bits of the quotient that a step of a longer division takes. */
const partialBits = (difference: number): number => 32 + difference % 32;

/** @param nearest FPREM1: the quotient is rounded to nearest, else cut */
function remainder(fpu: FpuUnit, nearest: boolean): void {
  fpu.status &= ~(SW.C1 | SW.C2);
  const operands = twoNumbers(fpu);
  if (!operands) return;
  const [x, y] = operands;
  const at = fpu.stack(0);
  if (x.kind === INFINITY || y.kind === ZERO) return void fpu.invalid(at);
  if (!fpu.denormals(x, y)) return;
  if (x.kind === ZERO) return setQuotient(fpu, 0, false);
  const difference = x.exponent - y.exponent;
  // The dividend is below half the divisor.
  if (y.kind === INFINITY || difference < -1) {
    keep(fpu, at, x);
    return setQuotient(fpu, 0, false);
  }
  reduce(fpu, at, x, y, nearest);
}

function keep(fpu: FpuUnit, at: number, { sign, exponent, bits }: Extended): void {
  fpu.core.round(at, sign, exponent, bits, 0n, 0);
}

function reduce(fpu: FpuUnit, at: number, x: Extended, y: Extended, nearest: boolean): void {
  const difference = x.exponent - y.exponent;
  const partial = difference >= WHOLE;
  const shift = partial ? partialBits(difference) : difference;
  // With a difference of -1 both are doubled.
  const dividend = shift < 0 ? x.bits : x.bits << BigInt(shift);
  const divisor = shift < 0 ? y.bits << 1n : y.bits;
  let quotient = dividend / divisor;
  let rest = dividend % divisor;
  let { sign } = x;
  if (nearest && !partial) {
    const twice = rest * 2n;
    if (twice > divisor || (twice === divisor && quotient & 1n)) {
      quotient++;
      rest = divisor - rest;
      sign ^= SIGN;
    }
  }
  const scale = y.exponent + (shift < 0 ? -1 : difference - shift);
  if (rest) keep(fpu, at, normalised(sign, scale, rest));
  else fpu.set(at, special(ZERO, x.sign));
  setQuotient(fpu, Number(quotient & 7n), partial);
}

/** C2: not done yet; else the quotient's last three bits. */
function setQuotient(fpu: FpuUnit, quotient: number, partial: boolean): void {
  const bits = (quotient & 4 ? SW.C0 : 0) | (quotient & 2 ? SW.C3 : 0) | (quotient & 1 ? SW.C1 : 0);
  fpu.status = fpu.status & ~CONDITIONS | (partial ? SW.C2 : bits);
}

/** FPREM. */
export const fprem = (fpu: FpuUnit): void => remainder(fpu, false);
/** FPREM1. */
export const fprem1 = (fpu: FpuUnit): void => remainder(fpu, true);

// ---- scaling ------------------------------------------------------------------------------------

/** Larger than any scale that still matters. */
const HUGE = 0x10000;

/** A number's integer part, within ±{@link HUGE}. */
function cut({ sign, exponent, bits }: Extended): number {
  const power = exponent - BIAS;
  if (power < 0) return 0;
  const magnitude = power > 16 ? HUGE : Number(bits >> BigInt(63 - power));
  return sign ? -magnitude : magnitude;
}

/** The scale is infinite. */
function scaledByInfinity(fpu: FpuUnit, at: number, x: Extended, y: Extended): void {
  const up = y.sign === 0;
  if (x.kind === (up ? ZERO : INFINITY)) return void fpu.invalid(at);
  if (fpu.denormals(x)) fpu.set(at, special(up ? INFINITY : ZERO, x.sign));
}

/** FSCALE. */
export function fscale(fpu: FpuUnit): void {
  fpu.clearC1();
  const operands = twoNumbers(fpu);
  if (!operands) return;
  const [x, y] = operands;
  const at = fpu.stack(0);
  if (y.kind === INFINITY) return scaledByInfinity(fpu, at, x, y);
  if (!fpu.denormals(x, y) || x.kind === ZERO || x.kind === INFINITY) return;
  const scale = y.kind === ZERO ? 0 : cut(y);
  fpu.core.round(at, x.sign, x.exponent + scale, x.bits, 0n, 0);
}

/** An integer as an extended number. */
function fromInteger(value: number): Extended {
  if (value === 0) return special(ZERO, 0);
  return normalised(value < 0 ? SIGN : 0, BIAS + 63, BigInt(Math.abs(value)));
}

/** Exponent and significand of a number as two numbers. */
function extracted(x: Extended): readonly [Extended, Extended] {
  if (isNan(x)) return [quieted(x), quieted(x)];
  if (x.kind === ZERO) return [special(INFINITY, SIGN), x];
  if (x.kind === INFINITY) return [special(INFINITY, 0), x];
  return [fromInteger(x.exponent - BIAS), { ...x, exponent: BIAS }];
}

/** FXTRACT. */
export function fxtract(fpu: FpuUnit): void {
  fpu.clearC1();
  const at = fpu.stack(0);
  const underflow = fpu.isEmpty(at);
  if (underflow || !fpu.isEmpty(fpu.stack(-1))) {
    if (!fpu.stackFault(!underflow)) return;
    fpu.set(at, INDEFINITE);
    return fpu.push(INDEFINITE);
  }
  const x = fpu.number(at);
  if (x.kind === CLASS.UNSUPPORTED) {
    if (fpu.invalid(at)) fpu.push(INDEFINITE);
    return;
  }
  const flag = x.kind === CLASS.SIGNALING ? SW.IE : x.kind === ZERO ? SW.ZE : 0;
  if (!(flag ? fpu.raise(flag) : fpu.denormals(x))) return;
  const [exponent, significand] = extracted(x);
  fpu.set(at, exponent);
  fpu.push(significand);
}

// ---- examination --------------------------------------------------------------------------------

/** Condition code of each class, in the order of {@link CLASS}. */
const EXAMINED = [SW.C3, SW.C2, SW.C3 | SW.C2, SW.C2 | SW.C0, SW.C0, SW.C0, 0];

/** FXAM. */
export function fxam(fpu: FpuUnit): void {
  const at = fpu.stack(0);
  const code = fpu.isEmpty(at) ? SW.C3 | SW.C0 : EXAMINED[fpu.number(at).kind]!;
  const sign = fpu.signExponent(at) > MAX_EXPONENT ? SW.C1 : 0;
  fpu.status = fpu.status & ~CONDITIONS | code | sign;
}
