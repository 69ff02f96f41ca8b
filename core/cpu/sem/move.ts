/**
 * Moves, exchanges, and address arithmetic.
 * @module
 */

import { add, signed, unsigned } from "../ir.ts";
import type { Sem } from "../x.ts";

const EBX = 3;

export const mov: Sem = (x) => x.write(0, x.read(1));
export const movzx: Sem = (x) => x.write(0, x.read(1));
export const movsx: Sem = (x) => x.write(0, signed(x.read(1), x.sizeOf(1)));
export const lea: Sem = (x) => x.write(0, x.address(1));

export const xchg: Sem = (x) => {
  const a = x.modify(0), b = x.read(1);
  x.write(0, b);
  x.write(1, a);
};

/** XLAT: AL = [(E)BX + AL]. */
export const xlat: Sem = (x) => {
  const offset = unsigned(add(x.reg(EBX), x.reg(0, 1)), x.addressSize);
  x.setReg(0, x.load("operand", offset, 1), 1);
};

export const nop: Sem = () => {};
