/**
 * One step of a string instruction without REP. (With REP: `strings.ts`, a page at a time.)
 * @module
 */

import { add } from "../ir.ts";
import type { Sem, X } from "../x.ts";
import { compareFlags } from "./flags.ts";

const ES = 0;
const EAX = 0, ESI = 6, EDI = 7;

function advance(x: X, register: number): void {
  x.setReg(register, add(x.reg(register), x.step(x.size)), x.addressSize);
}

export const movs: Sem = (x) => {
  const v = x.load("operand", x.reg(ESI, x.addressSize), x.size);
  x.store(ES, x.reg(EDI, x.addressSize), x.size, v);
  advance(x, ESI);
  advance(x, EDI);
};

export const stos: Sem = (x) => {
  x.store(ES, x.reg(EDI, x.addressSize), x.size, x.reg(EAX, x.size));
  advance(x, EDI);
};

export const lods: Sem = (x) => {
  const v = x.load("operand", x.reg(ESI, x.addressSize), x.size);
  x.setReg(EAX, v, x.size);
  advance(x, ESI);
};

export const scas: Sem = (x) => {
  const a = x.let(x.reg(EAX, x.size));
  const b = x.load(ES, x.reg(EDI, x.addressSize), x.size);
  compareFlags(x, a, b, x.size);
  advance(x, EDI);
};

export const cmps: Sem = (x) => {
  const a = x.load("operand", x.reg(ESI, x.addressSize), x.size);
  const b = x.load(ES, x.reg(EDI, x.addressSize), x.size);
  compareFlags(x, a, b, x.size);
  advance(x, ESI);
  advance(x, EDI);
};
