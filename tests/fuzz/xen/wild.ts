/**
 * Numbers that a hostile guest likes.
 * @module
 */

import type { Rng } from "../rng.ts";
import { address, FRAMES, GREFS, HOLES, OVERLAYS, RAM_FRAMES } from "./layout.ts";

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

/**
 * A number that leads to nothing that Xen must not write, taken for a pointer, nor to the good
 * frontend's pages, taken for a frame.
 */
export function harmless(value: number): number {
  if (isForbidden(value)) return value + 0x100;
  return isForbidden(value >>> 12) ? (value | 0x40000000) >>> 0 : value;
}

/** A frame that nobody hands over to Xen. */
function isForbidden(gfn: number): boolean {
  return gfn < RAM_FRAMES && gfn !== 0 && !(gfn >= FRAMES.rings[0] && gfn < FRAMES.data[1]);
}

/** Where a structure is: mostly where one can be. */
export function anyPointer(rng: Rng): number {
  const [first, end] = FRAMES.scratch;
  if (rng.chance(80)) return address(first + rng.below(end - first)) + rng.below(0xf00);
  switch (rng.below(6)) {
    case 0: // across pages, the second of which may be anywhere
      return address(rng.pick([1, 2, 0x200, 0x202, 0x204])) + 0x1000 - rng.below(64);
    case 1: // across the end of the address space
      return 0xffffffff - rng.below(64);
    case 2:
      return address(rng.pick(HOLES) & 0xfffff) + rng.below(0x1000);
    case 3:
      return address(0x201) + rng.below(0x1000);
    case 4:
      return address(anyFrame(rng) & 0xfffff) + rng.below(0x1000);
    default:
      return address(rng.pick(OVERLAYS)) + rng.below(0x1000);
  }
}
