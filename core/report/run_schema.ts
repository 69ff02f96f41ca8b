/**
 * The published shape of {@link RunRecord}, and of the lines of `--requests`: `deno task run
 * --schema` prints both as JSON Schema, and `run.schema.json` beside this file is that output.
 * @module
 */

import { z } from "zod";
import type { RequestRecord } from "../machine/exit_report.ts";
import type { RunHeader, RunRecord } from "./run.ts";
import { BACKEND_KINDS } from "../types.ts";
import { count, counterFields, ns, sha256, tally } from "./schema_parts.ts";

const PATHS = ["ide", "ide-pio", "ide-pio-multiple", "ide-dma", "ide-packet", "pv"] as const;
const OPS = ["read", "write", "flush", "discard", "other"] as const;

const exitNs = ns.describe("from VM exits to VM entries");
const exitsBy = tally.describe("by device, or by reason where there is none");
const code = count.describe("ATA command or blkif operation");
const command = z.string().nullable().describe("name of the ATA command; null of others");
const spread = z.strictObject({ min: count, median: count, max: count });

const inputs = {
  tool: z.string(),
  version: z.string(),
  cpu: z.string().describe("name of the processor"),
  cost: z.string().describe("name of the cost preset"),
  media: z.string().describe("name of the media preset"),
  ramBytes: count,
  guest: z.strictObject({ path: z.string(), sha256 }),
  disks: z.array(z.strictObject({
    path: z.string(),
    sectors: count,
    backend: z.enum(BACKEND_KINDS).nullable()
      .describe("what stands behind its block backend; null of a disk on IDE alone"),
  })),
};

const counters = z.strictObject({
  ...counterFields,
  restarts: count.describe("starts of the guest after the first, by resets"),
  events: z.strictObject({ sent: count, suppressed: count }),
  guestErrors: count.describe("mistakes that got their architectural answer"),
  refusals: z.record(z.string(), tally).describe("by block backends, by disk and reason"),
  hostErrors: count.describe("failures of the host to read, write or flush an image"),
});

const device = z.string().nullable().describe("null where nobody answers, or the reason has none");
const share = z.strictObject({ exits: count, timeNs: exitNs });

const exits = z.strictObject({
  byDevice: z.array(z.strictObject({
    reason: z.string().describe("VMX exit reason"),
    device,
    ranges: z.array(z.string()).describe(
      "of ports or addresses, one more after each of the first moves",
    ),
    samples: count,
    tied: count.describe("of those, how many served a disk request"),
    timeNs: exitNs,
    minNs: ns,
    maxNs: ns,
  })),
  tied: share.describe("served a disk request"),
  none: share.describe("served none"),
  requests: z.array(z.strictObject({
    disk: z.string(),
    path: z.enum(PATHS),
    op: z.enum(OPS),
    code,
    command,
    size: count.describe("each moves at most so many bytes, and more than half of them"),
    bytes: count.describe("of all requests"),
    requests: count,
    exits: spread.describe("of one request"),
    driverExits: spread.describe("of one request, by which the driver went to the disk"),
    exitsBy,
    exitNs,
    latencyNs: ns.describe("sum, from submission to completion"),
    interrupts: count,
  })),
  functions: z.array(z.strictObject({
    name: z.string().describe("or the linear address, where no function is known"),
    reason: z.string(),
    device,
    samples: count,
    timeNs: exitNs,
  })).nullable().describe("with --symbols"),
});

/** Checks a {@link RunRecord}; unknown keys are refused. */
export const runSchema: z.ZodType<RunRecord> = z.strictObject({
  ...inputs,
  reason: z.enum(["power-off", "guest-exit", "guest-crash", "limit", "interrupted"]),
  code: count.describe("exit code of the process"),
  message: z.string().nullable(),
  counters,
  exits,
});

/** Checks the first line of `--requests`. */
export const requestsHeaderSchema: z.ZodType<RunHeader> = z.strictObject(inputs);

/** Checks every other line of `--requests`. */
export const requestLineSchema: z.ZodType<RequestRecord> = z.strictObject({
  id: z.int().positive().describe("in the order of submission; lines are in that of the last exit"),
  disk: z.string(),
  path: z.enum(PATHS),
  op: z.enum(OPS),
  code,
  command,
  sector: count,
  bytes: count,
  submitNs: ns.describe("since power-on"),
  completeNs: ns.describe("since power-on"),
  exits: count,
  driverExits: count.describe("by which the driver went to the disk"),
  exitsBy,
  exitNs,
  interrupts: count,
});

/** The shapes as JSON Schema, draft 2020-12. */
export function runJsonSchema(): unknown {
  return {
    run: z.toJSONSchema(runSchema),
    requestsHeader: z.toJSONSchema(requestsHeaderSchema),
    requestLine: z.toJSONSchema(requestLineSchema),
  };
}
