/**
 * The books of VM exits as plain records.
 * @module
 */

import { commandName } from "../../devices/ide/commands.ts";
import { hex } from "../bits.ts";
import { EXIT, type ExitReason, type Ns } from "../types.ts";
import type { ExitBooks } from "../hypervisor/books/exit_books.ts";
import type { DeviceRange, ExitRow } from "../hypervisor/books/exit_table.ts";
import { EXIT_NAMES } from "../hypervisor/exits.ts";
import type { ExitSpread } from "../hypervisor/books/request_kinds.ts";
import type { DiskRequest, RequestOp, RequestPath } from "../hypervisor/books/requests.ts";
import { type ServiceName, SERVICES, type Tally } from "../hypervisor/books/tally.ts";

/** One disk request. */
export interface RequestRecord {
  /** From 1 up, in the order of submission. */
  readonly id: number;
  /** Name of the disk: `hda` to `hdd`. */
  readonly disk: string;
  /** The way that it took. */
  readonly path: RequestPath;
  /** What the disk was asked for. */
  readonly op: RequestOp;
  /** ATA command or blkif operation. */
  readonly code: number;
  /** Name of the ATA command; `null` of others. */
  readonly command: string | null;
  /** First sector. */
  readonly sector: number;
  /** Moved, or discarded. */
  readonly bytes: number;
  /** When the guest had handed it over. */
  readonly submitNs: Ns;
  /** When the disk had done its part; of path `pv`, when the response was on the ring. */
  readonly completeNs: Ns;
  /** All that served it. */
  readonly exits: number;
  /** Those by which the driver went to the disk: port accesses and hypercalls. */
  readonly driverExits: number;
  /** By what they were for. */
  readonly exitsBy: Readonly<Partial<Record<ServiceName, number>>>;
  /** From exits to entries. */
  readonly exitNs: Ns;
  /** Interrupts and upcalls injected for it. */
  readonly interrupts: number;
}

/** Exits for one reason, and of one device if the guest has accessed something. */
export interface DeviceExits {
  /** By name of `EXIT`. */
  readonly reason: string;
  /** `null`: the reason has none, or nobody is there. */
  readonly device: string | null;
  /** Its ports or addresses, at first and after the first few moves: `"0x01f0-0x01f7"`. */
  readonly ranges: readonly string[];
  /** How many. */
  readonly samples: number;
  /** Of those, how many served a disk request. */
  readonly tied: number;
  /** From exit to entry. */
  readonly timeNs: Ns;
  /** Of the shortest. */
  readonly minNs: Ns;
  /** Of the longest. */
  readonly maxNs: Ns;
}

/** Disk requests of one kind. */
export interface RequestKindRecord {
  /** Name of the disk: `hda` to `hdd`. */
  readonly disk: string;
  /** The way that it took. */
  readonly path: RequestPath;
  /** What the disk was asked for. */
  readonly op: RequestOp;
  /** ATA command or blkif operation. */
  readonly code: number;
  /** Name of the ATA command; `null` of others. */
  readonly command: string | null;
  /** Each moves at most so many bytes, and more than half of them; 0 when none does. */
  readonly size: number;
  /** Of all requests. */
  readonly bytes: number;
  /** How many. */
  readonly requests: number;
  /** Of one request, all that served it. */
  readonly exits: ExitSpread;
  /** Of one request, those by which the driver went to the disk. */
  readonly driverExits: ExitSpread;
  /** Of all requests, by what they were for. */
  readonly exitsBy: Readonly<Partial<Record<ServiceName, number>>>;
  /** Of all requests, from exits to entries. */
  readonly exitNs: Ns;
  /** Of all requests, from submission to completion. */
  readonly latencyNs: Ns;
  /** Interrupts and upcalls injected for them. */
  readonly interrupts: number;
}

/** Exits of one guest instruction to one place. */
export interface SiteRecord {
  /** Linear address; `null` for all that found the table of instructions full. */
  readonly rip: number | null;
  /** By name of `EXIT`. */
  readonly reason: string;
  /** Which device; `null` when there is none. */
  readonly device: string | null;
  /** How many. */
  readonly samples: number;
  /** From exit to entry. */
  readonly timeNs: Ns;
}

/** All VM exits of a run, in three views that agree. */
export interface ExitReport {
  /** Most exits of a reason first. */
  readonly byDevice: readonly DeviceExits[];
  /** Exits and time that served disk requests. */
  readonly tied: { readonly exits: number; readonly timeNs: Ns };
  /** Exits and time that served none. */
  readonly none: { readonly exits: number; readonly timeNs: Ns };
  /** By kind; most requests first. */
  readonly requests: readonly RequestKindRecord[];
  /** Most exits first; `null` unless asked for. */
  readonly sites: readonly SiteRecord[] | null;
}

/** Makes the records. */
export function exitReport(books: ExitBooks): ExitReport {
  const { rows } = books;
  const { kinds, tied } = books.requests;
  const total = { exits: sum(rows, "samples"), timeNs: sum(rows, "timeNs") };
  return {
    byDevice: devices(rows, tied),
    tied: { exits: tied.total, timeNs: tied.ns },
    none: { exits: total.exits - tied.total, timeNs: total.timeNs - tied.ns },
    requests: kinds.map((kind) => ({
      disk: kind.disk,
      path: kind.path,
      op: kind.op,
      code: kind.code,
      command: commandOf(kind),
      size: kind.size,
      bytes: kind.bytes,
      requests: kind.requests,
      exits: kind.exits.spread(),
      driverExits: kind.driverExits.spread(),
      exitsBy: exitsBy(kind.tally),
      exitNs: kind.tally.ns,
      latencyNs: kind.latencyNs,
      interrupts: kind.interrupts,
    })).sort((a, b) => b.requests - a.requests),
    sites: sites(books),
  };
}

/** A copy of a request that is over. */
export function requestRecord(request: DiskRequest): RequestRecord {
  const { id, disk, path, op, code, sector, bytes, tally, interrupts } = request;
  return {
    id,
    disk,
    path,
    op,
    code,
    command: commandOf(request),
    sector,
    bytes,
    submitNs: request.submittedAt,
    completeNs: request.completedAt,
    exits: tally.total,
    driverExits: tally.driverExits,
    exitsBy: exitsBy(tally),
    exitNs: tally.ns,
    interrupts,
  };
}

function commandOf({ path, code }: Pick<DiskRequest, "path" | "code">): string | null {
  return path === "pv" ? null : commandName(code) ?? null;
}

/** Only what happened. */
function exitsBy({ exits }: Tally): Partial<Record<ServiceName, number>> {
  return Object.fromEntries(
    SERVICES.flatMap((name, service) => exits[service]! > 0 ? [[name, exits[service]!]] : []),
  );
}

/** Joins ports and directions; reasons by their exits, in a reason devices by theirs. */
function devices(rows: readonly ExitRow[], tied: Tally): DeviceExits[] {
  const groups = Map.groupBy(
    rows.filter(({ samples }) => samples > 0),
    ({ reason, device }) => `${reason} ${device?.name ?? ""}`,
  );
  const ofReason = (name: string) =>
    sum(rows.filter(({ reason }) => EXIT_NAMES[reason] === name), "samples");
  return [...groups.values()].map((group) => deviceExits(group, tied)).sort((a, b) =>
    ofReason(b.reason) - ofReason(a.reason) || compare(a.reason, b.reason) ||
    b.samples - a.samples || compare(a.device ?? "", b.device ?? "")
  );
}

function deviceExits(rows: readonly ExitRow[], tied: Tally): DeviceExits {
  const { reason, device, serviceIndex } = rows[0]!;
  return {
    reason: EXIT_NAMES[reason]!,
    device: device?.name ?? null,
    ranges: device?.ranges.map((range) => spanOf(range, reason)) ?? [],
    samples: sum(rows, "samples"),
    tied: tied.exits[serviceIndex] ?? 0,
    timeNs: sum(rows, "timeNs"),
    minNs: Math.min(...rows.map(({ minNs }) => minNs)),
    maxNs: Math.max(...rows.map(({ maxNs }) => maxNs)),
  };
}

function spanOf({ base, length }: DeviceRange, reason: ExitReason): string {
  const digits = reason === EXIT.IO_INSTRUCTION ? 4 : 8;
  return `0x${hex(base, digits)}-0x${hex(base + length - 1, digits)}`;
}

function sites(books: ExitBooks): SiteRecord[] | null {
  const { rows, sites } = books;
  if (sites === undefined) return null;
  return sites.map(({ rip = null, row, samples, timeNs }) => {
    const place = rows[row - 1];
    const reason = place === undefined ? "" : EXIT_NAMES[place.reason]!;
    return { rip, reason, device: place?.device?.name ?? null, samples, timeNs };
  }).sort((a, b) => b.samples - a.samples || (a.rip ?? 0) - (b.rip ?? 0));
}

function sum(rows: readonly ExitRow[], field: "samples" | "timeNs"): number {
  return rows.reduce((total, row) => total + row[field], 0);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
