/**
 * Frames that are memory or nothing.
 * @module
 */

import type { Frames } from "../../core/cpu/mmu.ts";

/** Loads and stores meet the same bytes. */
export function plainFrames(frameOffset: Frames["frameOffset"]): Frames {
  return { frameOffset, storeOffset: frameOffset };
}
