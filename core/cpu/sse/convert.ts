/**
 * Conversions between integers, single and double precision. Source: Intel SDM vol. 2, CVT*; vol. 1
 * app. E.
 * @module
 */

import type { SystemOp } from "../insn.ts";
import { AT } from "../state.ts";
import { floating } from "./arith.ts";
import { DOUBLE, type Format, isInside, isPlain, operand, SINGLE } from "./format.ts";
import { type FloatStatus, MX, ROUND } from "./mxcsr.ts";
import * as soft from "./softfloat.ts";

/** One lane converted. */
type Conversion = (s: FloatStatus, view: DataView, to: number, from: number) => void;

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
  return (s, view, to, from) => {
    const value = operand(f, s, view, from);
    const rounded = roundToInteger(value, truncate ? ROUND.ZERO : s.rounding);
    const fits = rounded >= INDEFINITE && rounded <= 0x7fffffff;
    if (!fits) s.raise(MX.IE);
    else if (rounded !== value) s.raise(MX.PE);
    view.setInt32(to, fits ? rounded : INDEFINITE, true);
  };
}

function fromInteger(f: Format): Conversion {
  return (s, view, to, from) => {
    const value = view.getInt32(from, true);
    const rounded = f.round(value);
    if (rounded === value) f.write(view, to, rounded);
    else f.setBits(view, to, soft.fromInteger(f, s, value));
  };
}

const toSingle: Conversion = (s, view, to, from) => {
  const value = view.getFloat64(from, true);
  const rounded = Math.fround(value);
  if (s.rounding === ROUND.NEAREST && isInside(SINGLE, rounded)) {
    if (rounded !== value) s.raise(MX.PE);
    view.setFloat32(to, rounded, true);
  } else SINGLE.setBits(view, to, soft.convert(DOUBLE, SINGLE, s, DOUBLE.bits(view, from)));
};

const toDouble: Conversion = (s, view, to, from) => {
  const value = view.getFloat32(from, true);
  if (isPlain(SINGLE, value)) view.setFloat64(to, value, true);
  else DOUBLE.setBits(view, to, soft.convert(SINGLE, DOUBLE, s, SINGLE.bits(view, from)));
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
  return floating((s, view, _a, b) => {
    for (let n = 0; n < lanes; n++) convert(s, view, RESULT + n * to, b + n * from);
    for (let n = lanes * to; n < bytes; n += 4) view.setInt32(RESULT + n, 0, true);
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
