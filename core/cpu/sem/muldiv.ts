/**
 * MUL, IMUL, DIV, IDIV. CF and OF say whether the high half counts; a quotient that does not fit
 * and a divisor of 0 raise #DE before anything changes.
 * @module
 */

import {
  add64,
  and,
  divS,
  divS64,
  divU,
  divU64,
  eq,
  eqz,
  geU64,
  gtU,
  gtU64,
  high,
  low,
  mul as times,
  mul64,
  ne,
  num,
  num64,
  or,
  or64,
  remU,
  sar,
  shl,
  shl64,
  shr,
  signed,
  sub,
  type Val,
  wideS,
  wideU,
} from "../ir.ts";
import type { Sem, X } from "../x.ts";

const EAX = 0, EDX = 2, AH = 4;
const DIVIDE_ERROR = 0;
const U32_MAX = wideU(num(-1));

/** SF, ZF, PF, AF are undefined after a multiplication; they follow the low half here. */
function productFlags(x: X, lowHalf: Val, significant: Val, size: number): void {
  x.setFlags({
    ca: num(0),
    cb: significant,
    fo: sub(num(0), significant),
    fr: signed(lowHalf, size),
    fx: and(lowHalf, num(16)),
  });
}

/** Writes a 64-bit product to EDX:EAX. @returns its halves */
function setProduct(x: X, product: Val): readonly [Val, Val] {
  const lowHalf = x.let(low(product)), highHalf = x.let(high(product));
  x.setReg(EAX, lowHalf);
  x.setReg(EDX, highHalf);
  return [lowHalf, highHalf];
}

/** Writes a double-width product below 64 bits to AX, or DX:AX. */
function setSmallProduct(x: X, product: Val): void {
  if (x.size === 1) {
    x.setReg(EAX, product, 2);
  } else {
    x.setReg(EAX, product, 2);
    x.setReg(EDX, shr(product, num(16)), 2);
  }
}

export const mul: Sem = (x) => {
  const source = x.read(0);
  const accumulator = x.reg(EAX, x.size);
  if (x.size === 4) {
    const product = x.let64(mul64(wideU(accumulator), wideU(source)));
    const [lowHalf, highHalf] = setProduct(x, product);
    productFlags(x, lowHalf, ne(highHalf, num(0)), 4);
    return;
  }
  const product = x.let(times(accumulator, source));
  setSmallProduct(x, product);
  productFlags(x, product, ne(shr(product, num(x.size * 8)), num(0)), x.size);
};

export const imul1: Sem = (x) => {
  const source = x.read(0);
  const accumulator = x.reg(EAX, x.size);
  if (x.size === 4) {
    const product = x.let64(mul64(wideS(accumulator), wideS(source)));
    const [lowHalf, highHalf] = setProduct(x, product);
    productFlags(x, lowHalf, ne(sar(lowHalf, num(31)), highHalf), 4);
    return;
  }
  const product = x.let(times(signed(accumulator, x.size), signed(source, x.size)));
  setSmallProduct(x, product);
  productFlags(x, product, ne(signed(product, x.size), product), x.size);
};

/** IMUL r, r/m and IMUL r, r/m, imm: the factors are the last two operands. */
export const imul = (first: number): Sem => (x) => {
  const a = x.read(first), b = x.read(first + 1);
  if (x.size === 4) {
    const product = x.let64(mul64(wideS(a), wideS(b)));
    const lowHalf = x.let(low(product));
    x.write(0, lowHalf);
    productFlags(x, lowHalf, ne(sar(lowHalf, num(31)), high(product)), 4);
    return;
  }
  const product = x.let(times(signed(a, 2), signed(b, 2)));
  x.write(0, product);
  productFlags(x, product, ne(signed(product, 2), product), 2);
};

function divideErrorIf(x: X, cond: Val): void {
  x.if(cond, () => x.fault(DIVIDE_ERROR));
}

/** Dividend of an 8- or 16-bit division, as 32 bits. */
function smallDividend(x: X): Val {
  if (x.size === 1) return x.let(x.reg(EAX, 2));
  return x.let(or(shl(x.reg(EDX, 2), num(16)), x.reg(EAX, 2)));
}

/** The remainder follows from the quotient: a second division would cost as much as the first. */
function setQuotient(x: X, dividend: Val, divisor: Val, quotient: Val): void {
  const q = x.let(quotient), r = x.let(sub(dividend, times(quotient, divisor)));
  x.setReg(EAX, q, x.size);
  if (x.size === 1) x.setReg(AH, r, 1);
  else x.setReg(EDX, r, x.size);
}

export const div: Sem = (x) => {
  const divisor = x.read(0);
  divideErrorIf(x, eqz(divisor));
  if (x.size === 4) {
    const dividend = x.let64(or64(shl64(wideU(x.reg(EDX)), num64(32)), wideU(x.reg(EAX))));
    divideErrorIf(x, geU64(wideU(x.reg(EDX)), wideU(divisor)));
    const quotient = x.let(low(divU64(dividend, wideU(divisor))));
    setQuotient(x, low(dividend), divisor, quotient);
    return;
  }
  const dividend = smallDividend(x);
  const quotient = x.let(divU(dividend, divisor));
  divideErrorIf(x, gtU(quotient, num(x.size === 1 ? 0xff : 0xffff)));
  setQuotient(x, dividend, divisor, quotient);
};

export const idiv: Sem = (x) => {
  const divisor = x.let(signed(x.read(0), x.size));
  divideErrorIf(x, eqz(divisor));
  if (x.size === 4) {
    const dividend = x.let64(or64(shl64(wideU(x.reg(EDX)), num64(32)), wideU(x.reg(EAX))));
    // WebAssembly traps on -2^63 / -1; that quotient does not fit anyway.
    const minimum = and(
      and(eq(x.reg(EDX), num(0x80000000)), eqz(x.reg(EAX))),
      eq(divisor, num(-1)),
    );
    divideErrorIf(x, minimum);
    const quotient = x.let64(divS64(dividend, wideS(divisor)));
    divideErrorIf(
      x,
      gtU64(add64(quotient, wideU(num(0x80000000))), U32_MAX),
    );
    setQuotient(x, low(dividend), divisor, low(quotient));
    return;
  }
  const dividend = x.size === 1 ? x.let(signed(smallDividend(x), 2)) : smallDividend(x);
  divideErrorIf(x, and(eq(dividend, num(0x80000000)), eq(divisor, num(-1))));
  const quotient = x.let(divS(dividend, divisor));
  divideErrorIf(x, ne(signed(quotient, x.size), quotient));
  setQuotient(x, dividend, divisor, quotient);
};

/** AAM: AL by imm8. */
export const aam: Sem = (x) => {
  const base = x.read(0);
  divideErrorIf(x, eqz(base));
  const al = x.let(x.reg(EAX, 1));
  const r = x.let(remU(al, base));
  x.setReg(EAX, or(shl(divU(al, base), num(8)), r), 2);
  x.setFlags({ ca: num(0), cb: num(0), fo: num(0), fr: signed(r, 1), fx: and(r, num(16)) });
};
