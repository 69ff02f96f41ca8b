/**
 * The grant tables as Xen prints them at its key `g`.
 * Source: gnttab_usage_print() in xen/common/grant_table.c of Xen 4.17.
 * @module
 */

import { hex } from "../bits.ts";
import { MAX_GRANT_FRAMES } from "../hypervisor/grants/entry.ts";
import type { ActiveEntry, GrantTable } from "../hypervisor/grants/grant_table.ts";
import { MAX_MAPTRACK_FRAMES } from "../hypervisor/grants/maptrack.ts";
import type { Domain } from "./domain.ts";

const NO_DOMAIN = "grants: no domain: this machine hides Xen";
const HEADS: readonly string[] = [
  "      -------- active --------       -------- shared --------",
  "[ref] localdom mfn      pin          localdom gmfn     flags",
];

/** The guest's table and dom0's, with the entries that are in use. */
export function grantLines(domain: Domain | undefined): string[] {
  if (domain === undefined) return [NO_DOMAIN];
  const { guest, dom0, maptrack } = domain.xen.grantTables;
  return [...tableLines(dom0, 0), ...tableLines(guest, maptrack.frameCount)];
}

/** @param maptrackFrames pages that the domain has for mappings of its own */
function tableLines({ domid, frames, active }: GrantTable, maptrackFrames: number): string[] {
  const { version, count } = frames;
  return [
    ...HEADS,
    `grant-table for remote d${domid} (v${version})`,
    `  ${count} frames (${MAX_GRANT_FRAMES} max), ` +
    `${maptrackFrames} maptrack frames (${MAX_MAPTRACK_FRAMES} max)`,
    ...active.length === 0 ? ["no active grant table entries"] : active.map(entryLine),
  ];
}

/** Xen counts who writes in the lowest byte of a pin, and who reads in the next. */
function entryLine({ gref, domid, mfn, readers, writers, entry }: ActiveEntry): string {
  const holder = `${String(domid).padStart(5)} 0x${hex(mfn, 5)} 0x${
    hex(readers << 8 | writers, 8)
  }`;
  const shared = `${String(entry.domid).padStart(5)} 0x${
    entry.gfn.toString(16).padStart(6, "0")
  } 0x${hex(entry.flags, 2)}`;
  return `[0x${hex(gref, 3)}]  ${holder}      ${shared}`;
}
