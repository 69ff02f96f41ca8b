/**
 * A disk with faults at places that the user has named: what drivers do about them can be watched.
 *
 * | fault | what a request that touches its sectors meets |
 * |---|---|
 * | `unc` | reads fail at the first bad sector; a write makes sectors good, as reallocation does |
 * | `abort` | reads and writes are refused |
 * | `timeout` | reads and writes are never answered |
 *
 * Sectors before the fault are served. A refused or unanswered write stores nothing. A disk that hangs
 * is given up by dom0's kernel: what a block backend has asked of it fails.
 * @module
 */

import { SECTOR_SIZE } from "../../core/types.ts";
import type { BlockRequest, BlockStatus, Disk } from "../../core/types.ts";

/** What can be wrong, by the names that users write. */
export type FaultKind = "unc" | "abort" | "timeout";

/** How a request ends that meets it. */
export const FAULT_STATUS: Readonly<Record<FaultKind, BlockStatus>> = {
  unc: "error",
  abort: "aborted",
  timeout: "timeout",
};

/** Something wrong with some sectors. */
export interface Fault {
  /** What. */
  readonly kind: FaultKind;
  /** First sector. */
  readonly sector: number;
  /** Sectors from there on. */
  readonly count: number;
  /** Requests that meet it, after which it is gone; `Infinity` for ever. */
  readonly times: number;
}

/** Passes on what meets no fault. */
export class FaultyDisk implements Disk {
  readonly sectorCount: number;
  readonly readOnly: boolean;
  readonly canDiscard: boolean;
  readonly #inner: Disk;
  #faults: readonly Fault[];

  constructor(inner: Disk, faults: readonly Fault[]) {
    this.sectorCount = inner.sectorCount;
    this.readOnly = inner.readOnly;
    this.canDiscard = inner.canDiscard === true;
    this.#inner = inner;
    this.#faults = faults;
  }

  submit(request: BlockRequest): void {
    const { op, sector } = request;
    const end = sector + sectorsOf(request);
    const touched = this.#faults.filter((fault) =>
      fault.sector < end && fault.sector + fault.count > sector
    );
    const met = touched.filter(({ kind }) => op === "read" || op === "write" && kind !== "unc");
    if (met.length > 0) this.#fail(request, first(met));
    else {
      this.#inner.submit(request);
      if (op === "write" && touched.length > 0) this.#repair(sector, end);
    }
  }

  #fail(request: BlockRequest, fault: Fault): void {
    const failedAt = Math.max(request.sector, fault.sector);
    const isRefused = request.op === "write" && fault.kind !== "unc";
    const bytes = isRefused ? 0 : (failedAt - request.sector) * SECTOR_SIZE;
    const status = FAULT_STATUS[fault.kind];
    this.#inner.submit({
      op: request.op,
      sector: request.sector,
      segments: front(request.segments, bytes),
      count: bytes / SECTOR_SIZE,
      done: (served) => {
        if (served === "ok") request.done(status, failedAt);
        else request.done(served);
      },
    });
    this.#faults = this.#faults
      .map((other) => other === fault ? { ...fault, times: fault.times - 1 } : other)
      .filter(({ times }) => times > 0);
  }

  /** Takes sectors from `start` to `end` out of the unreadable ones. */
  #repair(start: number, end: number): void {
    this.#faults = this.#faults.flatMap((fault) => {
      if (fault.kind !== "unc") return fault;
      const faultEnd = fault.sector + fault.count;
      const below = Math.min(faultEnd, start) - fault.sector;
      const above = Math.max(fault.sector, end);
      return [
        { ...fault, count: below },
        { ...fault, sector: above, count: faultEnd - above },
      ].filter(({ count }) => count > 0);
    });
  }
}

function sectorsOf({ segments, count = 0 }: BlockRequest): number {
  if (segments.length === 0) return count;
  return segments.reduce((sum, { length }) => sum + length, 0) / SECTOR_SIZE;
}

function first(faults: readonly Fault[]): Fault {
  return faults.reduce((least, fault) => fault.sector < least.sector ? fault : least);
}

/** The first `bytes` of some segments. */
function front(segments: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let i = 0, left = bytes; left > 0 && i < segments.length; i++) {
    const part = segments[i]!.subarray(0, left);
    parts.push(part);
    left -= part.length;
  }
  return parts;
}
