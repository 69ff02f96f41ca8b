/**
 * What the published shapes of runs and of comparisons have in common.
 * @module
 */

import { z } from "zod";
import type { Counters } from "../machine/config.ts";
import { COST_KINDS, DOM0_COST_KINDS } from "../types.ts";

/** A whole number from 0 up. */
export const count: z.ZodInt = z.int().nonnegative();
/** A time. */
export const ns: z.ZodInt = count.describe("virtual nanoseconds");
/** How often, by name. */
export const tally: z.ZodRecord<z.ZodString, z.ZodInt> = z.record(
  z.string(),
  z.int().positive(),
);
/** A checksum. */
export const sha256: z.ZodString = z.string().regex(/^[0-9a-f]{64}$/);

type SharedCounter =
  | "elapsedNs"
  | "instructions"
  | "books"
  | "dom0Books"
  | "exits"
  | "portItems"
  | "ioreqs"
  | "hypercalls"
  | "grants"
  | "interrupts";

/** Counters of a run, or of one path of a comparison. */
export const counterFields: { readonly [Name in SharedCounter]: z.ZodType<Counters[Name]> } = {
  elapsedNs: ns,
  instructions: count,
  books: z.record(z.enum(COST_KINDS), count)
    .describe("virtual nanoseconds of the vCPU; they add up to elapsedNs"),
  dom0Books: z.record(z.enum(DOM0_COST_KINDS), count)
    .describe("virtual nanoseconds of dom0, on its own timeline"),
  exits: z.strictObject({
    total: count,
    byReason: tally.describe("by VMX exit reason"),
    byPort: tally.describe('by port and direction: "0x1f7:in"'),
  }),
  portItems: count.describe("single port accesses; a rep insw of 256 words is 256"),
  ioreqs: count.describe("round trips to the device model"),
  hypercalls: z.strictObject({ total: count, byName: tally }),
  grants: z.strictObject({ map: count, unmap: count, copy: count }).describe("pages"),
  interrupts: count.describe("interrupts and upcalls injected"),
};
