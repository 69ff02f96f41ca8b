/**
 * Flags of results, and the sixteen conditions.
 *
 * CF = `ca <u cb`; ZF, SF, PF from `fr`; OF = sign of `fo`; AF = bit 4 of `fx ^ fr`. No kind is
 * stored, so every reader works for every writer.
 * @module
 */

import {
  add,
  and,
  eq,
  eqz,
  leS,
  leU,
  ltS,
  num,
  or,
  popcnt,
  select,
  shl,
  shr,
  signed,
  sub,
  unsigned,
  type Val,
  xor,
} from "../ir.ts";
import { FLAG } from "../state.ts";
import type { Flags, FlagWords, Sem, X } from "../x.ts";

const SIXTEEN = num(16);

/** Moves the sign of a `size`-byte value to bit 31. */
export function toSign(v: Val, size: number): Val {
  return size === 4 ? v : shl(v, num(32 - size * 8));
}

/** The sign of a `size`-byte value as 0 or 1. */
export function signBit(v: Val, size: number): Val {
  return and(shr(v, num(size * 8 - 1)), num(1));
}

/**
 * Flags of `r = a + b`. `a` is said by the other two: where it has been replaced by `r`, nobody
 * need keep it.
 */
export function addFlags(x: X, b: Val, r: Val, size: number): void {
  const a = sub(r, b);
  x.setFlags({
    ca: unsigned(r, size),
    cb: b,
    fr: signed(r, size),
    fo: toSign(and(xor(a, r), xor(b, r)), size),
    fx: and(xor(a, b), SIXTEEN),
  });
}

/** Flags of `a - b`, which is not kept. */
export function compareFlags(x: X, a: Val, b: Val, size: number): void {
  differenceFlags(x, a, b, sub(a, b), size);
}

/** Flags of `r = a - b`, where `r` replaces `a`. See {@link addFlags}. */
export function subFlags(x: X, b: Val, r: Val, size: number): void {
  differenceFlags(x, unsigned(add(r, b), size), b, r, size);
}

function differenceFlags(x: X, a: Val, b: Val, r: Val, size: number): void {
  x.setFlags({
    ca: a,
    cb: b,
    fr: signed(r, size),
    fo: toSign(and(xor(a, b), xor(a, r)), size),
    fx: and(xor(a, b), SIXTEEN),
    less: ltS(signed(a, size), signed(b, size)),
    notGreater: leS(signed(a, size), signed(b, size)),
    notAbove: leU(a, b),
  });
}

/** CF is the sign of a `size`-byte value. */
function carryOut(x: X, v: Val, size: number): Pick<Required<FlagWords>, "ca" | "cb"> {
  return { ca: num(0x7fffffff), cb: x.let(toSign(v, size)) };
}

/** Flags of `r = a + b + carry`; `carry` is 0 or 1. */
export function adcFlags(x: X, a: Val, b: Val, r: Val, size: number): void {
  // Carry out of the top bit: majority of a, b and not r.
  const out = or(and(a, b), and(or(a, b), xor(r, num(-1))));
  x.setFlags({
    ...carryOut(x, out, size),
    fr: signed(r, size),
    fo: toSign(and(xor(a, r), xor(b, r)), size),
    fx: and(xor(a, b), SIXTEEN),
  });
}

/** Flags of `r = a - b - borrow`. */
export function sbbFlags(x: X, a: Val, b: Val, r: Val, size: number): void {
  const notA = xor(a, num(-1));
  const out = or(and(notA, b), and(or(notA, b), r));
  x.setFlags({
    ...carryOut(x, out, size),
    fr: signed(r, size),
    fo: toSign(and(xor(a, b), xor(a, r)), size),
    fx: and(xor(a, b), SIXTEEN),
  });
}

/**
 * Flags of AND, OR, XOR, TEST. AF is left clear, as processors do where the manual says undefined.
 */
export function logicFlags(x: X, r: Val, size: number): void {
  const fr = signed(r, size);
  x.setFlags({ ca: num(0), cb: num(0), fr, fo: num(0), fx: and(fr, SIXTEEN) });
}

/** Condition code 0–15 as 0 or 1. */
export function condition(x: X, cc: number): Val {
  const base = [
    () => ltS(x.overflow, num(0)),
    () => x.carry,
    () => x.zero,
    () => x.notAbove,
    () => ltS(x.sign, num(0)),
    () => x.parity,
    () => x.less,
    () => x.notGreater,
  ][cc >> 1]!();
  return cc & 1 ? eqz(base) : base;
}

/** PF of a result byte: 1 when the number of ones is even. */
export function parityOf(v: Val): Val {
  return eqz(and(popcnt(and(v, num(0xff))), num(1)));
}

/** CLC, STC, CMC. */
export const clc: Sem = (x) => x.setFlags({ ca: num(0), cb: num(0) });
export const stc: Sem = (x) => x.setFlags({ ca: num(0), cb: num(1) });
export const cmc: Sem = (x) => {
  const cf = x.let(x.carry);
  x.setFlags({ ca: num(0), cb: eqz(cf) });
};

/** LAHF: SF ZF 0 AF 0 PF 1 CF. */
export const lahf: Sem = (x) => x.setReg(4, flagsByte(x), 1);

/** The low byte of EFLAGS: SF ZF AF PF CF, and bit 1. */
export function flagsByte(x: Flags): Val {
  return [
    x.carry,
    num(2),
    shl(x.parity, num(2)),
    shl(x.adjust, num(4)),
    shl(x.zero, num(6)),
    shl(ltS(x.sign, num(0)), num(7)),
  ].reduce(or);
}

/** OF in its place in EFLAGS. */
export const overflowBit = (x: Flags): Val => shl(shr(x.overflow, num(31)), num(11));

/**
 * The flags in the low byte of an image of EFLAGS, a local. FX corrects PF and SF where one result
 * cannot show all of ZF, SF, PF.
 */
export function flagsOf(image: Val): Required<Pick<FlagWords, "ca" | "cb" | "fr" | "fx">> {
  const bit = (n: number): Val => and(shr(image, num(n)), num(1));
  // fr is 0 (parity even) with ZF set, 1 (parity odd) without.
  const wrongParity = xor(bit(2), bit(6));
  return {
    ca: num(0),
    cb: bit(0),
    fr: eqz(bit(6)),
    fx: or(or(and(image, SIXTEEN), shl(wrongParity, num(8))), shl(bit(7), num(31))),
  };
}

/** Sets ZF to 0 or 1; the other flags stay. */
export function setZero(x: X, zf: Val): void {
  const image = x.let(or(and(flagsByte(x), num(~FLAG.ZF)), shl(zf, num(6))));
  const { fr, fx } = flagsOf(image);
  x.setFlags({ fr, fx });
}

/** SAHF. */
export const sahf: Sem = (x) => x.setFlags(flagsOf(x.let(x.reg(4, 1))));

/** SETcc. */
export const setcc = (cc: number): Sem => (x) => x.write(0, condition(x, cc));

/** CMOVcc: the source is read, and may fault, whatever the condition. */
export const cmovcc = (cc: number): Sem => (x) => {
  const source = x.read(1);
  const cond = x.let(condition(x, cc));
  x.write(0, select(cond, source, x.read(0)));
};

/** Jcc. */
export const jcc = (cc: number): Sem => (x) => x.jumpIf(condition(x, cc));

/** SALC: AL = CF ? FF : 0. */
export const salc: Sem = (x) => x.setReg(0, sub(num(0), x.carry), 1);

/** LOOP, LOOPE, LOOPNE: the count register has the address size. */
export const loop = (zf?: 0 | 1): Sem => (x) => {
  const count = x.let(sub(x.reg(1, x.addressSize), num(1)));
  const more = eqz(eqz(unsigned(count, x.addressSize)));
  const taken = zf === undefined ? more : and(more, eq(x.zero, num(zf)));
  const cond = x.let(taken);
  x.setReg(1, count, x.addressSize);
  x.jumpIf(cond);
};

/** JCXZ, JECXZ. */
export const jcxz: Sem = (x) => x.jumpIf(eqz(x.reg(1, x.addressSize)));
