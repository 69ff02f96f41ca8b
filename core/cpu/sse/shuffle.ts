/**
 * Instructions that put lanes elsewhere: pack, unpack, shuffle, insert, extract, sign masks.
 * Source: Intel SDM vol. 2.
 * @module
 */

import { AT } from "../state.ts";
import type { VectorOp } from "./access.ts";
import { copy, keep, type Lane, S16, S32, S8, U8 } from "./lanes.ts";

const RESULT = AT.SIMD_RESULT;

/** Lanes of both operands, cut to half their width with saturation. */
function pack(wide: Lane, narrow: Lane, low: number, high: number): VectorOp {
  const put = (view: DataView, at: number, from: number): void =>
    narrow.set(view, at, Math.min(Math.max(wide.get(view, from), low), high));
  return (view, to, from, bytes) => {
    for (let n = 0; n < bytes; n += wide.bytes) {
      put(view, RESULT + n / 2, to + n);
      put(view, RESULT + (bytes + n) / 2, from + n);
    }
    keep(view, to, bytes);
  };
}

export const packsswb: VectorOp = pack(S16, S8, -0x80, 0x7f);
export const packssdw: VectorOp = pack(S32, S16, -0x8000, 0x7fff);
export const packuswb: VectorOp = pack(S16, U8, 0, 0xff);

/** Interleaves the lanes of one half of both operands. */
function unpack(step: number, half: 0 | 1): VectorOp {
  return (view, to, from, bytes) => {
    const start = half * bytes / 2;
    for (let n = 0; n < bytes / 2; n += step) {
      copy(view, RESULT + 2 * n, to + start + n, step);
      copy(view, RESULT + 2 * n + step, from + start + n, step);
    }
    keep(view, to, bytes);
  };
}

export const punpcklbw: VectorOp = unpack(1, 0);
export const punpcklwd: VectorOp = unpack(2, 0);
/** Also UNPCKLPS. */
export const punpckldq: VectorOp = unpack(4, 0);
/** Also UNPCKLPD. */
export const punpcklqdq: VectorOp = unpack(8, 0);
export const punpckhbw: VectorOp = unpack(1, 1);
export const punpckhwd: VectorOp = unpack(2, 1);
export const punpckhdq: VectorOp = unpack(4, 1);
export const punpckhqdq: VectorOp = unpack(8, 1);

/** Four lanes from `start` on, each chosen by two bits of the immediate; the others are copied. */
function shuffle(step: number, start = 0): VectorOp {
  return (view, to, from, bytes, imm) => {
    copy(view, RESULT, from, bytes);
    for (let n = 0; n < 4; n++) {
      const chosen = imm >> (2 * n) & 3;
      copy(view, RESULT + start + n * step, from + start + chosen * step, step);
    }
    keep(view, to, bytes);
  };
}

export const pshufw: VectorOp = shuffle(2);
export const pshufd: VectorOp = shuffle(4);
export const pshuflw: VectorOp = shuffle(2);
export const pshufhw: VectorOp = shuffle(2, 8);

/** The low half is chosen from operand 0, the high half from operand 1. */
function shuffleBoth(step: 4 | 8): VectorOp {
  const bits = step === 4 ? 2 : 1;
  return (view, to, from, bytes, imm) => {
    for (let at = 0, n = 0; at < bytes; at += step, n += bits) {
      const chosen = (imm >> n & (16 / step - 1)) * step;
      copy(view, RESULT + at, (at < bytes / 2 ? to : from) + chosen, step);
    }
    keep(view, to, bytes);
  };
}

export const shufps: VectorOp = shuffleBoth(4);
export const shufpd: VectorOp = shuffleBoth(8);

export const pinsrw: VectorOp = (view, to, from, bytes, imm) =>
  copy(view, to + (imm & (bytes / 2 - 1)) * 2, from, 2);

/** @param width bytes of the register that the word comes from */
export function pextrw(width: 8 | 16): VectorOp {
  return (view, to, from, _bytes, imm) =>
    view.setUint32(to, view.getUint16(from + (imm & (width / 2 - 1)) * 2, true), true);
}

/**
 * The top bits of all lanes, as a number: PMOVMSKB, MOVMSKPS, MOVMSKPD.
 * @param step bytes of a lane
 * @param width bytes of the register
 */
export function signs(step: number, width: 8 | 16): VectorOp {
  return (view, to, from) => {
    let mask = 0;
    for (let n = 0; n * step < width; n++) {
      mask |= (view.getUint8(from + n * step + step - 1) >> 7) << n;
    }
    view.setUint32(to, mask, true);
  };
}
