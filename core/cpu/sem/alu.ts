/**
 * Two-operand arithmetic and logic, and their one-operand relatives.
 * @module
 */

import {
  add,
  and,
  eq,
  high,
  low,
  not as invert,
  num,
  or,
  sar,
  signed,
  sub as minus,
  unsigned,
  xor,
} from "../ir.ts";
import type { Val } from "../ir.ts";
import { EXCHANGE } from "../callees.ts";
import { EAX, EDX } from "../state.ts";
import type { Sem, X } from "../x.ts";
import {
  adcFlags,
  addFlags,
  compareFlags,
  logicFlags,
  sbbFlags,
  setZero,
  subFlags,
  toSign,
} from "./flags.ts";

const masked = (x: X, v: Val): Val => x.let(unsigned(v, x.size));

export const addTo: Sem = (x) => {
  const a = x.modify(0), b = x.read(1);
  const r = masked(x, add(a, b));
  x.write(0, r);
  addFlags(x, b, r, x.size);
};

export const adc: Sem = (x) => {
  const a = x.modify(0), b = x.read(1);
  const r = masked(x, add(add(a, b), x.carry));
  x.write(0, r);
  adcFlags(x, a, b, r, x.size);
};

export const sub: Sem = (x) => {
  const a = x.modify(0), b = x.read(1);
  const r = masked(x, minus(a, b));
  x.write(0, r);
  subFlags(x, b, r, x.size);
};

export const sbb: Sem = (x) => {
  const a = x.modify(0), b = x.read(1);
  const r = masked(x, minus(minus(a, b), x.carry));
  x.write(0, r);
  sbbFlags(x, a, b, r, x.size);
};

export const cmp: Sem = (x) => {
  const a = x.read(0), b = x.read(1);
  compareFlags(x, a, b, x.size);
};

const logic = (op: (a: Val, b: Val) => Val): Sem => (x) => {
  const a = x.modify(0), b = x.read(1);
  const r = x.let(op(a, b));
  x.write(0, r);
  logicFlags(x, r, x.size);
};
export const andTo: Sem = logic(and);
export const orTo: Sem = logic(or);
export const xorTo: Sem = logic(xor);

export const test: Sem = (x) => {
  const a = x.read(0), b = x.read(1);
  logicFlags(x, and(a, b), x.size);
};

export const inc: Sem = (x) => {
  const a = x.modify(0);
  const r = masked(x, add(a, num(1)));
  x.write(0, r);
  x.setFlags({
    fr: signed(r, x.size),
    fo: toSign(and(r, invert(minus(r, num(1)))), x.size),
    fx: and(xor(minus(r, num(1)), num(1)), num(16)),
  });
};

export const dec: Sem = (x) => {
  const a = x.modify(0);
  const r = masked(x, minus(a, num(1)));
  x.write(0, r);
  x.setFlags({
    fr: signed(r, x.size),
    fo: toSign(and(add(r, num(1)), invert(r)), x.size),
    fx: and(xor(add(r, num(1)), num(1)), num(16)),
  });
};

export const not: Sem = (x) => x.write(0, invert(x.modify(0)));

export const neg: Sem = (x) => {
  const a = x.modify(0);
  const r = masked(x, minus(num(0), a));
  x.write(0, r);
  compareFlags(x, num(0), a, x.size);
};

export const xadd: Sem = (x) => {
  const a = x.modify(0), b = x.read(1);
  const r = masked(x, add(a, b));
  // The register first, so that `xadd eax, eax` ends with the sum; it cannot fault.
  if (x.isMemory(0)) {
    x.write(0, r);
    x.write(1, a);
  } else {
    x.write(1, a);
    x.write(0, r);
  }
  addFlags(x, b, r, x.size);
};

/** CMPXCHG: memory is always written, as processors do. */
export const cmpxchg: Sem = (x) => {
  const old = x.modify(0), source = x.read(1);
  const accumulator = x.let(x.reg(0, x.size));
  const equal = x.let(eq(accumulator, old));
  x.if(equal, () => x.write(0, source), () => {
    if (x.isMemory(0)) x.write(0, old);
    x.setReg(0, old, x.size);
  });
  compareFlags(x, accumulator, old, x.size);
};

/** CMPXCHG8B: of the flags only ZF changes. */
export const cmpxchg8b: Sem = (x) => {
  const old = x.callFor(EXCHANGE, x.linear(0, 8, 2));
  const lower = x.let(low(old)), upper = x.let(high(old));
  setZero(x, and(eq(lower, x.reg(EAX)), eq(upper, x.reg(EDX))));
  x.setReg(EAX, lower);
  x.setReg(EDX, upper);
};

/** CBW, CWDE. */
export const cbw: Sem = (x) => {
  const half = x.operandSize === 4 ? 2 : 1;
  x.setReg(0, signed(x.reg(0, half), half), x.operandSize);
};

/** CWD, CDQ. */
export const cwd: Sem = (x) => {
  const value = signed(x.reg(0, x.operandSize), x.operandSize);
  x.setReg(2, sar(value, num(31)), x.operandSize);
};
