/**
 * The record of a comparison: one entry a path, every number a difference of two counter snapshots.
 * The table on screen and the JSON are both made from it; `schema.ts` publishes its shape.
 * @module
 */

import { COST_KINDS, DOM0_COST_KINDS } from "../types.ts";
import type { CostKind, Dom0CostKind, Ns } from "../types.ts";
import { InternalError } from "../errors.ts";
import type { Counters } from "../machine/config.ts";
import { TOOL, VERSION } from "../version.ts";
import type { DiskRecord } from "./disk_sums.ts";
import type { DiskPath, Phase } from "./phases.ts";

/** What the guest does on every path. */
export const DISK_OPS = ["read", "write", "randread", "randwrite"] as const;

/** One of {@link DISK_OPS}. */
export type DiskOp = typeof DISK_OPS[number];

/** Totals of one path; divide by `requests` for the cost of a request. */
export interface PathRecord {
  /** Which path. */
  path: DiskPath;
  /** Requests that ended. */
  requests: number;
  /** Bytes they moved. */
  bytes: number;
  /** Of the data of all requests in order. */
  sha256: string;
  /** Virtual time from the begin mark to the end mark. */
  elapsedNs: Ns;
  /** Instructions that the guest retired. */
  instructions: number;
  /** VM exits. */
  exits: {
    /** All of them. */
    total: number;
    /** By VMX exit reason. */
    byReason: Record<string, number>;
    /** By port and direction: `"0x1f7:in"`. */
    byPort: Record<string, number>;
  };
  /** Single accesses: a `rep insw` of 256 words is one exit and 256 of these. */
  portItems: number;
  /** Round trips to the device model. */
  ioreqs: number;
  /** Hypercalls, in all and by name. */
  hypercalls: { total: number; byName: Record<string, number> };
  /** Ring notifications of both directions: sent, and held back by req_event and rsp_event. */
  events: { sent: number; suppressed: number };
  /** Pages that the backend mapped, unmapped and copied. */
  grants: { map: number; unmap: number; copy: number };
  /** Interrupts and upcalls injected. */
  interrupts: number;
  /** What the disk got: an operating system merges and splits requests. */
  disk: DiskRecord;
  /** Where the vCPU's time went; adds up to `elapsedNs`. */
  books: Record<CostKind, Ns>;
  /** What dom0 did meanwhile, on its own timeline. */
  dom0Books: Record<Dom0CostKind, Ns>;
  /** Of single requests, rounded to nanoseconds; percentiles by nearest rank. */
  latencyNs: { mean: Ns; p50: Ns; p99: Ns };
  /** Requests a virtual second, rounded to hundredths. */
  iops: number;
  /** Bytes a virtual second, rounded. */
  bandwidth: number;
}

/** A file that went into a run. */
export interface FileRecord {
  /** As the user named it. */
  path: string;
  /** Of its content, hexadecimal. */
  sha256: string;
}

/** Inputs of a comparison. */
export interface CompareInputs {
  /** Name of the processor. */
  cpu: string;
  /** Name of the cost preset. */
  cost: string;
  /** Name of the media preset. */
  media: string;
  /** What the guest does. */
  op: DiskOp;
  /** Bytes of a request. */
  bs: number;
  /** Requests a path. */
  count: number;
  /** Requests in flight. */
  depth: number;
  /** The benchmark guest, or the kernel that the benchmark runs under. */
  guest: FileRecord;
  /** Where a kernel's drivers come from, if it has been given any. */
  initrd?: FileRecord;
  /** What a kernel was told. */
  append?: string;
  /** The image as it was before the run. */
  disk: FileRecord & { sectors: number };
}

/** One comparison. The same inputs give the same record, byte for byte. */
export interface CompareRecord extends CompareInputs {
  /** Name of this tool. */
  tool: string;
  /** Its version. */
  version: string;
  /** In the order in which the guest ran them. */
  paths: PathRecord[];
  /** All paths moved the same bytes in the same order. */
  sameData: boolean;
}

/**
 * Builds the record.
 * @throws {InternalError} when the books of a phase do not add up to its elapsed time
 */
export function buildCompareRecord(inputs: CompareInputs, phases: readonly Phase[]): CompareRecord {
  const paths = phases.map(buildPathRecord);
  return { tool: TOOL, version: VERSION, ...inputs, paths, sameData: isSameData(paths) };
}

/** @throws {InternalError} when the books do not add up to the elapsed time */
export function buildPathRecord(phase: Phase): PathRecord {
  const { path, before, after, requests, bytes, sha256, latencies, disk } = phase;
  const elapsedNs = after.elapsedNs - before.elapsedNs;
  const books = subtractBooks(COST_KINDS, after.books, before.books);
  assertBooksClose(path, books, elapsedNs);
  const perSecond = (amount: number) => elapsedNs === 0 ? 0 : amount * 1e9 / elapsedNs;
  return {
    path,
    requests,
    bytes,
    sha256,
    elapsedNs,
    ...subtractCounts(after, before),
    disk: disk.record(),
    books,
    dom0Books: subtractBooks(DOM0_COST_KINDS, after.dom0Books, before.dom0Books),
    latencyNs: summarizeLatencies(latencies),
    iops: Math.round(perSecond(requests) * 100) / 100,
    bandwidth: Math.round(perSecond(bytes)),
  };
}

type Counts = Pick<
  PathRecord,
  | "instructions"
  | "exits"
  | "portItems"
  | "ioreqs"
  | "hypercalls"
  | "events"
  | "grants"
  | "interrupts"
>;

function subtractCounts(after: Counters, before: Counters): Counts {
  return {
    instructions: after.instructions - before.instructions,
    exits: {
      total: after.exits.total - before.exits.total,
      byReason: subtractTallies(after.exits.byReason, before.exits.byReason),
      byPort: subtractTallies(after.exits.byPort, before.exits.byPort),
    },
    portItems: after.portItems - before.portItems,
    ioreqs: after.ioreqs - before.ioreqs,
    hypercalls: {
      total: after.hypercalls.total - before.hypercalls.total,
      byName: subtractTallies(after.hypercalls.byName, before.hypercalls.byName),
    },
    events: {
      sent: after.events.sent - before.events.sent,
      suppressed: after.events.suppressed - before.events.suppressed,
    },
    grants: {
      map: after.grants.map - before.grants.map,
      unmap: after.grants.unmap - before.grants.unmap,
      copy: after.grants.copy - before.grants.copy,
    },
    interrupts: after.interrupts - before.interrupts,
  };
}

type Tally = Readonly<Record<string, number>>;

/** Only what happened in between. */
function subtractTallies(after: Tally, before: Tally): Record<string, number> {
  const result: Record<string, number> = {};
  for (const [key, count] of Object.entries(after)) {
    const difference = count - (before[key] ?? 0);
    if (difference !== 0) result[key] = difference;
  }
  return result;
}

function subtractBooks<K extends string>(
  kinds: readonly K[],
  after: Readonly<Record<K, Ns>>,
  before: Readonly<Record<K, Ns>>,
): Record<K, Ns> {
  const pairs = kinds.map((kind) => [kind, after[kind] - before[kind]]);
  return Object.fromEntries(pairs) as Record<K, Ns>;
}

function assertBooksClose(path: DiskPath, books: Record<CostKind, Ns>, elapsedNs: Ns): void {
  const sum = COST_KINDS.reduce((total, kind) => total + books[kind], 0);
  if (sum !== elapsedNs) {
    throw new InternalError(
      `The books of ${path} do not close: they hold ${sum} ns, elapsed are ${elapsedNs} ns`,
    );
  }
}

function summarizeLatencies(latencies: readonly Ns[]): PathRecord["latencyNs"] {
  if (latencies.length === 0) return { mean: 0, p50: 0, p99: 0 };
  const sorted = Float64Array.from(latencies).sort();
  const rank = (fraction: number) => sorted[Math.ceil(fraction * sorted.length) - 1]!;
  const sum = sorted.reduce((total, latency) => total + latency, 0);
  return { mean: Math.round(sum / sorted.length), p50: rank(0.5), p99: rank(0.99) };
}

function isSameData(paths: readonly PathRecord[]): boolean {
  return paths.every(({ sha256, bytes }) =>
    sha256 === paths[0]!.sha256 && bytes === paths[0]!.bytes
  );
}
