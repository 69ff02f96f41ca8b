/**
 * The drives of a command line with their images open, as a machine takes them.
 * @module
 */

import { UsageError } from "../errors.ts";
import { type DiskConfig, DRIVE_NAMES, type VbdConfig } from "../machine/config.ts";
import { openDisk } from "../machine/storage.ts";
import { type BlockBackend, SECTOR_SIZE } from "../types.ts";
import { TOOL } from "../version.ts";
import type { RunOptions } from "./run_args.ts";
import { PLAIN_DISK } from "./drive_keys.ts";
import { type DriveOptions, placeOf } from "./drives.ts";
import { mistaken, nothingToBoot, outOfReach } from "./mistaken.ts";
import { type Streams, writeText } from "./output.ts";
import { readXlDisk } from "./xl_disk.ts";

const MONITOR_HINT = "without a terminal it takes -monitor stdio or -serial mon:stdio";

/** A drive with its image open. */
export interface OpenDrive extends DriveOptions {
  readonly backend: BlockBackend;
}

/**
 * Opens the images, and says what is odd about them.
 * @param guestIsDisk the guest itself is a drive, unless there is another disk
 * @param hidesXen the guest will not know of Xen
 * @throws {UsageError} when one of two drives would write what is under the other
 */
export function openDrives(
  options: RunOptions,
  guestIsDisk: boolean,
  hidesXen: boolean,
  streams: Streams,
): OpenDrive[] {
  const tell = (text: string): void => {
    if (!options.quiet) writeText(streams.stderr, `${TOOL}: ${text}\n`);
  };
  const drives = [...options.drives];
  if (guestIsDisk && !drives.some(({ kind }) => kind === "disk")) {
    drives.unshift(guestDrive(options));
    if (!options.snapshot) {
      tell(
        `guest "${options.guest}" is also the disk; its writes stay in memory unless --disk names it`,
      );
    }
  }
  const opened: OpenDrive[] = [];
  try {
    refuseShared(drives);
    for (const drive of drives) opened.push({ ...drive, backend: openDrive(drive) });
    for (const drive of opened) mistaken(drive, drive.backend).forEach(tell);
    if (hidesXen) outOfReach(opened).forEach(tell);
    if (options.bios) nothingToBoot(opened, showsBios(options)).forEach(tell);
    return opened;
  } catch (error) {
    closeDrives(opened);
    throw error;
  }
}

function openDrive(drive: DriveOptions): BlockBackend {
  const backend = openDisk(drive.file, drive);
  const { logical } = drive.blockSize ?? { logical: SECTOR_SIZE };
  const bytes = backend.sectorCount * SECTOR_SIZE;
  if (bytes % logical === 0) return backend;
  backend.close();
  throw new UsageError(
    `Cannot attach "${drive.file}": length ${bytes} is not a multiple of its logical block size`,
    `truncate -s ${Math.ceil(bytes / logical) * logical} ${drive.file}`,
  );
}

function showsBios({ serialScreen, console: { screen } }: RunOptions): boolean {
  return serialScreen || screen;
}

/** Closes the images. */
export function closeDrives(drives: readonly OpenDrive[]): void {
  for (const { backend } of drives) backend.close();
}

/** A drive as a machine takes it. */
export function attachment(drive: OpenDrive): Omit<DiskConfig, "media"> {
  const { backend, index, vdev, kind, path } = drive;
  return {
    backend,
    kind,
    ...index === undefined ? {} : { index },
    ...vdev === undefined ? {} : { vdev },
    ...path === undefined ? {} : { path },
    ...whatElse(drive),
  };
}

type WhatElse = Pick<DriveOptions, "faults" | "offers" | "backendType" | "blockSize">;

/** What the user has said of medium and block backend. */
function whatElse({ faults, offers, backendType, blockSize }: WhatElse): WhatElse {
  return {
    ...faults === undefined ? {} : { faults },
    ...offers === undefined ? {} : { offers },
    ...backendType === undefined ? {} : { backendType },
    ...blockSize === undefined ? {} : { blockSize },
  };
}

/** A disk that is attached while the guest runs, with its image open. */
export interface OpenVbd {
  readonly drive: OpenDrive;
  readonly disk: VbdConfig;
}

/**
 * Opens the image of a disk that is attached while the guest runs.
 * @param spec as `--disk` takes it, with a vdev
 * @param snapshot writes stay in memory, whatever it says
 * @throws {UsageError} when it makes no sense
 * @throws {ImageError} when the image cannot be opened
 */
export function openVbd(spec: string, snapshot: boolean, media: DiskConfig["media"]): OpenVbd {
  const { index, ...request } = readXlDisk(spec, "block-attach");
  const { file, kind, vdev = DRIVE_NAMES[index ?? -1] } = request;
  if (vdev === undefined) {
    throw new UsageError(
      `Cannot attach "${file}": it has no vdev`,
      `block-attach ${file},raw,xvdb,rw`,
    );
  }
  if (Deno.permissions.querySync({ name: "read" }).state !== "granted") {
    throw new UsageError(`Cannot open "${file}": files are out of reach by now`, MONITOR_HINT);
  }
  const drive: DriveOptions = { ...request, vdev, snapshot: snapshot || request.snapshot };
  const backend = openDrive(drive);
  return { drive: { ...drive, backend }, disk: { backend, media, kind, vdev, ...whatElse(drive) } };
}

/** The guest itself, at the first free index. */
function guestDrive({ guest, drives }: RunOptions): DriveOptions {
  const index = [0, 1, 2, 3].find((at) => drives.every((drive) => drive.index !== at))!;
  return { ...PLAIN_DISK, file: guest, index, snapshot: true };
}

/** Each drive has its own idea of what is on the image: the writes of one would surprise another. */
function refuseShared(drives: readonly DriveOptions[]): void {
  const byFile = Map.groupBy(drives, ({ file }) => realPath(file));
  for (const sharing of byFile.values()) {
    const [first, second] = sharing;
    if (second === undefined || sharing.every(isUnchanged)) continue;
    throw new UsageError(
      `Cannot attach "${second.file}" at ${placeOf(second)}: ${placeOf(first!)} is the same image`,
      "-snapshot, or a copy of the image",
    );
  }
}

/** That of a missing file is its name: opening it says what is wrong. */
function realPath(file: string): string {
  try {
    return Deno.realPathSync(file);
  } catch {
    return file;
  }
}

function isUnchanged({ readOnly, snapshot }: DriveOptions): boolean {
  return readOnly || snapshot;
}
