/**
 * Instructions that only TypeScript executes, by mnemonic.
 * @module
 */

import type { Rare } from "./callees.ts";
import { fprem, fprem1, fscale, fxam, fxtract } from "./remainder.ts";
import { f2xm1, fpatan, fyl2x, fyl2xp1 } from "./logarithm.ts";
import { fcos, fptan, fsin, fsincos } from "./trigonometry.ts";
import type { FpuUnit } from "./unit.ts";

/** What each does. */
export const RARE_OPERATIONS: Readonly<Record<Rare, (fpu: FpuUnit) => void>> = {
  fxam,
  f2xm1,
  fyl2x,
  fptan,
  fpatan,
  fxtract,
  fprem1,
  fprem,
  fyl2xp1,
  fsincos,
  fscale,
  fsin,
  fcos,
};
