/**
 * Packed integer arithmetic, logic, comparison and shifts. Source: Intel SDM vol. 2.
 * @module
 */

import type { SystemOp } from "../insn.ts";
import { fetch, permit, registerAt, turnToMmx, usesMmx, type VectorOp, written } from "./access.ts";
import { each, type Lane, S16, S32, S8, U16, U32, U8 } from "./lanes.ts";

type Binary = (a: number, b: number) => number;

const sum: Binary = (a, b) => a + b;
const difference: Binary = (a, b) => a - b;
const equal: Binary = (a, b) => a === b ? -1 : 0;
const greater: Binary = (a, b) => a > b ? -1 : 0;
const average: Binary = (a, b) => (a + b + 1) >> 1;

/** A binary function whose result stays within the lane's range. */
const saturated = (low: number, high: number, f: Binary): Binary => (a, b) =>
  Math.min(Math.max(f(a, b), low), high);

export const paddb: VectorOp = each(U8, sum);
export const paddw: VectorOp = each(U16, sum);
export const paddd: VectorOp = each(U32, sum);
export const paddsb: VectorOp = each(S8, saturated(-0x80, 0x7f, sum));
export const paddsw: VectorOp = each(S16, saturated(-0x8000, 0x7fff, sum));
export const paddusb: VectorOp = each(U8, saturated(0, 0xff, sum));
export const paddusw: VectorOp = each(U16, saturated(0, 0xffff, sum));
export const psubb: VectorOp = each(U8, difference);
export const psubw: VectorOp = each(U16, difference);
export const psubd: VectorOp = each(U32, difference);
export const psubsb: VectorOp = each(S8, saturated(-0x80, 0x7f, difference));
export const psubsw: VectorOp = each(S16, saturated(-0x8000, 0x7fff, difference));
export const psubusb: VectorOp = each(U8, saturated(0, 0xff, difference));
export const psubusw: VectorOp = each(U16, saturated(0, 0xffff, difference));

export const pcmpeqb: VectorOp = each(S8, equal);
export const pcmpeqw: VectorOp = each(S16, equal);
export const pcmpeqd: VectorOp = each(S32, equal);
export const pcmpgtb: VectorOp = each(S8, greater);
export const pcmpgtw: VectorOp = each(S16, greater);
export const pcmpgtd: VectorOp = each(S32, greater);

export const pminub: VectorOp = each(U8, Math.min);
export const pmaxub: VectorOp = each(U8, Math.max);
export const pminsw: VectorOp = each(S16, Math.min);
export const pmaxsw: VectorOp = each(S16, Math.max);
export const pavgb: VectorOp = each(U8, average);
export const pavgw: VectorOp = each(U16, average);

export const pmullw: VectorOp = each(S16, Math.imul);
export const pmulhw: VectorOp = each(S16, (a, b) => (a * b) >> 16);
export const pmulhuw: VectorOp = each(U16, (a, b) => (a * b) >>> 16);

/** Also ANDPS, ANDPD, and so on. */
export const pand: VectorOp = each(S32, (a, b) => a & b);
export const pandn: VectorOp = each(S32, (a, b) => ~a & b);
export const por: VectorOp = each(S32, (a, b) => a | b);
export const pxor: VectorOp = each(S32, (a, b) => a ^ b);

/** Sums of two products of words. */
export const pmaddwd: VectorOp = (view, to, from, bytes) => {
  for (let n = 0; n < bytes; n += 4) {
    const low = view.getInt16(to + n, true) * view.getInt16(from + n, true);
    const high = view.getInt16(to + n + 2, true) * view.getInt16(from + n + 2, true);
    view.setInt32(to + n, low + high, true);
  }
};

/** Sum of absolute differences of eight bytes, zero-extended. */
export const psadbw: VectorOp = (view, to, from, bytes) => {
  for (let n = 0; n < bytes; n += 8) {
    let total = 0;
    for (let i = n; i < n + 8; i++) {
      total += Math.abs(view.getUint8(to + i) - view.getUint8(from + i));
    }
    setPair(view, to + n, total, 0);
  }
};

function setPair(view: DataView, at: number, low: number, high: number): void {
  view.setInt32(at, low, true);
  view.setInt32(at + 4, high, true);
}

/** Lanes of 64 bits, as their low and high words; `carry` tells whether the low words carry. */
function quads(f: Binary, carry: (low: number, a: number) => number): VectorOp {
  return (view, to, from, bytes) => {
    for (let n = 0; n < bytes; n += 8) {
      const a = view.getUint32(to + n, true);
      const low = f(a, view.getUint32(from + n, true)) >>> 0;
      const high = f(view.getInt32(to + n + 4, true), view.getInt32(from + n + 4, true));
      setPair(view, to + n, low, high + carry(low, a));
    }
  };
}

export const paddq: VectorOp = quads(sum, (low, a) => low < a ? 1 : 0);
export const psubq: VectorOp = quads(difference, (low, a) => low > a ? -1 : 0);

/** 64-bit products of the even doublewords. */
export const pmuludq: VectorOp = (view, to, from, bytes) => {
  for (let n = 0; n < bytes; n += 8) {
    const a = view.getUint32(to + n, true), b = view.getUint32(from + n, true);
    // Both partial products have at most 48 bits.
    const middle = (a >>> 16) * b + Math.floor((a & 0xffff) * b / 0x10000);
    setPair(view, to + n, Math.imul(a, b), Math.floor(middle / 0x10000));
  }
};

// ---- shifts ------------------------------------------------------------------------------------

/** Shifts all lanes by the same count. */
export type ShiftOp = (view: DataView, to: number, bytes: number, count: number) => void;

/** Counts from here on shift everything out of every lane. */
const ALL_OUT = 255;

function shift(lane: Lane, f: (value: number, count: number) => number, fill: number): ShiftOp {
  const { bytes: step } = lane;
  const most = Math.min(step * 8, 32) - 1;
  return (view, to, bytes, count) => {
    for (let n = 0; n < bytes; n += step) {
      const value = lane.get(view, to + n);
      lane.set(view, to + n, count <= most ? f(value, count) : fill && f(value, most));
    }
  };
}

const left = (value: number, count: number): number => value << count;
const right = (value: number, count: number): number => value >>> count;
const rightSigned = (value: number, count: number): number => value >> count;

export const psllw: ShiftOp = shift(U16, left, 0);
export const pslld: ShiftOp = shift(U32, left, 0);
export const psrlw: ShiftOp = shift(U16, right, 0);
export const psrld: ShiftOp = shift(U32, right, 0);
export const psraw: ShiftOp = shift(S16, rightSigned, 1);
export const psrad: ShiftOp = shift(S32, rightSigned, 1);

export const psllq: ShiftOp = (view, to, bytes, count) => {
  for (let n = 0; n < bytes; n += 8) {
    const low = view.getUint32(to + n, true), high = view.getUint32(to + n + 4, true);
    if (count > 63) setPair(view, to + n, 0, 0);
    else if (count > 31) setPair(view, to + n, 0, low << (count - 32));
    else if (count) setPair(view, to + n, low << count, high << count | low >>> (32 - count));
  }
};

export const psrlq: ShiftOp = (view, to, bytes, count) => {
  for (let n = 0; n < bytes; n += 8) {
    const low = view.getUint32(to + n, true), high = view.getUint32(to + n + 4, true);
    if (count > 63) setPair(view, to + n, 0, 0);
    else if (count > 31) setPair(view, to + n, high >>> (count - 32), 0);
    else if (count) setPair(view, to + n, low >>> count | high << (32 - count), high >>> count);
  }
};

/** Shifts the register as a whole, by bytes. */
export const pslldq: ShiftOp = (view, to, bytes, count) => {
  for (let n = bytes - 1; n >= 0; n--) {
    view.setUint8(to + n, n >= count ? view.getUint8(to + n - count) : 0);
  }
};

export const psrldq: ShiftOp = (view, to, bytes, count) => {
  for (let n = 0; n < bytes; n++) {
    view.setUint8(to + n, n + count < bytes ? view.getUint8(to + n + count) : 0);
  }
};

/** A shift whose count is the immediate, or the low 64 bits of operand 1. */
export function shifted(op: ShiftOp): { byOperand: SystemOp; byImmediate: SystemOp } {
  const run = (counted: boolean): SystemOp => (cpu, insn) => {
    const { state } = cpu;
    const first = insn.operands[0]!;
    permit(cpu, insn);
    const count = counted ? countAt(state.view, fetch(cpu, insn, true)) : insn.imm;
    op(state.view, registerAt(first), usesMmx(insn) ? 8 : 16, count);
    written(state, first);
    if (usesMmx(insn)) turnToMmx(state);
  };
  return { byOperand: run(true), byImmediate: run(false) };
}

function countAt(view: DataView, at: number): number {
  const low = view.getUint32(at, true);
  return view.getInt32(at + 4, true) || low > ALL_OUT ? ALL_OUT : low;
}
