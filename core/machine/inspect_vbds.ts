/**
 * The domain's disks as `xl block-list` prints them.
 * Source: tools/xl/xl_block.c of Xen 4.17.
 * @module
 */

import type { Domain } from "./domain.ts";

const NO_DOMAIN = "block-list: no domain: this machine hides Xen";
/** Heads and least widths of the columns. */
const COLUMNS: readonly (readonly [title: string, width: number])[] = [
  ["Vdev", 5],
  ["BE", 3],
  ["handle", 6],
  ["state", 5],
  ["evt-ch", 6],
  ["ring-ref", 8],
  ["BE-path", 30],
];

/** Heads, and a line for each disk. */
export function blockListLines(domain: Domain | undefined): string[] {
  if (domain === undefined) return [NO_DOMAIN];
  const rows = domain.vbds.list().map((vbd) => [
    vbd.devid,
    vbd.backendDomid,
    vbd.frontendDomid,
    vbd.state,
    vbd.evtchnPort,
    vbd.ringRef,
    vbd.backendPath,
  ]);
  return [COLUMNS.map(([title]) => title), ...rows].map((cells) =>
    cells.map((cell, i) => String(cell).padEnd(COLUMNS[i]![1])).join(" ")
  );
}
