/**
 * Numbers that a hostile guest likes.
 * @module
 */

import type { Rng } from "../rng.ts";
import { FRAMES, GREFS, HOLES } from "./layout.ts";

/** An unsigned 32-bit number, near a border more often than not. */
export function wild(rng: Rng): number {
  switch (rng.below(7)) {
    case 0:
      return 0;
    case 1:
      return 0xffffffff;
    case 2:
      return (1 << rng.below(32) >>> 0) - rng.below(2);
    case 3:
      return rng.below(0x100);
    case 4:
      return 0xffffffff - rng.below(0x100);
    default:
      return rng.below(2) === 0 ? rng.below(16) : rng.next();
  }
}

/** A frame that a hostile frontend may grant, or one that is no memory. */
export function anyFrame(rng: Rng): number {
  if (rng.chance(10)) return rng.pick(HOLES);
  const [first] = FRAMES.rings;
  return first + rng.below(FRAMES.data[1] - first);
}

/** A grant reference: mostly one of the hostile frontends', never the good one's. */
export function anyGref(rng: Rng): number {
  const [first, end] = GREFS.hostile;
  if (rng.chance(95)) return first + rng.below(end - first);
  return rng.pick([0, 1, 2, 511, 512, 513, 32767, 32768, 0x80000000, 0xffffffff]);
}
