/**
 * `compare` with a guest of our own: one boot in which it moves the same sectors over every path to
 * one disk.
 * @module
 */

import { UsageError } from "../errors.ts";
import { loadGuest } from "../load/detect.ts";
import type { GuestImage } from "../load/image.ts";
import { isBzImage, isLinuxElf } from "../load/linux.ts";
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
  const { guest, disk, media, bs } = options;
  checkSize(disk.name, disk.backend, bs);
  const inputs = recordInputs(options, guest, disk);
  const { result, phases, failure } = await followPhases({
    name: guest.name,
    config: {
      ...workloadMachine(options),
      guest: benchmarkGuest(options),
      disks: [{ backend: disk.backend, media }],
    },
  }, options);
  if (failure !== undefined) return { result, failure };
  return { result, record: buildCompareRecord(inputs, phases) };
}

/** The guest, told what to do. @throws {UsageError} when it would not listen */
function benchmarkGuest(options: CompareDisksOptions): GuestImage {
  const { guest: { name, bytes }, ramBytes } = options;
  if (isBzImage(bytes) || isLinuxElf(bytes)) {
    throw new UsageError(
      `Cannot compare with guest "${name}": it is a Linux kernel`,
      `--kernel ${name} boots it, with drivers from --initrd`,
    );
  }
  if (loadGuest(bytes, { name, ramBytes }).format === "bootsector") {
    throw new UsageError(
      `Cannot compare with guest "${name}": it is a boot sector, which cannot be told what to do`,
      "a Multiboot kernel has a command line",
    );
  }
  return loadGuest(bytes, { name, ramBytes, append: workloadWords(options) });
}
