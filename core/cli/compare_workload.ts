/**
 * What is compared, whoever makes the requests: a guest of our own or Linux.
 * @module
 */

import { UsageError } from "../errors.ts";
import type { MachineConfig, RunResult } from "../machine/config.ts";
import { DEFAULT_CPU } from "../machine/storage.ts";
import type { CompareInputs, CompareRecord, DiskOp } from "../report/compare.ts";
import { type BlockBackend, SECTOR_SIZE } from "../types.ts";
import type { CompareHooks } from "./compare_run.ts";
import { sha256, sha256OfDisk } from "./files.ts";

/** The requests, the machine that they are made on, and who watches. */
export interface CompareWorkload extends CompareHooks {
  /** The processor; `i686` unless given. */
  readonly cpu?: NonNullable<MachineConfig["cpu"]>;
  /** Prices of the hypervisor. */
  readonly cost: MachineConfig["cost"];
  /** Latency of the disk. */
  readonly media: MachineConfig["disks"][number]["media"];
  /** What the guest does. */
  readonly op: DiskOp;
  /** Bytes of a request, a multiple of 512. */
  readonly bs: number;
  /** Requests a path. */
  readonly count: number;
  /** Requests in flight, where the path can. */
  readonly depth: number;
  /** Guest memory. */
  readonly ramBytes: number;
  /** Instructions after which the run stops. */
  readonly maxInsns?: number;
  /** Virtual nanoseconds after which the run stops. */
  readonly maxTime?: number;
}

/** The end of a comparison. */
export interface CompareOutcome {
  /** How the guest ended. */
  readonly result: RunResult;
  /** There when the guest succeeded. */
  readonly record?: CompareRecord;
  /** Why there is no record. */
  readonly failure?: string;
}

/** The requests, as the options of `guests/diskcmp` and `guests/linuxcmp`. */
export function workloadWords(
  { op, bs, count, depth }: Pick<CompareWorkload, "op" | "bs" | "count" | "depth">,
): string {
  return `op=${op} bs=${bs} count=${count} depth=${depth}`;
}

/** The machine, but for guest and disks. */
export function workloadMachine(
  { cpu, ramBytes, cost, maxInsns, maxTime }: CompareWorkload,
): Pick<MachineConfig, "cpu" | "ramBytes" | "cost" | "maxInsns" | "maxTime"> {
  return {
    ramBytes,
    cost,
    ...(cpu === undefined ? {} : { cpu }),
    ...(maxInsns === undefined ? {} : { maxInsns }),
    ...(maxTime === undefined ? {} : { maxTime }),
  };
}

/** What a record says of a comparison's inputs. */
export function recordInputs(
  { cpu = DEFAULT_CPU, cost, media, op, bs, count, depth }: CompareWorkload,
  guest: { readonly name: string; readonly bytes: Uint8Array },
  disk: { readonly name: string; readonly backend: BlockBackend },
): CompareInputs {
  return {
    cpu,
    cost: cost.name,
    media: media.name,
    op,
    bs,
    count,
    depth,
    guest: { path: guest.name, sha256: sha256(guest.bytes) },
    disk: {
      path: disk.name,
      sha256: sha256OfDisk(disk.backend),
      sectors: disk.backend.sectorCount,
    },
  };
}

/** @throws {UsageError} when a request is larger than the disk */
export function checkSize(name: string, backend: BlockBackend, bs: number): void {
  const bytes = backend.sectorCount * SECTOR_SIZE;
  if (bs <= bytes) return;
  throw new UsageError(
    `Cannot move ${bs} bytes a request: disk image "${name}" has only ${bytes}`,
    `--bs ${bytes}, or a larger --disk`,
  );
}
