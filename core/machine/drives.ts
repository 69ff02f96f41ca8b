/**
 * The drives of a machine: from the bytes of an image, through the time that the media takes and
 * what is wrong with it, to the disk that both paths share. Some may come and go while it runs.
 * @module
 */

import { FaultyDisk } from "../../devices/disk/faulty.ts";
import { TimedDisk } from "../../devices/disk/timed.ts";
import { ImageError, InternalError } from "../errors.ts";
import type { CostPreset } from "../hypervisor/costs.ts";
import type { BlockBackend, Clock, Disk, Dom0 } from "../types.ts";
import { layered } from "./backend_kinds.ts";
import { type DiskConfig, DRIVE_NAMES } from "./config.ts";
import { driveName, type NamedDisk } from "./inspect_board.ts";
import type { PcDrive } from "./pc.ts";
import type { DomainDisk } from "./vbds.ts";

/** A drive, connected. */
export interface Drive extends PcDrive {
  readonly path: NonNullable<DiskConfig["path"]>;
  /** Its name as a vbd. */
  readonly vdev: string;
  /** The disk of its block backend. */
  readonly vbdDisk: Disk;
  readonly offers: DiskConfig["offers"];
  readonly backendType: NonNullable<DiskConfig["backendType"]>;
  readonly blockSize: DiskConfig["blockSize"];
  readonly backend: BlockBackend;
  readonly media: TimedDisk;
}

/** An image, and the name of its drive's place: on the cables, or among the vbds. */
export interface NamedBackend {
  /** As `ide0-hd1` or `xvda`. */
  readonly name: string;
  /** The image. */
  readonly backend: BlockBackend;
}

/** What drives are made with. */
export interface DrivesParts {
  readonly clock: Clock;
  readonly dom0: Dom0;
  readonly costs: CostPreset;
  /** The host has failed to read or write an image. */
  readonly onHostError: (image: BlockBackend, error: ImageError) => void;
}

/** All drives of one machine. */
export class Drives {
  readonly #parts: DrivesParts;
  readonly #drives: Drive[] = [];

  constructor(parts: DrivesParts, configs: readonly DiskConfig[]) {
    this.#parts = parts;
    for (const config of configs) this.add(config);
  }

  /** In the order in which they were added. */
  get all(): readonly Drive[] {
    return this.#drives;
  }

  /** Those that a domain is built with. */
  get vbds(): readonly DomainDisk[] {
    return this.#drives.filter(({ path }) => path !== "ide").map((drive) => this.vbd(drive));
  }

  /** A drive as a disk of a domain. When that lets go of it, only the cable is left, if it has one. */
  vbd(drive: Drive): DomainDisk {
    return { ...drive, disk: drive.vbdDisk, onRemoved: () => this.#unplug(drive) };
  }

  /** By the names of their places. */
  get named(): readonly NamedDisk[] {
    return this.#drives.map((drive) => ({ name: placeOf(drive), disk: drive.media }));
  }

  /** Their images. */
  get backends(): readonly NamedBackend[] {
    return this.#drives.map((drive) => ({ name: placeOf(drive), backend: drive.backend }));
  }

  /** Requests are under way. */
  get isBusy(): boolean {
    return this.#drives.some(({ media }) => media.inFlight > 0);
  }

  /** Connects one more. */
  add(config: DiskConfig): Drive {
    const { backend, index = this.#drives.length, kind = "disk", faults, offers } = config;
    const { backendType = "phy", blockSize } = config;
    const { clock, onHostError } = this.#parts;
    const told = (error: ImageError) => onHostError(backend, error);
    const media = new TimedDisk(clock, backend, config.media, told);
    const medium = faults === undefined ? media : new FaultyDisk(media, faults);
    const layers = { ...this.#parts, medium, store: media };
    const disk = layered("phy", layers);
    const vdev = config.vdev ?? DRIVE_NAMES[index];
    if (vdev === undefined) {
      throw new InternalError(`Cannot connect drive ${index}: it has no name`);
    }
    const drive: Drive = {
      index,
      kind,
      path: config.path ?? (kind === "cdrom" ? "ide" : "both"),
      vdev,
      disk,
      vbdDisk: backendType === "phy" ? disk : layered(backendType, layers),
      offers,
      backendType,
      blockSize,
      backend,
      media,
    };
    this.#drives.push(drive);
    return drive;
  }

  /** Makes durable what the disks have completed. */
  flush(): void {
    for (const drive of this.#drives) this.#flush(drive);
  }

  /** Closes the images. */
  close(): void {
    for (const { backend } of this.#drives) backend.close();
  }

  #unplug(drive: Drive): void {
    const at = this.#drives.indexOf(drive);
    if (drive.path !== "xen") {
      this.#drives[at] = { ...drive, path: "ide" };
      return;
    }
    this.#drives.splice(at, 1);
    this.#flush(drive);
    drive.backend.close();
  }

  #flush({ backend }: Drive): void {
    try {
      if (!backend.readOnly) backend.flush();
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      this.#parts.onHostError(backend, error);
    }
  }
}

function placeOf({ index, kind, path, vdev }: Drive): string {
  return path === "xen" ? vdev : driveName(index, kind);
}
