/**
 * `compare` with a guest of our own: one boot in which it moves the same sectors over every path to
 * one disk.
 * @module
 */

import { loadGuest } from "../load/detect.ts";
import { buildCompareRecord } from "../report/compare.ts";
import type { BlockBackend } from "../types.ts";
import { followPhases } from "./compare_run.ts";
import {
  checkSize,
  type CompareOutcome,
  type CompareWorkload,
  recordInputs,
  workloadMachine,
  workloadWords,
} from "./compare_workload.ts";

/** Inputs of {@link compareDisks}. */
export interface CompareDisksOptions extends CompareWorkload {
  /** The benchmark guest; it must set the marks that `core/report/phases.ts` describes. */
  readonly guest: { readonly name: string; readonly bytes: Uint8Array };
  /** The guest may write to it: give an overlay. */
  readonly disk: { readonly name: string; readonly backend: BlockBackend };
}

/** Boots the benchmark guest and follows it through its phases. */
export async function compareDisks(options: CompareDisksOptions): Promise<CompareOutcome> {
  const { guest, disk, media, bs, ramBytes } = options;
  checkSize(disk.name, disk.backend, bs);
  const inputs = recordInputs(options, guest, disk);
  const { result, phases, failure } = await followPhases({
    name: guest.name,
    config: {
      ...workloadMachine(options),
      guest: loadGuest(guest.bytes, {
        name: guest.name,
        ramBytes,
        append: workloadWords(options),
      }),
      disks: [{ backend: disk.backend, media }],
    },
  }, options);
  if (failure !== undefined) return { result, failure };
  return { result, record: buildCompareRecord(inputs, phases) };
}
