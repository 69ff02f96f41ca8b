/**
 * Numbers of any precision on their way from and to the registers, for the transcendentals.
 * @module
 */

import { BIAS, FORMAT, SIGN } from "./layout.ts";
import type { Extended } from "./number.ts";
import { FRACTION } from "./precise.ts";
import { nans, stackUnderflow } from "./special.ts";
import type { FpuUnit } from "./unit.ts";

const ALL_ONES = (1n << 64n) - 1n;

/** An exact number: `bits` × 2^`scale`. */
export interface Scaled {
  readonly sign: number;
  readonly bits: bigint;
  readonly scale: number;
}

/** The number in a register. */
export const scaled = ({ sign, exponent, bits }: Extended): Scaled => ({
  sign,
  bits,
  scale: exponent - BIAS - 63,
});

/** Magnitude in fixed point, cut. */
export function fixed({ bits, scale }: Scaled): bigint {
  const shift = scale + FRACTION;
  return shift >= 0 ? bits << BigInt(shift) : bits >> BigInt(-shift);
}

/** Rounds to 64 bits, whatever the precision control says; the result is never exact. */
export function deliver(fpu: FpuUnit, at: number, { sign, bits, scale }: Scaled): void {
  const length = bits.toString(2).length;
  const cut = length - 128;
  const top = (cut > 0 ? bits >> BigInt(cut) : bits << BigInt(-cut)) | 1n;
  const exponent = BIAS + scale + length - 1;
  const exact = { sign, exponent, hi: top >> 64n, lo: top & ALL_ONES };
  fpu.fit(exact, { at, shift: 0, format: FORMAT[10], wrap: true });
  fpu.tag(at, false);
}

/** A number times a factor in fixed point. */
export const product = (x: Scaled, factor: bigint): Scaled => ({
  sign: factor < 0n ? x.sign ^ SIGN : x.sign,
  bits: x.bits * (factor < 0n ? -factor : factor),
  scale: x.scale - FRACTION,
});

/** One operand on the top of the stack; nothing when it is empty or no number. */
export function topNumber(fpu: FpuUnit): Extended | undefined {
  const at = fpu.stack(0);
  if (fpu.isEmpty(at)) {
    stackUnderflow(fpu, at);
    return undefined;
  }
  const x = fpu.number(at);
  return nans(fpu, at, x) === undefined ? x : undefined;
}

/** Quotient to some 190 bits. */
export function quotient(x: Scaled, y: Scaled): Scaled {
  const extra = 192 + y.bits.toString(2).length;
  return {
    sign: x.sign ^ y.sign,
    bits: (x.bits << BigInt(extra)) / y.bits,
    scale: x.scale - y.scale - extra,
  };
}

/** Exact product. */
export const multiplied = (x: Scaled, y: Scaled): Scaled => ({
  sign: x.sign ^ y.sign,
  bits: x.bits * y.bits,
  scale: x.scale + y.scale,
});
