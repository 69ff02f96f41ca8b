/**
 * What a machine has counted so far, for whoever asks while it runs.
 * @module
 */

import type { Counters } from "../machine/config.ts";
import { COST_KINDS, DOM0_COST_KINDS, type Ns } from "../types.ts";
import { duration, formatTable, grouped } from "./table.ts";

/** Ports that are shown: those with the most exits. */
const MOST_PORTS = 16;

/** VM exits by reason, then by port and direction. */
export function formatLiveExits({ exits }: Counters): string {
  return formatTable([
    ["VM-EXIT", "Samples", "Samples%"],
    ...tallyRows(exits.byReason, exits.total),
    [],
    ["PORT", "Samples", "Samples%"],
    ...tallyRows(exits.byPort, exits.total).slice(0, MOST_PORTS),
  ]);
}

/** Virtual time: the vCPU's books, which add up to what has elapsed, then dom0's. */
export function formatLiveBooks({ elapsedNs, books, dom0Books }: Counters): string {
  const line = (kind: string, ns: Ns) => [kind, grouped(ns), share(ns, elapsedNs)];
  const table = formatTable([
    ["BOOK", "ns", "Time%"],
    ...COST_KINDS.map((kind) => line(kind, books[kind])),
    line("elapsed", elapsedNs),
    [],
    ["DOM0 BOOK", "ns", "Time%"],
    ...DOM0_COST_KINDS.map((kind) => line(kind, dom0Books[kind])),
  ]);
  return `${duration(elapsedNs)} of virtual time\n${table}`;
}

/** Largest first, equal ones by name. */
function tallyRows(tally: Readonly<Record<string, number>>, total: number): string[][] {
  return Object.entries(tally)
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .map(([name, count]) => [name, grouped(count), share(count, total)]);
}

function share(part: number, whole: number): string {
  return `${(whole === 0 ? 0 : part * 100 / whole).toFixed(2)}%`;
}
