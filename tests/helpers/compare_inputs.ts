/**
 * Inputs of a comparison that never ran.
 * @module
 */

import type { CompareInputs } from "../../core/report/compare.ts";

/** 4 KiB reads at depth 1. */
export const inputs: CompareInputs = {
  cpu: "i686",
  cost: "xen-4.17",
  media: "ssd",
  op: "read",
  bs: 4096,
  count: 2,
  depth: 1,
  guest: { path: "guests/bin/diskcmp.bin", sha256: "a".repeat(64) },
  disk: { path: "out/compare.img", sha256: "b".repeat(64), sectors: 32768 },
};
