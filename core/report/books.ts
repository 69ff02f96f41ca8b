/**
 * The books of virtual time: their names, and a table of them for whoever asks while the machine runs.
 * @module
 */

import type { Counters } from "../machine/config.ts";
import { COST_KINDS, DOM0_COST_KINDS, type Ns } from "../types.ts";
import { duration, formatTable, grouped, percent } from "./table.ts";

/** The vCPU's books, as tables call them. */
export const BOOK_LABELS: Readonly<Record<typeof COST_KINDS[number], string>> = {
  guest: "guest instructions",
  exit: "VM exit and entry",
  emulation: "in-hypervisor emulation",
  ioreq: "ioreq round trip",
  device: "device model",
  hypercall: "hypercall",
  injection: "interrupt injection",
  bios: "BIOS services",
  media: "waiting for media",
  idle: "idle",
};

/** dom0's books, as tables call them. */
export const DOM0_LABELS: Readonly<Record<typeof DOM0_COST_KINDS[number], string>> = {
  ioreq: "answering ioreqs",
  blockLayer: "block layer",
  backend: "blkback",
  grantMap: "grant map",
  grantUnmap: "grant unmap",
  grantCopy: "grant copy",
  notify: "event send",
  xenstore: "xenstore",
  console: "PV console",
  loop: "loop device",
  pageCache: "page cache",
  tapdisk: "tapdisk",
  qdisk: "qdisk (QEMU)",
};

/** The vCPU's books, which add up to what has elapsed, then dom0's. */
export function formatBooks({ elapsedNs, books, dom0Books }: Counters): string {
  const line = (label: string, ns: Ns) => [label, grouped(ns), percent(ns, elapsedNs)];
  const table = formatTable([
    ["TIME", "ns", "Time%"],
    ...COST_KINDS.map((kind) => line(BOOK_LABELS[kind], books[kind])),
    line("elapsed", elapsedNs),
    [],
    ["DOM0 MEANWHILE", "ns", "Time%"],
    ...DOM0_COST_KINDS.map((kind) => line(DOM0_LABELS[kind], dom0Books[kind])),
  ]);
  return `${duration(elapsedNs)} of virtual time\n${table}`;
}
