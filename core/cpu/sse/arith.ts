/**
 * Floating-point arithmetic, packed and scalar.
 *
 * The common case (to nearest, operands and result well inside the format) is done in doubles: a
 * double rounded to single is the correctly rounded single, and what rounding has lost follows from
 * error-free transformations (T. J. Dekker 1971; D. E. Knuth, TAOCP vol. 2 §4.2.2). All else is
 * softfloat.ts. Source: Intel SDM vol. 1 ch. 10–11.
 * @module
 */

import type { SystemOp } from "../insn.ts";
import { AT } from "../state.ts";
import { fetch, permitMmx, permitSse, registerAt, turnToMmx, usesMmx, written } from "./access.ts";
import { type Format, isInside, isPlain, SINGLE } from "./format.ts";
import { keep } from "./lanes.ts";
import { FloatUnit, MX, ROUND } from "./mxcsr.ts";
import * as soft from "./softfloat.ts";

/** One lane: `to` becomes a function of the lanes at `a` (operand 0) and `b` (operand 1). */
export type FloatLane = (u: FloatUnit, to: number, a: number, b: number) => void;

/** A whole instruction: makes the result, of at most 16 bytes, at `AT.SIMD_RESULT`. */
export type FloatOp = (u: FloatUnit, a: number, b: number, imm: number) => void;

const unit = new FloatUnit();

/**
 * An instruction that may raise floating-point exceptions; then nothing is written.
 * @param bytes of operand 0 that change
 */
export function floating(op: FloatOp, bytes: number): SystemOp {
  return (cpu, insn) => {
    const { state } = cpu;
    const first = insn.operands[0]!;
    const mmx = usesMmx(insn);
    // Conversions from memory name no XMM register, but MXCSR rules them all.
    permitSse(cpu);
    if (mmx) permitMmx(cpu);
    const from = fetch(cpu, insn, true);
    if (mmx) turnToMmx(state);
    const to = registerAt(first);
    unit.begin(state);
    op(unit, to, from, insn.imm);
    unit.finish(cpu);
    keep(state.view, to, bytes);
    written(state, first);
  };
}

/** Runs a lane function over `bytes` bytes: of a whole register, or of its lowest lane. */
export function lanewise(f: Format, bytes: number, lane: FloatLane): SystemOp {
  return floating((u, a, b) => {
    for (let n = 0; n < bytes; n += f.bytes) lane(u, AT.SIMD_RESULT + n, a + n, b + n);
  }, bytes);
}

/** Writes a double, the nearest to the exact result, to a lane. */
function put(f: Format, u: FloatUnit, to: number, value: number): void {
  const rounded = f.round(value);
  if (rounded !== value) u.raise(MX.PE);
  f.write(u.view, to, rounded);
}

/** What `total = x + y` has lost, exactly. */
function sumError(x: number, y: number, total: number): number {
  const part = total - x;
  return (x - (total - part)) + (y - part);
}

/** Splits a double into halves of 26 bits, whose products are exact. */
const SPLITTER = 2 ** 27 + 1;

/** What `product = x × y` has lost, exactly, for operands of moderate size. */
function productError(x: number, y: number, product: number): number {
  const xs = SPLITTER * x, ys = SPLITTER * y;
  const xh = xs - (xs - x), yh = ys - (ys - y);
  const xl = x - xh, yl = y - yh;
  return xl * yl - (((product - xh * yh) - xl * yh) - xh * yl);
}

/** So far from the limits of binary64 that products and their errors are exact. */
function isModerate(x: number): boolean {
  const size = Math.abs(x);
  return size > 2 ** -450 && size < 2 ** 450;
}

const isFactor = (f: Format, x: number): boolean => x === 0 || isModerate(x) && isPlain(f, x);

function summing(sign: 1 | -1): (f: Format) => FloatLane {
  const exact = sign > 0 ? soft.add : soft.subtract;
  return (f) => (u, to, a, b) => {
    const { view } = u;
    const x = f.read(view, a), y = sign * f.read(view, b);
    const total = x + y;
    const near = u.rounding === ROUND.NEAREST && isPlain(f, x) && isPlain(f, y);
    if (near && (total === 0 || isInside(f, f.round(total)))) {
      if (sumError(x, y, total) !== 0) u.raise(MX.PE);
      put(f, u, to, total);
    } else f.setBits(view, to, exact(f, u, f.bits(view, a), f.bits(view, b)));
  };
}

export const add: (f: Format) => FloatLane = summing(1);
export const sub: (f: Format) => FloatLane = summing(-1);

/** Multiplication. */
export function mul(f: Format): FloatLane {
  return (u, to, a, b) => {
    const { view } = u;
    const x = f.read(view, a), y = f.read(view, b);
    const product = x * y;
    const near = u.rounding === ROUND.NEAREST && isFactor(f, x) && isFactor(f, y);
    if (near && (x === 0 || y === 0 || isInside(f, f.round(product)))) {
      if (productError(x, y, product) !== 0) u.raise(MX.PE);
      put(f, u, to, product);
    } else f.setBits(view, to, soft.multiply(f, u, f.bits(view, a), f.bits(view, b)));
  };
}

/** Division. */
export function div(f: Format): FloatLane {
  return (u, to, a, b) => {
    const { view } = u;
    const x = f.read(view, a), y = f.read(view, b);
    const quotient = x / y;
    const near = u.rounding === ROUND.NEAREST && isFactor(f, x) && isFactor(f, y) && y !== 0;
    if (near && (x === 0 || isInside(f, f.round(quotient)))) {
      const back = quotient * y;
      if (back !== x || productError(quotient, y, back) !== 0) u.raise(MX.PE);
      put(f, u, to, quotient);
    } else f.setBits(view, to, soft.divide(f, u, f.bits(view, a), f.bits(view, b)));
  };
}

/** Square root of operand 1. */
export function sqrt(f: Format): FloatLane {
  return (u, to, _a, b) => {
    const x = f.read(u.view, b);
    if (u.rounding === ROUND.NEAREST && isFactor(f, x) && x > 0) {
      const root = Math.sqrt(x);
      const back = root * root;
      if (back !== x || productError(root, root, back) !== 0) u.raise(MX.PE);
      put(f, u, to, root);
    } else f.setBits(u.view, to, soft.squareRoot(f, u, f.bits(u.view, b)));
  };
}

// ---- approximations ----------------------------------------------------------------------------

/** Approximations keep this many bits: their relative error stays below 1.5 × 2^-12. */
const APPROXIMATE_BITS = 12;
/** Single precision: makes a NaN quiet; the NaN of a result that does not exist. */
const QUIET = 0x400000n, INDEFINITE = 0xffc00000n;

function approximate(value: number): number {
  const scale = 2 ** (APPROXIMATE_BITS - 1 - Math.floor(Math.log2(Math.abs(value))));
  return Math.round(value * scale) / scale;
}

/** RCPPS, RSQRTPS and their scalar forms: no flags; denormal operands and results are zero. */
function approximation(exact: (x: number) => number): FloatLane {
  const f = SINGLE;
  return ({ view }, to, _a, b) => {
    const x = f.read(view, b);
    const y = exact(Math.abs(x) < f.smallest ? x * 0 : x);
    if (x !== x) f.setBits(view, to, f.bits(view, b) | QUIET);
    else if (y !== y) f.setBits(view, to, INDEFINITE);
    else if (Math.abs(y) < f.smallest) f.write(view, to, y * 0);
    else f.write(view, to, Number.isFinite(y) ? approximate(y) : y);
  };
}

export const rcp: FloatLane = approximation((x) => 1 / x);
export const rsqrt: FloatLane = approximation((x) => x === 0 ? 1 / x : 1 / Math.sqrt(x));
