/**
 * Lanes: the equal parts that a vector register is divided into.
 * @module
 */

import type { VectorOp } from "./access.ts";
import { AT } from "../state.ts";

/** A kind of lane. Writing cuts a number to the lane's bits. */
export interface Lane {
  readonly bytes: 1 | 2 | 4;
  get(view: DataView, at: number): number;
  set(view: DataView, at: number, value: number): void;
}

/** Lanes by sign and bits. */
export const U8: Lane = {
  bytes: 1,
  get: (view, at) => view.getUint8(at),
  set: (view, at, value) => view.setUint8(at, value),
};
export const S8: Lane = { ...U8, get: (view, at) => view.getInt8(at) };
export const U16: Lane = {
  bytes: 2,
  get: (view, at) => view.getUint16(at, true),
  set: (view, at, value) => view.setUint16(at, value, true),
};
export const S16: Lane = { ...U16, get: (view, at) => view.getInt16(at, true) };
export const U32: Lane = {
  bytes: 4,
  get: (view, at) => view.getUint32(at, true),
  set: (view, at, value) => view.setUint32(at, value, true),
};
export const S32: Lane = { ...U32, get: (view, at) => view.getInt32(at, true) };

/** The same function of every lane of both operands. */
export function each(lane: Lane, f: (a: number, b: number) => number): VectorOp {
  const { bytes: step } = lane;
  return (view, to, from, bytes) => {
    for (let n = 0; n < bytes; n += step) {
      lane.set(view, to + n, f(lane.get(view, to + n), lane.get(view, from + n)));
    }
  };
}

/** Copies bytes within linear memory, upwards. */
export function copy(view: DataView, to: number, from: number, bytes: number): void {
  let n = 0;
  for (; n + 4 <= bytes; n += 4) view.setInt32(to + n, view.getInt32(from + n, true), true);
  for (; n < bytes; n++) view.setUint8(to + n, view.getUint8(from + n));
}

/** Copies the result slot to its place. */
export function keep(view: DataView, to: number, bytes: number): void {
  copy(view, to, AT.SIMD_RESULT, bytes);
}
