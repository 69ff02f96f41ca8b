/**
 * Names and qualifications of VM exits.
 * Source: Intel SDM vol. 3, appendix C and table 28-5 (exit qualification for I/O instructions).
 * @module
 */

import { EXIT } from "../types.ts";
import type { VmExit } from "../types.ts";

/** Number of VMX basic exit reasons that the counters have room for. */
export const EXIT_REASON_COUNT = 64;

/** Name of each reason of {@link EXIT}, by number. */
export const EXIT_NAMES: readonly (string | undefined)[] = reasonNames();

function reasonNames(): (string | undefined)[] {
  const names = new Array<string | undefined>(EXIT_REASON_COUNT).fill(undefined);
  for (const [name, reason] of Object.entries(EXIT)) names[reason] = name;
  return names;
}

const QUALIFICATION = { IN: 1 << 3, STRING: 1 << 4, REP: 1 << 5, IMMEDIATE: 1 << 6 } as const;
const PORT_SHIFT = 16;

/**
 * The exit qualification that VT-x would report.
 * @param exit of reason IO_INSTRUCTION; a string access of several items has a REP prefix
 */
export function ioQualification(
  exit: Pick<VmExit, "size" | "write" | "string" | "count" | "immediate" | "port">,
): number {
  let bits = exit.size - 1;
  if (!exit.write) bits |= QUALIFICATION.IN;
  if (exit.string) bits |= QUALIFICATION.STRING;
  if (exit.string && exit.count > 1) bits |= QUALIFICATION.REP;
  if (exit.immediate) bits |= QUALIFICATION.IMMEDIATE;
  return (bits | (exit.port << PORT_SHIFT)) >>> 0;
}
