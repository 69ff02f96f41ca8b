/**
 * The record of one run of a guest.
 * @module
 */

import type { Counters, RunResult, StopReason } from "../machine/config.ts";
import type { BackendKind } from "../types.ts";
import { TOOL, VERSION } from "../version.ts";
import type { ExitReport } from "../machine/exit_report.ts";
import type { FileRecord } from "./compare.ts";
import { type FunctionExits, functionExits, type FunctionNames } from "./functions.ts";

/** A disk of a run. */
export interface DiskInput {
  path: string;
  sectors: number;
  /** What stands behind its block backend; `null` of a disk on IDE alone. */
  backend: BackendKind | null;
}

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
  disks: DiskInput[];
}

/** What tells a file's origin. */
export interface RunHeader extends RunInputs {
  tool: string;
  version: string;
}

/** One run. The same inputs give the same record, byte for byte. */
export interface RunRecord extends RunHeader {
  reason: StopReason;
  /** Exit code of the process. */
  code: number;
  /** Which limit, or where the guest crashed; `null` when there is nothing to say. */
  message: string | null;
  counters: Counters;
  exits: RunExits;
}

/** The VM exits of a run. */
export interface RunExits extends Omit<ExitReport, "sites"> {
  /** By guest function; `null` without `--symbols`. */
  readonly functions: readonly FunctionExits[] | null;
}

/** The header of all files of a run. */
export function runHeader(inputs: RunInputs): RunHeader {
  return { tool: TOOL, version: VERSION, ...inputs };
}

/**
 * Builds the record.
 * @param names of the guest's functions, if its exits were counted by instruction
 */
export function buildRunRecord(
  inputs: RunInputs,
  result: RunResult,
  names?: FunctionNames,
): RunRecord {
  const { reason, code, message = null, counters } = result;
  const { sites, ...exits } = result.exits;
  const functions = names && sites ? functionExits(sites, names) : null;
  return {
    ...runHeader(inputs),
    reason,
    code,
    message,
    counters,
    exits: { ...exits, functions },
  };
}
