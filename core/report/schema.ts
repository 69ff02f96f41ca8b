/**
 * The published shape of {@link CompareRecord}: `deno task compare --schema` prints it as JSON Schema,
 * and `compare.schema.json` beside this file is that output.
 * @module
 */

import { z } from "zod";
import { COST_KINDS, DOM0_COST_KINDS } from "../types.ts";
import { type CompareRecord, DISK_OPS, type PathRecord } from "./compare.ts";
import { DISK_PATHS } from "./phases.ts";

const count = z.int().nonnegative();
const ns = count.describe("virtual nanoseconds");
const tally = z.record(z.string(), z.int().positive());
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const path: z.ZodType<PathRecord> = z.strictObject({
  path: z.enum(DISK_PATHS),
  requests: count,
  bytes: count,
  sha256: sha256.describe("of the data of all requests in order"),
  elapsedNs: ns,
  instructions: count,
  exits: z.strictObject({
    total: count,
    byReason: tally.describe("by VMX exit reason"),
    byPort: tally.describe('by port and direction: "0x1f7:in"'),
  }),
  portItems: count.describe("single port accesses; a rep insw of 256 words is 256"),
  ioreqs: count.describe("round trips to the device model"),
  hypercalls: z.strictObject({ total: count, byName: tally }),
  events: z.strictObject({
    sent: count.describe("ring notifications of both directions"),
    suppressed: count.describe("notifications that req_event or rsp_event made unnecessary"),
  }),
  grants: z.strictObject({ map: count, unmap: count, copy: count }).describe("pages"),
  interrupts: count.describe("interrupts and upcalls injected"),
  books: z.record(z.enum(COST_KINDS), count)
    .describe("virtual nanoseconds of the vCPU; they add up to elapsedNs"),
  dom0Books: z.record(z.enum(DOM0_COST_KINDS), count)
    .describe("virtual nanoseconds of dom0, on its own timeline"),
  latencyNs: z.strictObject({ mean: ns, p50: ns, p99: ns }).describe("of single requests"),
  iops: z.number().nonnegative().describe("requests a virtual second"),
  bandwidth: count.describe("bytes a virtual second"),
});

/** Checks a {@link CompareRecord}; unknown keys are refused. */
export const compareSchema: z.ZodType<CompareRecord> = z.strictObject({
  tool: z.string(),
  version: z.string(),
  cpu: z.string().describe("name of the processor"),
  cost: z.string().describe("name of the cost preset"),
  media: z.string().describe("name of the media preset"),
  op: z.enum(DISK_OPS),
  bs: z.int().positive().multipleOf(512).describe("bytes of a request"),
  count: z.int().positive().describe("requests a path"),
  depth: z.int().positive().describe("requests in flight"),
  guest: z.strictObject({ path: z.string(), sha256 }),
  disk: z.strictObject({ path: z.string(), sha256, sectors: count })
    .describe("the image as it was before the run"),
  paths: z.array(path),
  sameData: z.boolean().describe("all paths moved the same bytes in the same order"),
});

/** The shape as JSON Schema, draft 2020-12. */
export function compareJsonSchema(): unknown {
  return z.toJSONSchema(compareSchema);
}
