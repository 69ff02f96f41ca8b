/**
 * Shifts and rotates. The count is taken modulo 32; a count of 0 leaves all flags alone.
 * @module
 */

import {
  and,
  geU,
  low,
  num,
  num64,
  or,
  or64,
  remU,
  sar as sarValue,
  select,
  shl as shlValue,
  shl64,
  shr as shrValue,
  shrU64,
  signed,
  sub,
  unsigned,
  type Val,
  wideU,
  xor,
} from "../ir.ts";
import type { Sem, X } from "../x.ts";
import { signBit, toSign } from "./flags.ts";

type Body = (a: Val, count: Val, bits: number) => void;

/** Reads value and count, and runs `body` only for a count that is not 0. */
function shifting(x: X, body: Body): void {
  const a = x.modify(0);
  const count = x.let(and(x.read(1), num(31)));
  x.if(count, () => body(a, count, x.size * 8));
}

const ONE = num(1);

/** AF is undefined after a shift; like current processors, leave it clear. */
function resultFlags(x: X, r: Val, carry: Val, overflow: Val): void {
  const fr = x.let(signed(r, x.size));
  x.setFlags({ ca: num(0), cb: carry, fr, fo: overflow, fx: and(fr, num(16)) });
}

export const shl: Sem = (x) =>
  shifting(x, (a, count, bits) => {
    const wide = x.let64(shl64(wideU(a), wideU(count)));
    const r = x.let(unsigned(low(wide), x.size));
    const carry = x.let(and(low(shrU64(wide, num64(bits))), ONE));
    x.write(0, r);
    resultFlags(x, r, carry, toSign(xor(r, shlValue(carry, num(bits - 1))), x.size));
  });

export const shr: Sem = (x) =>
  shifting(x, (a, count) => {
    const before = x.let(shrValue(a, sub(count, ONE)));
    const r = x.let(shrValue(before, ONE));
    x.write(0, r);
    resultFlags(x, r, and(before, ONE), toSign(a, x.size));
  });

export const sar: Sem = (x) =>
  shifting(x, (a, count) => {
    const before = x.let(sarValue(signed(a, x.size), sub(count, ONE)));
    const r = x.let(unsigned(sarValue(before, ONE), x.size));
    x.write(0, r);
    resultFlags(x, r, and(before, ONE), num(0));
  });

/** Rotates change CF and OF only. */
function rotateFlags(x: X, carry: Val, overflow: Val): void {
  x.setFlags({ ca: num(0), cb: carry, fo: overflow });
}

/** `a` rotated left by `count` (already below `bits`). */
function rotated(a: Val, count: Val, bits: number): Val {
  return or(shlValue(a, count), low(shrU64(wideU(a), wideU(sub(num(bits), count)))));
}

export const rol: Sem = (x) =>
  shifting(x, (a, count, bits) => {
    const n = x.let(and(count, num(bits - 1)));
    const r = x.let(unsigned(rotated(a, n, bits), x.size));
    x.write(0, r);
    const carry = x.let(and(r, ONE));
    rotateFlags(x, carry, toSign(xor(r, shlValue(carry, num(bits - 1))), x.size));
  });

export const ror: Sem = (x) =>
  shifting(x, (a, count, bits) => {
    const n = x.let(and(sub(num(bits), count), num(bits - 1)));
    const r = x.let(unsigned(rotated(a, n, bits), x.size));
    x.write(0, r);
    rotateFlags(x, signBit(r, x.size), toSign(xor(r, shlValue(r, ONE)), x.size));
  });

/** Rotation through carry: `bits` + 1 positions, in 64 bits. */
function throughCarry(x: X, left: boolean): void {
  shifting(x, (a, count, bits) => {
    const width = bits + 1;
    const n = x.let(remU(count, num(width)));
    const places = left ? n : x.let(remU(sub(num(width), n), num(width)));
    const ring = x.let64(or64(shl64(wideU(x.carry), num64(bits)), wideU(a)));
    const turned = x.let64(
      or64(
        shl64(ring, wideU(places)),
        shrU64(ring, wideU(sub(num(width), places))),
      ),
    );
    const r = x.let(unsigned(low(turned), x.size));
    const carry = x.let(and(low(shrU64(turned, num64(bits))), ONE));
    const overflow = left ? xor(r, shlValue(carry, num(bits - 1))) : xor(r, shlValue(r, ONE));
    x.write(0, r);
    rotateFlags(x, carry, toSign(overflow, x.size));
  });
}
export const rcl: Sem = (x) => throughCarry(x, true);
export const rcr: Sem = (x) => throughCarry(x, false);

/**
 * SHLD, SHRD: operand 2 is the count. With 16 bits and a count above 16 the result is undefined.
 */
function doubleShift(x: X, body: (a: Val, b: Val, count: Val, bits: number) => void): void {
  const a = x.modify(0), b = x.read(1);
  const count = x.let(and(x.read(2), num(31)));
  x.if(count, () => body(a, b, count, x.size * 8));
}

export const shld: Sem = (x) =>
  doubleShift(x, (a, b, count, bits) => {
    // a:b (and, for 16 bits, a:b:a) shifted left; the wanted bits end at the top of `a`.
    const pair = x.let64(or64(shl64(wideU(a), num64(bits)), wideU(b)));
    const last = x.let(low(shrU64(pair, wideU(sub(num(2 * bits), count)))));
    const plain = low(shrU64(pair, wideU(sub(num(bits), count))));
    const over = or(shlValue(b, sub(count, num(bits))), shrValue(a, sub(num(2 * bits), count)));
    const r = x.let(
      unsigned(bits === 32 ? plain : select(geU(count, num(17)), over, plain), x.size),
    );
    x.write(0, r);
    resultFlags(x, r, and(last, ONE), toSign(xor(a, r), x.size));
  });

export const shrd: Sem = (x) =>
  doubleShift(x, (a, b, count, bits) => {
    const pair = x.let64(or64(shl64(wideU(b), num64(bits)), wideU(a)));
    const before = x.let64(shrU64(pair, wideU(sub(count, ONE))));
    const plain = low(shrU64(before, num64(1)));
    const over = or(shrValue(b, sub(count, num(bits))), shlValue(a, sub(num(2 * bits), count)));
    const r = x.let(
      unsigned(bits === 32 ? plain : select(geU(count, num(17)), over, plain), x.size),
    );
    x.write(0, r);
    resultFlags(x, r, and(low(before), ONE), toSign(xor(a, r), x.size));
  });
