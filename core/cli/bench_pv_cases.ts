/**
 * What `bench pv` measures, and what it is held against.
 * @module
 */

import type { DiskOp } from "../report/compare.ts";
import type { DiskPath } from "../report/phases.ts";

/** Requests of one kind over one path. */
export interface PvCase {
  readonly name: string;
  /** As tables call it. */
  readonly label: string;
  /** Linux, over that path; a guest of our own over its blkfront unless given. */
  readonly boot?: DiskPath;
  readonly op: DiskOp;
  readonly bs: number;
  /** Requests that are measured. */
  readonly count: number;
  /** Requests before those: code that runs once a request is compiled after 16,000 of them. */
  readonly warmUp: number;
  readonly depth: number;
  /** Per second of host CPU time. */
  readonly unit: "IOPS" | "MiB/s";
  /** At least that, in the unit. */
  readonly wanted?: number;
  /** The same requests over the path that this one is compared with, and at least how much faster. */
  readonly over?: { readonly name: string; readonly ratio?: number };
}

const KIB = 1024;
const SMALL = {
  warmUp: 20_480,
  count: 8192,
  op: "randread",
  bs: 4 * KIB,
  depth: 1,
  unit: "IOPS",
} as const;
const LARGE = {
  warmUp: 20_480,
  count: 2048,
  op: "read",
  bs: 128 * KIB,
  depth: 1,
  unit: "MiB/s",
} as const;
const DEPTH = 32;

/** In the order they run. */
export const PV_CASES: readonly PvCase[] = [
  {
    name: "linux_ide_4k",
    label: "Linux, emulated IDE DMA, 4 KiB random reads",
    boot: "ide-dma",
    ...SMALL,
  },
  {
    name: "linux_pv_4k",
    label: "Linux, blkfront, 4 KiB random reads",
    boot: "pv",
    ...SMALL,
    wanted: 4500,
    over: { name: "linux_ide_4k", ratio: 1.4 },
  },
  {
    name: "linux_ide_128k",
    label: "Linux, emulated IDE DMA, 128 KiB reads",
    boot: "ide-dma",
    ...LARGE,
  },
  {
    name: "linux_pv_128k",
    label: "Linux, blkfront, 128 KiB reads",
    boot: "pv",
    ...LARGE,
    wanted: 300,
    over: { name: "linux_ide_128k" },
  },
  {
    name: "guest_pv_4k",
    label: `own guest, depth ${DEPTH}, 4 KiB random reads`,
    ...SMALL,
    depth: DEPTH,
    count: 262_144,
    wanted: 150_000,
  },
  {
    name: "guest_pv_64k",
    label: `own guest, depth ${DEPTH}, 64 KiB reads`,
    ...LARGE,
    bs: 64 * KIB,
    depth: DEPTH,
    count: 65_536,
    wanted: 2048,
  },
];
