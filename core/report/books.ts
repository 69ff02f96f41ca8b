/**
 * The books of virtual time so far, for whoever asks while the machine runs.
 * @module
 */

import type { Counters } from "../machine/config.ts";
import { COST_KINDS, DOM0_COST_KINDS, type Ns } from "../types.ts";
import { duration, formatTable, grouped, percent } from "./table.ts";

/** The vCPU's books, which add up to what has elapsed, then dom0's. */
export function formatBooks({ elapsedNs, books, dom0Books }: Counters): string {
  const line = (kind: string, ns: Ns) => [kind, grouped(ns), percent(ns, elapsedNs)];
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
