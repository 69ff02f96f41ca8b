/**
 * VM exits by the guest functions that make them.
 * @module
 */

import type { SiteRecord } from "../machine/exit_report.ts";
import type { Ns } from "../types.ts";

/** Exits of one function to one place. */
export interface FunctionExits {
  /** Of the function, or the instruction's linear address where none is known. */
  readonly name: string;
  readonly reason: string;
  /** Which device; `null` when there is none. */
  readonly device: string | null;
  readonly samples: number;
  readonly timeNs: Ns;
}

/** Where names come from. */
export interface FunctionNames {
  nameAt(address: number): string | undefined;
}

/** Joins the instructions of a function; most exits first. */
export function functionExits(
  sites: readonly SiteRecord[],
  names: FunctionNames,
): FunctionExits[] {
  const nameOf = ({ rip }: SiteRecord) =>
    rip === null ? "others" : names.nameAt(rip) ?? `0x${rip.toString(16).padStart(8, "0")}`;
  const groups = Map.groupBy(
    sites.map((site) => ({ ...site, name: nameOf(site) })),
    ({ name, reason, device }) => `${name} ${reason} ${device}`,
  );
  return [...groups.values()].map((group) => {
    const { name, reason, device } = group[0]!;
    const sum = (field: "samples" | "timeNs") =>
      group.reduce((total, site) => total + site[field], 0);
    return { name, reason, device, samples: sum("samples"), timeNs: sum("timeNs") };
  }).sort((a, b) => b.samples - a.samples || (a.name < b.name ? -1 : 1));
}
