/**
 * The drives of a command line: `-drive`, `-hda` to `-hdd` and `-cdrom` as QEMU has them, `--disk` as
 * xl has it.
 *
 * | option | drive |
 * |---|---|
 * | `-hda F` to `-hdd F` | disk at index 0 to 3 |
 * | `-cdrom F` | CD-ROM at index 2 |
 * | `--disk F` | disk at the next free index |
 * | `--disk F,raw,VDEV,rw` | what xl makes of it: see `xl_disk.ts` |
 * | `-drive file=F[,KEY=VALUE...]` | what the keys say; the next free index unless one is given |
 *
 * Index 0 and 1 are master and slave of the primary IDE channel, 2 and 3 of the secondary. A disk
 * with a name of its own, such as xvda, comes over blkfront alone and takes no index; so does one
 * with `if=xen` when there is none left.
 * @module
 */

import type { Command } from "commander";
import { UsageError } from "../errors.ts";
import { DRIVE_HELP, type DriveRequest, readDrive } from "./drive_keys.ts";
import { readXlDisk } from "./xl_disk.ts";

/** A drive that the user has named, at its place: it has an index or a name. */
export type DriveOptions = DriveRequest;

const POSITIONS = 4;
/** What a disk is called that has no cable, from the first one on that finds no free index. */
const FURTHER_NAMES: readonly string[] = [..."efghijklmnop"].map((letter) => `xvd${letter}`);

const DISK_HELP =
  "F: raw image, at the next free index. As xl has it: F[,raw[,VDEV[,rw|ro]]], or " +
  "[vdev=VDEV][,access=rw|ro][,format=raw][,devtype=cdrom],target=F; VDEV is hda to hdd for both " +
  "paths, xvda, sda and so on for blkfront alone; phy:F,VDEV,w, file:F,..., tap:aio:F,... or " +
  "backendtype=phy|tap|qdisk says what stands behind it; what -drive takes for a backend goes too";

/** Collects the drives of a command, in the order of the command line. */
export class DriveList {
  readonly #requests: DriveRequest[] = [];

  /** Gives a command the options that name drives. */
  addOptions(command: Command): void {
    const at = (keys: string) => (file: string): void =>
      void this.#requests.push(readDrive(`file=${escape(file)},${keys}`));
    command
      .option("--disk <spec>", DISK_HELP, (text) => void this.#requests.push(readXlDisk(text)))
      .option("--drive <options>", DRIVE_HELP, (text) => void this.#requests.push(readDrive(text)))
      .option("--hda <file>", "raw image, primary master", at("index=0"))
      .option("--hdb <file>", "raw image, primary slave", at("index=1"))
      .option("--hdc <file>", "raw image, secondary master", at("index=2"))
      .option("--hdd <file>", "raw image, secondary slave", at("index=3"))
      .option("--cdrom <file>", "ISO image, secondary master", at("index=2,media=cdrom"));
  }

  /** None has been named. */
  get isEmpty(): boolean {
    return this.#requests.length === 0;
  }

  /**
   * The drives by position, those without behind them.
   * @param snapshot writes to all of them stay in memory
   * @throws {UsageError} when two want the same place or more than four want a cable
   */
  place(snapshot: boolean): DriveOptions[] {
    const placed = new Placement(this.#requests.length);
    const settled = this.#requests.filter(isSettled);
    const free = this.#requests.filter((request) => !isSettled(request));
    for (const request of [...settled, ...free]) {
      placed.add({ ...request, snapshot: request.snapshot || snapshot });
    }
    return placed.drives;
  }
}

/** The user has said where, or by what name. */
function isSettled({ index, vdev }: DriveRequest): boolean {
  return index !== undefined || vdev !== undefined;
}

/** Places as they fill. */
class Placement {
  readonly #wanted: number;
  readonly #byIndex: (DriveOptions | undefined)[] = new Array(POSITIONS).fill(undefined);
  readonly #named = new Map<string, DriveOptions>();

  /** @param wanted how many drives there are */
  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  get drives(): DriveOptions[] {
    return [...this.#byIndex.filter((drive) => drive !== undefined), ...this.#named.values()];
  }

  add(drive: DriveRequest): void {
    if (drive.vdev !== undefined) this.#addNamed(drive, drive.vdev);
    else this.#addAt(drive, drive.index ?? this.#byIndex.indexOf(undefined));
  }

  #addAt(drive: DriveRequest, index: number): void {
    if (index < 0 && drive.path === "xen") return this.#addFurther(drive);
    if (index < 0) throw tooMany(this.#wanted);
    const other = this.#byIndex[index];
    if (other !== undefined) {
      throw taken(drive, `index ${index}`, other, "-cdrom is index 2, -hda to -hdd are 0 to 3");
    }
    this.#byIndex[index] = { ...drive, index };
  }

  #addFurther(drive: DriveRequest): void {
    const vdev = FURTHER_NAMES.find((name) => !this.#named.has(name));
    if (vdev === undefined) throw tooMany(this.#wanted);
    this.#addNamed({ ...drive, vdev }, vdev);
  }

  #addNamed(drive: DriveRequest, vdev: string): void {
    const other = this.#named.get(vdev);
    if (other !== undefined) {
      throw taken(
        drive,
        vdev,
        other,
        `each has a name of its own: --disk ${drive.file},raw,xvdb,rw`,
      );
    }
    this.#named.set(vdev, drive);
  }
}

/** A drive's place, to be read behind "at". */
export function placeOf({ index, vdev }: DriveOptions): string {
  return vdev ?? `index ${index}`;
}

function escape(file: string): string {
  return file.replaceAll(",", ",,");
}

function tooMany(count: number): UsageError {
  return new UsageError(
    `Cannot attach ${count} drives: two IDE channels have a master and a slave each`,
    "give at most four, or --disk disk.img,raw,xvde,rw",
  );
}

function taken(
  { file }: DriveRequest,
  place: string,
  other: DriveRequest,
  hint: string,
): UsageError {
  return new UsageError(`Cannot attach "${file}" at ${place}: "${other.file}" is there`, hint);
}
