/**
 * The record of one run of a guest.
 * @module
 */

import type { Counters, RunResult, StopReason } from "../machine/config.ts";
import { TOOL, VERSION } from "../version.ts";
import type { FileRecord } from "./compare.ts";

/** Inputs of a run. */
export interface RunInputs {
  /** Name of the processor. */
  cpu: string;
  /** Name of the cost preset. */
  cost: string;
  /** Name of the media preset. */
  media: string;
  ramBytes: number;
  guest: FileRecord;
  disks: { path: string; sectors: number }[];
}

/** One run. The same inputs give the same record, byte for byte. */
export interface RunRecord extends RunInputs {
  tool: string;
  version: string;
  reason: StopReason;
  /** Exit code of the process. */
  code: number;
  /** Which limit, or where the guest crashed; `null` when there is nothing to say. */
  message: string | null;
  counters: Counters;
}

/** Builds the record. */
export function buildRunRecord(inputs: RunInputs, result: RunResult): RunRecord {
  const { reason, code, message = null, counters } = result;
  return { tool: TOOL, version: VERSION, ...inputs, reason, code, message, counters };
}
