/**
 * Binary32 and binary64 lanes in linear memory, as numbers and as encodings.
 * @module
 */

import type { FloatUnit } from "./mxcsr.ts";
import { BINARY32, BINARY64, type Encoding } from "./softfloat.ts";

/** One of the two floating-point lanes. */
export interface Format extends Encoding {
  readonly bytes: 4 | 8;
  /** Smallest number that is not denormal, and largest number. */
  readonly smallest: number;
  readonly largest: number;
  read(view: DataView, at: number): number;
  /** @param value exact in this format, not a NaN */
  write(view: DataView, at: number, value: number): void;
  bits(view: DataView, at: number): bigint;
  setBits(view: DataView, at: number, bits: bigint): void;
  /** Nearest number of the format, the even one of two; no difference for binary64. */
  round(value: number): number;
}

/** Single precision. */
export const SINGLE: Format = {
  ...BINARY32,
  bytes: 4,
  smallest: 2 ** -126,
  largest: 2 ** 128 - 2 ** 104,
  read: (view, at) => view.getFloat32(at, true),
  write: (view, at, value) => view.setFloat32(at, value, true),
  bits: (view, at) => BigInt(view.getUint32(at, true)),
  setBits: (view, at, bits) => view.setUint32(at, Number(bits), true),
  round: Math.fround,
};

/** Double precision. */
export const DOUBLE: Format = {
  ...BINARY64,
  bytes: 8,
  smallest: 2 ** -1022,
  largest: Number.MAX_VALUE,
  read: (view, at) => view.getFloat64(at, true),
  write: (view, at, value) => view.setFloat64(at, value, true),
  bits: (view, at) => view.getBigUint64(at, true),
  setBits: (view, at, bits) => view.setBigUint64(at, bits, true),
  round: (value) => value,
};

/** Zero, or a number that is neither denormal nor infinite. */
export function isPlain(f: Format, x: number): boolean {
  const size = Math.abs(x);
  return size >= f.smallest && size <= f.largest || x === 0;
}

/** Strictly between the smallest and infinity: rounding has met no limit of the format. */
export function isInside(f: Format, x: number): boolean {
  const size = Math.abs(x);
  return size > f.smallest && size <= f.largest;
}

/** Not zero, but below the smallest normal number. */
export function isDenormal(f: Format, x: number): boolean {
  return x !== 0 && Math.abs(x) < f.smallest;
}

/** An operand as a number; NaNs of either kind are NaN. */
export function operand(f: Format, u: FloatUnit, at: number): number {
  const x = f.read(u.view, at);
  return u.denormalsAreZero && isDenormal(f, x) ? x * 0 : x;
}

/** The NaN in a lane signals: its quiet bit is clear. */
export function isSignalling(f: Format, view: DataView, at: number): boolean {
  const high = view.getUint32(at + f.bytes - 4, true);
  return (high & (f.bytes === 4 ? 0x400000 : 0x80000)) === 0;
}
