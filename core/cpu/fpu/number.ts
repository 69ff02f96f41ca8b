/**
 * Extended numbers as TypeScript sees them: what a register holds, and which NaN an operation
 * returns. Source: Intel SDM vol. 1, §4.8 and table 4-7.
 * @module
 */

import { MAX_EXPONENT, SIGN } from "./layout.ts";

/** What a register may hold. `UNSUPPORTED` has an integer bit that its exponent forbids. */
export const CLASS = {
  ZERO: 0,
  NORMAL: 1,
  DENORMAL: 2,
  INFINITY: 3,
  QUIET: 4,
  SIGNALING: 5,
  UNSUPPORTED: 6,
} as const;

/** A register's contents, a denormal with its leading bit moved up. */
export interface Extended {
  readonly kind: number;
  /** 0 or 0x8000. */
  readonly sign: number;
  /** Biased; may be below 1 for a denormal. */
  readonly exponent: number;
  readonly bits: bigint;
}

const LEAD = 1n << 63n;
const QUIET_BIT = 1n << 62n;

/** The default NaN. */
export const INDEFINITE: Extended = {
  kind: CLASS.QUIET,
  sign: SIGN,
  exponent: MAX_EXPONENT,
  bits: LEAD | QUIET_BIT,
};

/** A number with an exponent below 1, or unnormalised, with its leading bit moved to bit 63. */
export function normalised(sign: number, exponent: number, bits: bigint): Extended {
  const left = 64 - bits.toString(2).length;
  return { kind: CLASS.DENORMAL, sign, exponent: exponent - left, bits: bits << BigInt(left) };
}

/**
 * @param se sign and exponent
 * @param widened the number came from a narrower format: see TEMP in layout.ts
 */
export function classify(bits: bigint, se: number, widened: boolean): Extended {
  const sign = se & SIGN;
  const exponent = se & MAX_EXPONENT;
  const leads = (bits & LEAD) !== 0n;
  if (exponent === 0) {
    if (bits === 0n) return { kind: CLASS.ZERO, sign, exponent, bits };
    return normalised(sign, 1, bits);
  }
  if (!leads) {
    if (widened) return normalised(sign, exponent, bits);
    return { kind: CLASS.UNSUPPORTED, sign, exponent, bits };
  }
  if (exponent < MAX_EXPONENT) return { kind: CLASS.NORMAL, sign, exponent, bits };
  if (bits === LEAD) return { kind: CLASS.INFINITY, sign, exponent, bits };
  const kind = bits & QUIET_BIT ? CLASS.QUIET : CLASS.SIGNALING;
  return { kind, sign, exponent, bits };
}

/** Quiet or signaling. */
export const isNan = ({ kind }: Extended): boolean =>
  kind === CLASS.QUIET || kind === CLASS.SIGNALING;

/** Zero or infinity. */
export function special(kind: number, sign: number): Extended {
  const infinite = kind === CLASS.INFINITY;
  return { kind, sign, exponent: infinite ? MAX_EXPONENT : 0, bits: infinite ? LEAD : 0n };
}

/** The quiet NaN with the same payload. */
export function quieted(nan: Extended): Extended {
  return { ...nan, kind: CLASS.QUIET, bits: nan.bits | QUIET_BIT };
}

/** The NaN that an operation on two operands returns, one of which is a NaN. */
export function chosenNan(x: Extended, y: Extended): Extended {
  if (!isNan(y)) return quieted(x);
  if (!isNan(x)) return quieted(y);
  if (x.kind !== y.kind) return x.kind === CLASS.QUIET ? x : y;
  if (x.bits !== y.bits) return quieted(x.bits > y.bits ? x : y);
  return quieted(x.sign === 0 ? x : y);
}
