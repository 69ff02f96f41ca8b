/**
 * Disks, processors and presets for front ends, which do not reach into `devices`, `cpu` or
 * `hypervisor` themselves.
 * @module
 */

import { type Fault, FAULT_STATUS, type FaultKind } from "../../devices/disk/faulty.ts";
import { MemoryDisk } from "../../devices/disk/memory.ts";
import { OverlayDisk } from "../../devices/disk/overlay.ts";
import { RawImage, tryLock } from "../../devices/disk/raw.ts";
import { MEDIA_PRESETS, type MediaPreset } from "../../devices/disk/timed.ts";
import { DEFAULT_PROFILE, featureNames, type Profile, PROFILES } from "../cpu/cpuid.ts";
import { COST_PRESETS, type CostPreset, DEFAULT_COST } from "../hypervisor/costs.ts";
import { findVdev } from "../hypervisor/toolstack/vdev.ts";
import type { BlockBackend } from "../types.ts";

export { DEFAULT_COST, type Fault, tryLock };

/** What can be wrong with sectors. */
export const FAULT_KINDS: readonly FaultKind[] = Object.keys(FAULT_STATUS) as FaultKind[];

/** The processor when the user names none. */
export const DEFAULT_CPU: Profile = DEFAULT_PROFILE;

/** The media preset when the user names none. */
export const DEFAULT_MEDIA = "ssd";

/** What a CD-ROM is read in. */
const CD_BLOCK_BYTES = 2048;

/** How an image file is opened. */
export interface OpenDiskOptions {
  /** The guest sees a write-protected disk. */
  readonly readOnly: boolean;
  /** Writes stay in memory; the file is never changed. */
  readonly snapshot: boolean;
  /** The last block of a CD-ROM may be incomplete; a disk unless given. */
  readonly kind?: "disk" | "cdrom";
}

/**
 * Opens a raw image.
 * @throws {ImageError} when the file is missing, empty, truncated or not permitted
 */
export function openDisk(path: string, options: OpenDiskOptions): BlockBackend {
  const { readOnly, snapshot, kind } = options;
  if (kind === "cdrom") return RawImage.open(path, { readOnly: true, padTo: CD_BLOCK_BYTES });
  const image = RawImage.open(path, { readOnly: readOnly || snapshot });
  return snapshot && !readOnly ? new OverlayDisk(image) : image;
}

/**
 * A disk whose content is lost with the machine.
 * @param bytes a multiple of 512 of them; written in place
 */
export function memoryDisk(bytes: Uint8Array): BlockBackend {
  return new MemoryDisk(bytes);
}

/** A virtual block device may have that name. */
export function isVdev(name: string): boolean {
  return findVdev(name) !== undefined;
}

/** A processor that a machine can have. */
export interface ProcessorPreset {
  /** As `MachineConfig.cpu` takes it. */
  readonly name: Profile;
  /** What CPUID reports, by the names of the manual. */
  readonly features: readonly string[];
}

/** Processors by name. */
export function cpuPresets(): Readonly<Record<string, ProcessorPreset>> {
  return Object.fromEntries(
    PROFILES.map((name) => [name, { name, features: featureNames(name) }]),
  );
}

/** Media latencies by name. */
export function mediaPresets(): Readonly<Record<string, MediaPreset>> {
  return MEDIA_PRESETS;
}

/** Hypervisor costs by name. */
export function costPresets(): Readonly<Record<string, CostPreset>> {
  return COST_PRESETS;
}
