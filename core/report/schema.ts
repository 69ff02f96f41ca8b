/**
 * The published shape of {@link CompareRecord}: `deno task compare --schema` prints it as JSON Schema,
 * and `compare.schema.json` beside this file is that output.
 * @module
 */

import { z } from "zod";
import { type CompareRecord, DISK_OPS, type PathRecord } from "./compare.ts";
import { DISK_PATHS } from "./phases.ts";
import { count, counterFields, ns, sha256, tally } from "./schema_parts.ts";

const file = z.strictObject({ path: z.string(), sha256 });

const path: z.ZodType<PathRecord> = z.strictObject({
  path: z.enum(DISK_PATHS),
  requests: count,
  bytes: count,
  sha256: sha256.describe("of the data of all requests in order"),
  ...counterFields,
  events: z.strictObject({
    sent: count.describe("ring notifications of both directions"),
    suppressed: count.describe("notifications that req_event or rsp_event made unnecessary"),
  }),
  disk: z.strictObject({
    requests: count,
    bytes: count,
    byPath: tally.describe("how many took which way"),
    exits: count.describe("VM exits that served them"),
    driverExits: count.describe("those by which the driver went to the disk"),
    exitsBy: tally.describe("all exits by what they were for"),
    exitNs: ns.describe("virtual nanoseconds from exits to entries"),
    interrupts: count.describe("interrupts and upcalls injected for them"),
  }).describe("requests that the disk got, and what served them"),
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
  guest: file.describe("the benchmark guest, or the kernel that the benchmark runs under"),
  initrd: z.exactOptional(file).describe("where the kernel's drivers come from"),
  append: z.exactOptional(z.string()).describe("what the kernel was told"),
  disk: z.strictObject({ path: z.string(), sha256, sectors: count })
    .describe("the image as it was before the run"),
  paths: z.array(path),
  sameData: z.boolean().describe("all paths moved the same bytes in the same order"),
});

/** The shape as JSON Schema, draft 2020-12. */
export function compareJsonSchema(): unknown {
  return z.toJSONSchema(compareSchema);
}
