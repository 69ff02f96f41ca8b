/**
 * Arithmetic with operands that are not ordinary: empty registers, NaNs, infinities, zeros,
 * denormals. What is left after these goes to the same core as everything else.
 * Source: Intel SDM vol. 1, §8.5 and vol. 2, FADD to FSUBR.
 * @module
 */

import { BIAS, FORMAT, RC, SIGN, SW, TEMP } from "./layout.ts";
import { chosenNan, CLASS, type Extended, INDEFINITE, isNan, quieted, special } from "./number.ts";
import { OPERATIONS } from "./operations.ts";
import { type FpuUnit, signOfProduct } from "./unit.ts";

const { ZERO, INFINITY, SIGNALING, UNSUPPORTED } = CLASS;

/** A special result, `"invalid"`, or nothing when the core has to do the work. */
type Special = Extended | "invalid" | undefined;

function specialSum(fpu: FpuUnit, x: Extended, y: Extended): Special {
  if (x.kind === INFINITY) return y.kind === INFINITY && x.sign !== y.sign ? "invalid" : x;
  if (y.kind === INFINITY) return y;
  if (x.kind !== ZERO || y.kind !== ZERO) return undefined;
  if (x.sign === y.sign) return x;
  return special(ZERO, fpu.rounding === RC.DOWN ? SIGN : 0);
}

function specialProduct(x: Extended, y: Extended): Special {
  const infinite = x.kind === INFINITY || y.kind === INFINITY;
  const zero = x.kind === ZERO || y.kind === ZERO;
  if (infinite && zero) return "invalid";
  if (!infinite && !zero) return undefined;
  return special(infinite ? INFINITY : ZERO, signOfProduct(x, y));
}

function specialQuotient(x: Extended, y: Extended): Special {
  const same = x.kind === y.kind && (x.kind === ZERO || x.kind === INFINITY);
  if (same) return "invalid";
  const sign = signOfProduct(x, y);
  if (x.kind === INFINITY || y.kind === ZERO) return special(INFINITY, sign);
  return x.kind === ZERO || y.kind === INFINITY ? special(ZERO, sign) : undefined;
}

type Pair = readonly [Extended, Extended];

function specialResult(fpu: FpuUnit, operation: number, [x, y]: Pair): Special {
  switch (OPERATIONS[operation]) {
    case "mul":
      return specialProduct(x, y);
    case "div":
      return specialQuotient(x, y);
    default:
      return specialSum(fpu, x, y);
  }
}

function compute(fpu: FpuUnit, operation: number, at: number, [x, y]: Pair): void {
  const sign = signOfProduct(x, y);
  switch (OPERATIONS[operation]) {
    case "mul":
      return fpu.core.coreMul(at, sign, x.exponent + y.exponent - BIAS + 1, x.bits, y.bits);
    case "div":
      return fpu.core.coreDiv(at, sign, x.exponent - y.exponent + BIAS, x.bits, y.bits);
  }
  if (x.kind === ZERO || y.kind === ZERO) {
    const { sign, exponent, bits } = x.kind === ZERO ? y : x;
    fpu.core.round(at, sign, exponent, bits, 0n, fpu.precisionShift);
  } else {
    fpu.core.coreAdd(at, x.sign, x.exponent, x.bits, y.sign, y.exponent, y.bits);
  }
}

/**
 * NaNs and unsupported operands of one or two.
 * @returns whether to go on, `undefined` if there are none
 */
export function nans(
  fpu: FpuUnit,
  at: number,
  x: Extended,
  y: Extended = x,
): boolean | undefined {
  if (x.kind === UNSUPPORTED || y.kind === UNSUPPORTED) return fpu.invalid(at);
  if (!isNan(x) && !isNan(y)) return undefined;
  if ((x.kind === SIGNALING || y.kind === SIGNALING) && !fpu.raise(SW.IE)) return false;
  fpu.set(at, chosenNan(x, y));
  return true;
}

/** @returns whether the instruction is complete, its result written */
function arithmetic(fpu: FpuUnit, operation: number, at: number, [x, given]: Pair): boolean {
  const nan = nans(fpu, at, x, given);
  if (nan !== undefined) return nan;
  const flip = OPERATIONS[operation] === "sub" ? SIGN : 0;
  const y = { ...given, sign: given.sign ^ flip };
  const result = specialResult(fpu, operation, [x, y]);
  if (result === "invalid") return fpu.invalid(at);
  const byZero = OPERATIONS[operation] === "div" && y.kind === ZERO && x.kind !== INFINITY;
  if (byZero && !fpu.raise(SW.ZE)) return false;
  if (!byZero && !fpu.denormals(x, y)) return false;
  if (result) fpu.set(at, result);
  else compute(fpu, operation, at, [x, y]);
  return true;
}

/** A needed register is empty: the default NaN, if that is masked. */
export function stackUnderflow(fpu: FpuUnit, at: number): boolean {
  const masked = fpu.stackFault(false);
  if (masked) fpu.set(at, INDEFINITE);
  return masked;
}

/** Operation, destination, operands, pop. */
export function arithmeticSlow(
  fpu: FpuUnit,
  operation: number,
  at: number,
  a: number,
  b: number,
  pops: number,
): void {
  fpu.clearC1();
  const complete = fpu.isEmpty(a) || fpu.isEmpty(b)
    ? stackUnderflow(fpu, at)
    : arithmetic(fpu, operation, at, [fpu.number(a), fpu.number(b)]);
  if (complete && pops) fpu.pop();
}

/** See SQRT_SLOW. */
export function sqrtSlow(fpu: FpuUnit, at: number): void {
  fpu.clearC1();
  if (fpu.isEmpty(at)) return void stackUnderflow(fpu, at);
  const x = fpu.number(at);
  if (nans(fpu, at, x) !== undefined || x.kind === ZERO) return;
  if (x.sign) return void fpu.invalid(at);
  if (x.kind === INFINITY || !fpu.denormals(x)) return;
  fpu.core.coreSqrt(at, x.exponent, x.bits);
}

/** See RNDINT_SLOW. */
export function rndintSlow(fpu: FpuUnit, at: number): void {
  fpu.clearC1();
  if (fpu.isEmpty(at)) return void stackUnderflow(fpu, at);
  const x = fpu.number(at);
  if (nans(fpu, at, x) !== undefined || x.kind !== CLASS.DENORMAL) return;
  if (!fpu.denormals(x)) return;
  fpu.core.toInteger(x.sign, x.bits, BIAS + 63 - x.exponent);
  fpu.set(at, fpu.bits(TEMP) ? one(x.sign) : special(ZERO, x.sign));
}

/** One. */
export function one(sign: number): Extended {
  return { kind: CLASS.NORMAL, sign, exponent: BIAS, bits: 1n << 63n };
}

/** The result of a rounding does not fit a register. */
export function outOfRange(
  fpu: FpuUnit,
  at: number,
  sign: number,
  exponent: number,
  hi: bigint,
  lo: bigint,
  shift: number,
): number {
  const before = fpu.status;
  const exact = { sign, exponent, hi: BigInt.asUintN(64, hi), lo: BigInt.asUintN(64, lo) };
  fpu.fit(exact, { at, shift, format: FORMAT[10], wrap: true });
  return fpu.status & ~before & SW.PE | fpu.status & SW.C1;
}

// ---- stack -------------------------------------------------------------------------------------

/** See PUSH_SLOW. */
export function pushSlow(fpu: FpuUnit, from: number): void {
  fpu.clearC1();
  if (fpu.isEmpty(from)) {
    if (fpu.stackFault(false)) fpu.push(INDEFINITE);
  } else if (!fpu.isEmpty(fpu.stack(-1))) {
    if (fpu.stackFault(true)) fpu.push(INDEFINITE);
  } else {
    const x = fpu.number(from);
    if (x.kind === SIGNALING && !fpu.raise(SW.IE)) return;
    // The number is loaded even if the exception is not masked.
    fpu.denormals(x);
    fpu.push(isNan(x) ? quieted(x) : x);
  }
}

/** ST(0), or a register that FCMOVcc needs, is empty. */
export function copySlow(fpu: FpuUnit, to: number, pops: number): void {
  if (stackUnderflow(fpu, to) && pops) fpu.pop();
}

/** An empty register counts as the default NaN, if the stack fault is masked. */
export function exchangeSlow(fpu: FpuUnit, other: number): void {
  if (!fpu.stackFault(false)) return;
  const top = fpu.stack(0);
  const [x, y] = [top, other].map((at) => fpu.isEmpty(at) ? INDEFINITE : raw(fpu, at));
  fpu.set(top, y!);
  fpu.set(other, x!);
}

/** A register's contents as they stand. */
function raw(fpu: FpuUnit, at: number): Extended {
  const se = fpu.signExponent(at);
  return { kind: CLASS.NORMAL, sign: se & SIGN, exponent: se & ~SIGN, bits: fpu.bits(at) };
}

/** FCHS or FABS of an empty register. */
export function signSlow(fpu: FpuUnit): void {
  stackUnderflow(fpu, fpu.stack(0));
}

// ---- comparison --------------------------------------------------------------------------------

const BELOW = 1, EQUAL = 0x40, UNORDERED = 0x45;

/** Compares magnitudes; zero is smallest, infinity largest. */
function magnitude(x: Extended, y: Extended): number {
  const key = ({ kind, exponent, bits }: Extended): bigint =>
    kind === ZERO ? 0n : BigInt(exponent + 0x8000) << 64n | bits;
  const [a, b] = [key(x), key(y)];
  return a < b ? -1 : a > b ? 1 : 0;
}

function order(x: Extended, y: Extended): number {
  if (x.kind === ZERO && y.kind === ZERO) return EQUAL;
  if (x.sign !== y.sign) return x.sign ? BELOW : 0;
  const difference = magnitude(x, y) * (x.sign ? -1 : 1);
  return difference < 0 ? BELOW : difference ? 0 : EQUAL;
}

/** The exception that comparing two numbers raises. */
function comparisonFlag(x: Extended, y: Extended, quiet: boolean): number {
  const kinds = [x.kind, y.kind];
  if (kinds.includes(SIGNALING) || kinds.includes(UNSUPPORTED)) return SW.IE;
  if (isNan(x) || isNan(y)) return quiet ? 0 : SW.IE;
  return kinds.includes(CLASS.DENORMAL) ? SW.DE : 0;
}

function popTimes(fpu: FpuUnit, count: number): void {
  for (let n = 0; n < count; n++) fpu.pop();
}

/** An unmasked exception holds back the pops, not the result. */
export function compareSlow(fpu: FpuUnit, b: number, quiet: number, pops: number): number {
  const a = fpu.stack(0);
  if (fpu.isEmpty(a) || fpu.isEmpty(b)) {
    if (fpu.stackFault(false)) popTimes(fpu, pops);
    return UNORDERED;
  }
  const x = fpu.number(a), y = fpu.number(b);
  const flag = comparisonFlag(x, y, quiet !== 0);
  if (!flag || fpu.raise(flag | fpu.status & SW.C1)) popTimes(fpu, pops);
  return flag === SW.IE || isNan(x) || isNan(y) ? UNORDERED : order(x, y);
}

/** FFREE. */
export function free(fpu: FpuUnit, at: number, pops: number): void {
  fpu.tag(at, true);
  if (pops) fpu.pop();
}

/** FINCSTP and FDECSTP. */
export function turn(fpu: FpuUnit, by: number): void {
  fpu.clearC1();
  fpu.turn(by);
}
