/**
 * Conversions between integers, single and double precision. Source: Intel SDM vol. 2, CVT*; vol. 1
 * app. E.
 * @module
 */

import type { SystemOp } from "../insn.ts";
import { AT } from "../state.ts";
import { floating } from "./arith.ts";
import { DOUBLE, type Format, isInside, isPlain, operand, SINGLE } from "./format.ts";
import { type FloatUnit, MX, ROUND } from "./mxcsr.ts";
import * as soft from "./softfloat.ts";

/** One lane converted. */
type Conversion = (u: FloatUnit, to: number, from: number) => void;

const RESULT = AT.SIMD_RESULT;
/** Stands for an integer that does not exist. */
const INDEFINITE = -0x80000000;

/** Nearest integer in a direction of `ROUND`; exact for all doubles. */
function roundToInteger(value: number, mode: number): number {
  if (mode === ROUND.DOWN) return Math.floor(value);
  if (mode === ROUND.UP) return Math.ceil(value);
  if (mode === ROUND.ZERO) return Math.trunc(value);
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || rest === 0.5 && below % 2 !== 0 ? below + 1 : below;
}

function toInteger(f: Format, truncate: boolean): Conversion {
  return (u, to, from) => {
    const value = operand(f, u, from);
    const rounded = roundToInteger(value, truncate ? ROUND.ZERO : u.rounding);
    const fits = rounded >= INDEFINITE && rounded <= 0x7fffffff;
    if (!fits) u.raise(MX.IE);
    else if (rounded !== value) u.raise(MX.PE);
    u.view.setInt32(to, fits ? rounded : INDEFINITE, true);
  };
}

function fromInteger(f: Format): Conversion {
  return (u, to, from) => {
    const value = u.view.getInt32(from, true);
    const rounded = f.round(value);
    if (rounded === value) f.write(u.view, to, rounded);
    else f.setBits(u.view, to, soft.fromInteger(f, u, value));
  };
}

const toSingle: Conversion = (u, to, from) => {
  const value = u.view.getFloat64(from, true);
  const rounded = Math.fround(value);
  if (u.rounding === ROUND.NEAREST && isInside(SINGLE, rounded)) {
    if (rounded !== value) u.raise(MX.PE);
    u.view.setFloat32(to, rounded, true);
  } else SINGLE.setBits(u.view, to, soft.convert(DOUBLE, SINGLE, u, DOUBLE.bits(u.view, from)));
};

const toDouble: Conversion = (u, to, from) => {
  const value = u.view.getFloat32(from, true);
  if (isPlain(SINGLE, value)) u.view.setFloat64(to, value, true);
  else DOUBLE.setBits(u.view, to, soft.convert(SINGLE, DOUBLE, u, SINGLE.bits(u.view, from)));
};

/** How lanes are laid out. */
interface Layout {
  readonly lanes: number;
  /** Bytes of one lane in operand 1 and in operand 0. */
  readonly from: 4 | 8;
  readonly to: 4 | 8;
  /** Bytes of operand 0 that change: those above the lanes become zero. */
  readonly bytes: number;
}

function conversion(layout: Layout, convert: Conversion): SystemOp {
  const { lanes, from, to, bytes } = layout;
  return floating((u, _a, b) => {
    for (let n = 0; n < lanes; n++) convert(u, RESULT + n * to, b + n * from);
    for (let n = lanes * to; n < bytes; n += 4) u.view.setInt32(RESULT + n, 0, true);
  }, bytes);
}

const FOUR: Layout = { lanes: 4, from: 4, to: 4, bytes: 16 };
const TWO: Layout = { lanes: 2, from: 4, to: 4, bytes: 8 };
const WIDEN: Layout = { lanes: 2, from: 4, to: 8, bytes: 16 };
const NARROW: Layout = { lanes: 2, from: 8, to: 4, bytes: 16 };
const NARROW_MMX: Layout = { ...NARROW, bytes: 8 };
const ONE: Layout = { lanes: 1, from: 4, to: 4, bytes: 4 };
const ONE_WIDER: Layout = { lanes: 1, from: 4, to: 8, bytes: 8 };
const ONE_NARROWER: Layout = { lanes: 1, from: 8, to: 4, bytes: 4 };

export const cvtdq2ps: SystemOp = conversion(FOUR, fromInteger(SINGLE));
export const cvtps2dq: SystemOp = conversion(FOUR, toInteger(SINGLE, false));
export const cvttps2dq: SystemOp = conversion(FOUR, toInteger(SINGLE, true));
export const cvtdq2pd: SystemOp = conversion(WIDEN, fromInteger(DOUBLE));
export const cvtpd2dq: SystemOp = conversion(NARROW, toInteger(DOUBLE, false));
export const cvttpd2dq: SystemOp = conversion(NARROW, toInteger(DOUBLE, true));
export const cvtps2pd: SystemOp = conversion(WIDEN, toDouble);
export const cvtpd2ps: SystemOp = conversion(NARROW, toSingle);
export const cvtss2sd: SystemOp = conversion(ONE_WIDER, toDouble);
export const cvtsd2ss: SystemOp = conversion(ONE_NARROWER, toSingle);

export const cvtpi2ps: SystemOp = conversion(TWO, fromInteger(SINGLE));
export const cvtpi2pd: SystemOp = conversion(WIDEN, fromInteger(DOUBLE));
export const cvtps2pi: SystemOp = conversion(TWO, toInteger(SINGLE, false));
export const cvttps2pi: SystemOp = conversion(TWO, toInteger(SINGLE, true));
export const cvtpd2pi: SystemOp = conversion(NARROW_MMX, toInteger(DOUBLE, false));
export const cvttpd2pi: SystemOp = conversion(NARROW_MMX, toInteger(DOUBLE, true));

export const cvtsi2ss: SystemOp = conversion(ONE, fromInteger(SINGLE));
export const cvtsi2sd: SystemOp = conversion(ONE_WIDER, fromInteger(DOUBLE));
export const cvtss2si: SystemOp = conversion(ONE, toInteger(SINGLE, false));
export const cvttss2si: SystemOp = conversion(ONE, toInteger(SINGLE, true));
export const cvtsd2si: SystemOp = conversion(ONE_NARROWER, toInteger(DOUBLE, false));
export const cvttsd2si: SystemOp = conversion(ONE_NARROWER, toInteger(DOUBLE, true));
