/**
 * Tables for the screen, made from the same records as the JSON.
 * @module
 */

import { COST_KINDS, DOM0_COST_KINDS } from "../types.ts";
import { BOOK_LABELS, DOM0_LABELS } from "./books.ts";
import type { CompareRecord, PathRecord } from "./compare.ts";
import type { Counters } from "../machine/config.ts";
import { formatExits, formatFunctions, formatRequests } from "./exits.ts";
import type { RunRecord } from "./run.ts";
import { duration, formatTable, grouped, microseconds, percent } from "./table.ts";

type Row = readonly string[];
type Cell = (path: PathRecord) => string;

/** One column a path: totals, then the cost of a request, then the ratio to the first path. */
export function formatCompare(record: CompareRecord): string {
  const { paths, disk, guest, append } = record;
  const head = `${record.op} ${record.bs} B x ${record.count}, depth ${record.depth}, ` +
    `cost ${record.cost}, media ${record.media}\n` +
    `disk ${disk.path}: ${grouped(disk.sectors)} sectors, sha256 ${disk.sha256.slice(0, 16)}...\n` +
    (append === undefined ? "" : `kernel ${guest.path}: ${append}\n`);
  const rows = [
    ["", ...paths.map((path) => path.path)],
    ...totalRows(paths),
    ...latencyRows(paths),
    [],
    ["per request"],
    ...countRows(paths),
    [],
    ...diskRows(paths),
    [],
    ["time per request, us"],
    ...bookRows(paths),
    ...dom0Rows(paths),
    [],
    ...ratioRows(paths),
  ];
  return `${head}\n${formatTable(rows)}\nsame data: ${record.sameData ? "yes" : "no"}\n`;
}

function totalRows(paths: readonly PathRecord[]): Row[] {
  return [
    row(paths, "requests", (p) => grouped(p.requests)),
    row(paths, "bytes", (p) => grouped(p.bytes)),
    row(paths, "MB/s", (p) => (p.bandwidth / 1e6).toFixed(2)),
    row(paths, "IOPS", (p) => grouped(Math.round(p.iops))),
  ];
}

function latencyRows(paths: readonly PathRecord[]): Row[] {
  return (["mean", "p50", "p99"] as const).map((key) =>
    row(paths, `latency ${key}, us`, (p) => microseconds(p.latencyNs[key]))
  );
}

function countRows(paths: readonly PathRecord[]): Row[] {
  const reasons = sortedUnion(paths.map((p) => p.exits.byReason));
  const calls = sortedUnion(paths.map((p) => p.hypercalls.byName));
  return [
    perRequest(paths, "VM exits", (p) => p.exits.total),
    ...reasons.map((name) => perRequest(paths, `  ${name}`, (p) => p.exits.byReason[name] ?? 0)),
    perRequest(paths, "port accesses", (p) => p.portItems),
    perRequest(paths, "ioreq round trips", (p) => p.ioreqs),
    perRequest(paths, "hypercalls", (p) => p.hypercalls.total),
    ...calls.map((name) => perRequest(paths, `  ${name}`, (p) => p.hypercalls.byName[name] ?? 0)),
    perRequest(paths, "events sent", (p) => p.events.sent),
    perRequest(paths, "events suppressed", (p) => p.events.suppressed),
    perRequest(paths, "grant maps", (p) => p.grants.map),
    perRequest(paths, "grant unmaps", (p) => p.grants.unmap),
    perRequest(paths, "grant copies", (p) => p.grants.copy),
    perRequest(paths, "interrupts", (p) => p.interrupts),
    perRequest(paths, "instructions", (p) => p.instructions),
  ];
}

/** What the disk was asked for, and the exits that can be tied to that. */
function diskRows(paths: readonly PathRecord[]): Row[] {
  const services = sortedUnion(paths.map((p) => p.disk.exitsBy));
  return [
    perRequest(paths, "disk requests", (p) => p.disk.requests),
    perRequest(paths, "VM exits that served them", (p) => p.disk.exits),
    ...services.map((name) => perRequest(paths, `  ${name}`, (p) => p.disk.exitsBy[name] ?? 0)),
    perRequest(paths, "of those, the driver's own", (p) => p.disk.driverExits),
  ];
}

function bookRows(paths: readonly PathRecord[]): Row[] {
  const used = COST_KINDS.filter((kind) => paths.some((p) => p.books[kind] > 0));
  return [
    ...used.map((kind) => timeRow(paths, `  ${BOOK_LABELS[kind]}`, (p) => p.books[kind])),
    timeRow(paths, "  elapsed", (p) => p.elapsedNs),
  ];
}

function dom0Rows(paths: readonly PathRecord[]): Row[] {
  const used = DOM0_COST_KINDS.filter((kind) => paths.some((p) => p.dom0Books[kind] > 0));
  if (used.length === 0) return [];
  return [
    [],
    ["dom0 meanwhile, us"],
    ...used.map((kind) => timeRow(paths, `  ${DOM0_LABELS[kind]}`, (p) => p.dom0Books[kind])),
  ];
}

function ratioRows(paths: readonly PathRecord[]): Row[] {
  const base = paths[0];
  if (base === undefined || base.iops === 0) return [];
  return [
    row(paths, `speed relative to ${base.path}`, (p) => `${(p.iops / base.iops).toFixed(2)}x`),
  ];
}

function row(paths: readonly PathRecord[], label: string, cell: Cell): Row {
  return [label, ...paths.map(cell)];
}

type Amount = (path: PathRecord) => number;

function perRequest(paths: readonly PathRecord[], label: string, amount: Amount): Row {
  return row(paths, label, (p) => p.requests === 0 ? "-" : (amount(p) / p.requests).toFixed(2));
}

function timeRow(paths: readonly PathRecord[], label: string, amount: Amount): Row {
  return row(paths, label, (p) => p.requests === 0 ? "-" : microseconds(amount(p) / p.requests));
}

function sortedUnion(tallies: readonly Readonly<Record<string, number>>[]): string[] {
  return [...new Set(tallies.flatMap((tally) => Object.keys(tally)))].sort();
}

/** How a run ended; its exits by place, request and function; its time by book. */
export function formatRun(record: RunRecord): string {
  const { counters, exits } = record;
  const end = `${endOfRun(record)} after ${duration(counters.elapsedNs)} of virtual time: ` +
    `${plural(counters.instructions, "instruction")}, ${plural(counters.exits.total, "VM exit")}`;
  const { restarts, guestErrors, hostErrors } = counters;
  const rare = [
    [restarts, "restart"],
    [guestErrors, "guest error"],
    [hostErrors, "host error"],
  ] as const;
  const told = rare.filter(([count]) => count > 0).map(([count, noun]) =>
    `, ${plural(count, noun)}`
  );
  const tables = [
    formatExits(exits),
    formatRequests(exits),
    formatFunctions(exits),
    formatRefusals(counters),
    formatTimes(counters),
    formatBackends(record),
  ].filter((table) => table !== "");
  return `${end}${told.join("")}\n\n${tables.join("\n")}`;
}

function formatRefusals({ refusals }: Counters): string {
  const rows: Row[] = Object.entries(refusals).flatMap(([disk, reasons]) =>
    Object.entries(reasons).map(([reason, count]) => [`${disk}: ${reason}`, grouped(count)])
  );
  return rows.length === 0 ? "" : formatTable([["REFUSED", "Times"], ...rows]);
}

/** What stands behind the disks, and what dom0 has done for it, unless that is usual. */
function formatBackends({ disks, counters: { dom0Books, elapsedNs } }: RunRecord): string {
  if (disks.every(({ backend }) => backend === null || backend === "phy")) return "";
  const used = DOM0_COST_KINDS.filter((kind) => dom0Books[kind] > 0);
  const time = (ns: number) => [grouped(ns), percent(ns, elapsedNs)];
  return formatTable([
    ["DOM0 MEANWHILE", "ns", "Time%"],
    ...used.map((kind) => [DOM0_LABELS[kind], ...time(dom0Books[kind])]),
    [],
    ["DISK", "Sectors", "Backend"],
    ...disks.map(({ path, sectors, backend }) => [path, grouped(sectors), backend ?? "-"]),
  ]);
}

function formatTimes({ books, elapsedNs }: Counters): string {
  const rows: Row[] = [["TIME", "ns", "Time%"]];
  for (const kind of COST_KINDS) {
    const ns = books[kind];
    if (ns > 0) rows.push([BOOK_LABELS[kind], grouped(ns), percent(ns, elapsedNs)]);
  }
  return formatTable(rows);
}

const ENDS: Readonly<Record<RunRecord["reason"], string>> = {
  "power-off": "guest powered off",
  "guest-exit": "guest exited",
  "guest-crash": "guest crashed",
  "limit": "limit reached",
  "interrupted": "interrupted",
};

function endOfRun({ reason, code, counters: { hostErrors } }: RunRecord): string {
  return reason === "guest-exit" && hostErrors === 0
    ? `${ENDS[reason]} with code ${code}`
    : ENDS[reason];
}

function plural(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}
