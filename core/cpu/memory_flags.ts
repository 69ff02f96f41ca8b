/**
 * The arithmetic flags as they lie in memory: see `AT` in state.ts.
 * @module
 */

import { word } from "./lookups.ts";
import { and, eqz, ltS, ltU, num, or, shr, type Val, xor } from "./ir.ts";
import { parityOf } from "./sem/flags.ts";
import { AT } from "./state.ts";
import type { Flags } from "./x.ts";

const sign: Val = xor(word(AT.FR), word(AT.FX));
const overflow: Val = word(AT.FO);
const carry: Val = ltU(word(AT.CA), word(AT.CB));
const zero: Val = eqz(word(AT.FR));
const less: Val = ltS(xor(sign, overflow), num(0));

/** Read where they are used. */
export const MEMORY_FLAGS: Flags = {
  carry,
  zero,
  parity: parityOf(xor(word(AT.FR), shr(word(AT.FX), num(8)))),
  adjust: and(shr(xor(word(AT.FX), word(AT.FR)), num(4)), num(1)),
  sign,
  overflow,
  less,
  notGreater: or(less, zero),
  notAbove: or(carry, zero),
};
