/**
 * Extended arithmetic in integers: add, multiply, divide, square root and the one place that
 * rounds. Operands are finite and not zero; an exponent may lie beyond the format.
 * @module
 */

import {
  add,
  add64,
  and,
  and64,
  clz64,
  divU64,
  eq,
  eqz64,
  geU,
  gtU64,
  low,
  ltS,
  ltS64,
  ltU64,
  mul64,
  ne64,
  num,
  num64,
  or,
  or64,
  remU64,
  roughRoot64,
  sar,
  select,
  shl64,
  shr,
  shrU64,
  sub,
  sub64,
  type Val,
  wideU,
} from "../ir.ts";
import { CORE, OUT_OF_RANGE, ROUND } from "./callees.ts";
import { CONTROL, FpuCode, precisionShift, shiftRight, sticky, TOP_BIT, ZERO_64 } from "./code.ts";
import { BIAS, MAX_EXPONENT, RC, SIGN, SW } from "./layout.ts";

const LOW_WORD = wideU(num(-1));
const upper = (v: Val): Val => shrU64(v, num64(32));
/** A 64-bit 0 or 1. */
const bit64 = wideU;

/** Rounds by the rounding control, and writes the result unless its exponent leaves the format. */
export function round(): FpuCode {
  const f = new FpuCode(ROUND);
  const [at, sign, exponent, hi, lo, shift] = [0, 1, 2, 3, 4, 5].map((n) => f.arg(n)) as Val6;
  const kept = f.let64(hi);
  const rest = f.let64(lo);
  f.if(shift, () => {
    f.set(rest, or64(shl64(hi, wideU(sub(num(64), shift))), sticky(lo)));
    f.set(kept, shl64(shrU64(hi, wideU(shift)), wideU(shift)));
  });
  const odd = low(shrU64(kept, wideU(shift)));
  const beyondTie = or(ne64(shl64(rest, num64(1)), ZERO_64), and(odd, num(1)));
  const nearest = and(ltS64(rest, ZERO_64), beyondTie);
  const control = f.let(and(shr(CONTROL, num(RC.SHIFT)), num(3)));
  const inexact = f.let(ne64(rest, ZERO_64));
  // Down concerns negative numbers, up positive ones: RC is 1 or 2.
  const away = and(eq(control, sub(num(RC.UP), shr(sign, num(15)))), inexact);
  const up = f.let(select(control, away, nearest));
  const rounded = f.let64(add64(kept, shl64(wideU(up), wideU(shift))));
  const result = f.let(exponent);
  f.if(ltU64(rounded, kept), () => {
    f.set(rounded, TOP_BIT);
    f.set(result, add(exponent, num(1)));
  });
  f.leaveIf(
    geU(sub(result, num(1)), num(MAX_EXPONENT - 1)),
    OUT_OF_RANGE,
    at,
    sign,
    exponent,
    hi,
    lo,
    shift,
  );
  f.setRegister(at, rounded, or(result, sign));
  const flags = f.let(select(inexact, select(up, num(SW.PE | SW.C1), num(SW.PE)), num(0)));
  f.raise(flags);
  f.return(flags);
  f.unreachable();
  return f;
}

type Val6 = [Val, Val, Val, Val, Val, Val];

/** Rounds to the precision that the control word asks for. */
function finish(f: FpuCode, at: Val, sign: Val, exponent: Val, hi: Val, lo: Val): void {
  f.callFor(ROUND, at, sign, exponent, hi, lo, precisionShift);
}

/** Sum of two numbers by sign, exponent and significand. */
export function addCore(): FpuCode {
  const f = new FpuCode(CORE.add);
  const [at, signA, a, bitsA] = [f.arg(0), f.arg(1), f.arg(2), f.arg(3)];
  const [signB, b, bitsB] = [f.arg(4), f.arg(5), f.arg(6)];
  f.leaveIf(ltS(a, b), CORE.add, at, signB, b, bitsB, signA, a, bitsA);
  const [small, lo] = shiftRight(f, bitsB, f.let(sub(a, b)));
  const sum = f.let64(ZERO_64);
  f.if(
    eq(signA, signB),
    () => {
      f.set(sum, add64(bitsA, small));
      f.if(ltU64(sum, small), () => {
        f.set(lo, or64(or64(shl64(sum, num64(63)), shrU64(lo, num64(1))), and64(lo, num64(1))));
        f.set(sum, or64(shrU64(sum, num64(1)), TOP_BIT));
        f.set(a, add(a, num(1)));
      });
    },
    () => {
      f.if(and(eq(a, b), ltU64(bitsA, small)), () => {
        f.set(sum, sub64(small, bitsA));
        f.set(signA, signB);
      }, () => {
        f.set(sum, sub64(sub64(bitsA, small), sticky(lo)));
        f.set(lo, sub64(ZERO_64, lo));
      });
      f.if(eqz64(sum), () => {
        f.if(eqz64(lo), () => {
          const down = eq(and(shr(CONTROL, num(RC.SHIFT)), num(3)), num(RC.DOWN));
          f.setRegister(at, ZERO_64, select(down, num(SIGN), num(0)));
          f.clearC1();
          f.return();
        });
        f.set(sum, lo);
        f.set(lo, ZERO_64);
        f.set(a, sub(a, num(64)));
      });
      const left = f.let64(clz64(sum));
      f.if(ne64(left, ZERO_64), () => {
        const carried = shrU64(lo, sub64(num64(64), left));
        f.set(sum, or64(shl64(sum, left), carried));
        f.set(lo, shl64(lo, left));
        f.set(a, sub(a, low(left)));
      });
    },
  );
  finish(f, at, signA, a, sum, lo);
  return f;
}

/** The 128-bit product of two variables. */
function product(f: FpuCode, a: Val, b: Val): [Val, Val] {
  const [al, ah] = [f.let64(and64(a, LOW_WORD)), f.let64(upper(a))];
  const [bl, bh] = [f.let64(and64(b, LOW_WORD)), f.let64(upper(b))];
  const lowest = f.let64(mul64(al, bl));
  const middle = f.let64(add64(mul64(ah, bl), upper(lowest)));
  const other = f.let64(add64(mul64(al, bh), and64(middle, LOW_WORD)));
  const hi = f.let64(add64(add64(mul64(ah, bh), upper(middle)), upper(other)));
  const lo = f.let64(or64(shl64(other, num64(32)), and64(lowest, LOW_WORD)));
  return [hi, lo];
}

/** Product of two significands; the exponent is that of a product between 2 and 4. */
export function mulCore(): FpuCode {
  const f = new FpuCode(CORE.mul);
  const [at, sign, exponent] = [f.arg(0), f.arg(1), f.arg(2)];
  const [hi, lo] = product(f, f.arg(3), f.arg(4));
  f.if(ltS64(hi, ZERO_64), () => {}, () => {
    f.set(hi, or64(shl64(hi, num64(1)), shrU64(lo, num64(63))));
    f.set(lo, shl64(lo, num64(1)));
    f.set(exponent, sub(exponent, num(1)));
  });
  finish(f, at, sign, exponent, hi, lo);
  return f;
}

/**
 * Next 32 bits of a quotient (Knuth, The Art of Computer Programming vol. 2, algorithm D).
 * @param rest what is left of the dividend, below the divisor; replaced by the remainder
 * @param next the dividend's next 32 bits
 */
function quotientDigit(f: FpuCode, rest: Val, next: Val, divisor: Val): Val {
  const [first, second] = [upper(divisor), and64(divisor, LOW_WORD)];
  const digit = f.let64(divU64(rest, first));
  const left = f.let64(remU64(rest, first));
  for (let guess = 0; guess < 2; guess++) {
    const product = mul64(digit, second);
    const over = gtU64(product, or64(shl64(left, num64(32)), next));
    const tooLarge = or(ne64(upper(digit), ZERO_64), over);
    f.if(and(eqz64(upper(left)), tooLarge), () => {
      f.set(digit, sub64(digit, num64(1)));
      f.set(left, add64(left, first));
    });
  }
  f.set(rest, sub64(or64(shl64(rest, num64(32)), next), mul64(digit, divisor)));
  return digit;
}

/** Quotient of two significands; the exponent is that of a quotient between 1 and 2. */
export function divCore(): FpuCode {
  const f = new FpuCode(CORE.div);
  const [at, sign, exponent, dividend, divisor] = [0, 1, 2, 3, 4].map((n) => f.arg(n)) as Val5;
  const rest = f.let64(dividend);
  const next = f.let64(ZERO_64);
  f.if(
    ltU64(dividend, divisor),
    () => f.set(exponent, sub(exponent, num(1))),
    () => {
      f.set(next, shrU64(shl64(dividend, num64(63)), num64(32)));
      f.set(rest, shrU64(dividend, num64(1)));
    },
  );
  const first = quotientDigit(f, rest, next, divisor);
  const second = quotientDigit(f, rest, ZERO_64, divisor);
  const half = sub64(divisor, rest);
  const beyond = select(eqz64(rest), ZERO_64, num64(1));
  const lo = select(
    ltU64(rest, half),
    beyond,
    or64(TOP_BIT, sticky(sub64(rest, half))),
  );
  finish(f, at, sign, exponent, or64(shl64(first, num64(32)), second), lo);
  return f;
}

type Val5 = [Val, Val, Val, Val, Val];

/**
 * Square root of a positive number: the upper half from the double-precision root, the lower half
 * by one division (Zimmermann, Karatsuba Square Root, INRIA RR-3805).
 */
export function sqrtCore(): FpuCode {
  const f = new FpuCode(CORE.sqrt);
  const [at, exponent, bits] = [f.arg(0), f.arg(1), f.arg(2)];
  const power = f.let(sub(exponent, num(BIAS)));
  const hi = f.let64(bits);
  const lo = f.let64(ZERO_64);
  f.if(and(power, num(1)), () => {}, () => {
    f.set(hi, shrU64(bits, num64(1)));
    f.set(lo, shl64(bits, num64(63)));
  });
  const upperRoot = f.let64(roughRoot64(hi));
  f.if(gtU64(upperRoot, LOW_WORD), () => f.set(upperRoot, LOW_WORD));
  f.if(
    gtU64(mul64(upperRoot, upperRoot), hi),
    () => f.set(upperRoot, sub64(upperRoot, num64(1))),
  );
  const rest = f.let64(sub64(hi, mul64(upperRoot, upperRoot)));
  const dividend = or64(shl64(rest, num64(31)), shrU64(lo, num64(33)));
  const lowerRoot = f.let64(divU64(dividend, upperRoot));
  f.if(gtU64(lowerRoot, LOW_WORD), () => f.set(lowerRoot, LOW_WORD));
  const root = f.let64(or64(shl64(upperRoot, num64(32)), lowerRoot));
  const [squareHi, squareLo] = product(f, root, root);
  const restLo = f.let64(sub64(lo, squareLo));
  const restHi = f.let64(sub64(sub64(hi, squareHi), bit64(ltU64(lo, squareLo))));
  f.if(ltS64(restHi, ZERO_64), () => {
    // One too large: the remainder grows by 2 root + 1.
    f.set(root, sub64(root, num64(1)));
    const more = f.let64(or64(shl64(root, num64(1)), num64(1)));
    f.set(restLo, add64(restLo, more));
    const carry = bit64(ltU64(restLo, more));
    f.set(restHi, add64(add64(restHi, shrU64(root, num64(63))), carry));
  });
  const aboveHalf = or(ne64(restHi, ZERO_64), gtU64(restLo, root));
  const beyond = select(aboveHalf, or64(TOP_BIT, num64(1)), sticky(restLo));
  finish(f, at, num(0), add(sar(power, num(1)), num(BIAS)), root, beyond);
  return f;
}

/** All functions of this file. */
export const CORE_CODE: readonly (() => FpuCode)[] = [round, addCore, mulCore, divCore, sqrtCore];
