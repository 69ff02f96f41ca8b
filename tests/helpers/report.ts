/**
 * A machine as the reports see it: counters that a test sets, a clock and a little RAM.
 * @module
 */

import { COST_KINDS, DOM0_COST_KINDS, type GuestMemory, PAGE_SIZE } from "../../core/types.ts";
import type { ExitReport, RequestRecord } from "../../core/machine/exit_report.ts";
import type { Counters } from "../../core/machine/config.ts";
import { DiskSums } from "../../core/report/disk_sums.ts";
import type { Phase, PhaseSource } from "../../core/report/phases.ts";

/** All zero but for what is given. */
export function counters(given: Partial<Counters> = {}): Counters {
  const zero = <K extends string>(kinds: readonly K[]) =>
    Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<K, number>;
  return {
    elapsedNs: 0,
    restarts: 0,
    instructions: 0,
    dom0Books: zero(DOM0_COST_KINDS),
    exits: { total: 0, byReason: {}, byPort: {} },
    portItems: 0,
    ioreqs: 0,
    hypercalls: { total: 0, byName: {} },
    events: { sent: 0, suppressed: 0 },
    grants: { map: 0, unmap: 0, copy: 0 },
    interrupts: 0,
    guestErrors: 0,
    refusals: {},
    hostErrors: 0,
    ...given,
    books: { ...zero(COST_KINDS), ...given.books },
  };
}

/** 30 exits to an IDE channel, 26 of which served one read; 4 to nobody; 2 HLT. */
export function exitReport(): ExitReport {
  const io = { reason: "IO_INSTRUCTION", device: "ide command", ranges: ["0x01f0-0x01f7"] };
  const none = { device: null, ranges: [], tied: 0 };
  const once = { min: 26, median: 26, max: 26 };
  return {
    byDevice: [
      { ...io, samples: 30, tied: 26, timeNs: 60_000, minNs: 1000, maxNs: 3000 },
      { ...io, ...none, samples: 4, timeNs: 8000, minNs: 2000, maxNs: 2000 },
      { ...none, reason: "HLT", samples: 2, timeNs: 2000, minNs: 1000, maxNs: 1000 },
    ],
    tied: { exits: 26, timeNs: 52_000 },
    none: { exits: 10, timeNs: 18_000 },
    requests: [{
      ...{ disk: "hda", path: "ide-dma", op: "read", code: 0xc8 },
      ...{ command: "READ DMA", requests: 1 },
      ...{ exits: once, driverExits: once, exitsBy: { "ide command": 26 }, exitNs: 52_000 },
      ...{ size: 4096, bytes: 4096, latencyNs: 9000, interrupts: 1 },
    }],
    sites: [
      { rip: 0xc1000010, ...{ reason: "IO_INSTRUCTION", device: "ide command" }, ...SITE },
      { rip: 0xc1000014, ...{ reason: "IO_INSTRUCTION", device: "ide command" }, ...SITE },
      { rip: 0xc1000020, ...{ reason: "IO_INSTRUCTION", device: null }, samples: 4, timeNs: 8000 },
      { rip: 0xf8000000, ...{ reason: "HLT", device: null }, samples: 2, timeNs: 2000 },
    ],
  };
}

const SITE = { samples: 15, timeNs: 30_000 };

/** One read of 4096 bytes by DMA that took 26 exits. */
export function requestRecord(given: Partial<RequestRecord> = {}): RequestRecord {
  return {
    ...{ id: 1, disk: "hda", path: "ide-dma", op: "read", code: 0xc8, command: "READ DMA" },
    ...{ sector: 0, bytes: 4096, submitNs: 0, completeNs: 100 },
    ...{ exits: 28, driverExits: 26, exitsBy: { "ide command": 26, "pic master": 2 } },
    ...{ exitNs: 52_000, interrupts: 1 },
    ...given,
  };
}

/** A phase of `requests` requests of 512 bytes in `elapsedNs`, all of it guest time. */
export function phase(given: Partial<Phase> & { elapsedNs: number }): Phase {
  const { elapsedNs, ...rest } = given;
  const books = { ...counters().books, guest: elapsedNs };
  const requests = given.requests ?? 2;
  return {
    path: "ide-pio",
    before: counters(),
    after: counters({ elapsedNs, instructions: elapsedNs, books }),
    requests,
    bytes: requests * 512,
    sha256: "0".repeat(64),
    latencies: Array.from({ length: requests }, () => Math.floor(elapsedNs / requests)),
    disk: new DiskSums(),
    ...rest,
  };
}

/** RAM of a few pages, some of which may be missing, none contiguous with the next on the host. */
export class PagedMemory implements Pick<GuestMemory, "page" | "range"> {
  readonly #pages: readonly (Uint8Array | undefined)[];

  constructor(pages: readonly (Uint8Array | undefined)[]) {
    this.#pages = pages;
  }

  page(gfn: number): Uint8Array | undefined {
    return this.#pages[gfn];
  }

  range(gpa: number, length: number): Uint8Array | undefined {
    const offset = gpa % PAGE_SIZE;
    if (offset + length > PAGE_SIZE) return undefined;
    return this.page((gpa - offset) / PAGE_SIZE)?.subarray(offset, offset + length);
  }
}

/** A machine whose clock and counters a test moves by hand. */
export class FakeSource implements PhaseSource {
  now = 0;
  current: Counters = counters();
  readonly memory: GuestMemory;

  constructor(pages: readonly (Uint8Array | undefined)[]) {
    this.memory = new PagedMemory(pages) as unknown as GuestMemory;
  }

  /** Pages whose linear address is another, by the number of the linear page. */
  readonly mapped: Map<number, number> = new Map();

  linearToGpa(linear: number): number {
    const page = Math.floor(linear / PAGE_SIZE);
    return linear + ((this.mapped.get(page) ?? page) - page) * PAGE_SIZE;
  }

  counters(): Counters {
    return this.current;
  }
}
