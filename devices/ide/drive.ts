/**
 * One position on an IDE channel: its registers and, when a disk is attached, its settings.
 * An absent device keeps registers too: on real cable the device that is there answers for it.
 * Source: ATA/ATAPI-7 (T13/1532D) vol. 1 §5, §6; geometry defaults as QEMU 7.2 chooses them.
 * @module
 */

import type { Disk } from "../../core/types.ts";
import type { DriveIdentity, IdentifyState } from "./identify.ts";
import { HARD_DISK, MAX_MULTIPLE } from "./identify.ts";
import { DIAGNOSTIC_PASSED, ER_ABRT, SR_ERR, SR_IDLE, Taskfile } from "./taskfile.ts";
import type { Geometry } from "./taskfile.ts";

const HEADS = 16;
const SECTORS_PER_TRACK = 63;
const MAX_CYLINDERS = 16383;
const MIN_CYLINDERS = 2;
const ULTRA_DMA_5 = 0x45;

/** A unit of a channel: a disk, or the lack of one. */
export class Drive implements IdentifyState {
  readonly taskfile: Taskfile = new Taskfile();
  /** Status without BSY of a reset, which belongs to the channel. 0 when absent. */
  status = 0;
  error = 0;
  multiple: number = MAX_MULTIPLE;
  transferMode: number = ULTRA_DMA_5;
  writeCache = true;
  /** SRST brings settings back to their defaults (SET FEATURES 66h, CCh). */
  revertOnReset = true;
  #disk: Disk | undefined;
  #identity: DriveIdentity = HARD_DISK;
  #defaultGeometry: Geometry = geometryOf(0);
  #geometry: Geometry = geometryOf(0);

  attach(disk: Disk, identity: DriveIdentity): void {
    this.#disk = disk;
    this.#identity = identity;
    this.#defaultGeometry = geometryOf(disk.sectorCount);
    this.powerOn();
  }

  detach(): void {
    this.#disk = undefined;
    this.status = 0;
    this.error = 0;
  }

  get disk(): Disk | undefined {
    return this.#disk;
  }

  get present(): boolean {
    return this.#disk !== undefined;
  }

  get identity(): DriveIdentity {
    return this.#identity;
  }

  get sectorCount(): number {
    return this.#disk === undefined ? 0 : this.#disk.sectorCount;
  }

  get defaultGeometry(): Geometry {
    return this.#defaultGeometry;
  }

  get geometry(): Geometry {
    return this.#geometry;
  }

  /** Back to the state after power-on. */
  powerOn(): void {
    this.revertOnReset = true;
    this.writeCache = true;
    this.softReset();
  }

  /** The drive's part of SRST. */
  softReset(): void {
    if (this.revertOnReset) {
      this.#geometry = this.#defaultGeometry;
      this.multiple = MAX_MULTIPLE;
      this.transferMode = ULTRA_DMA_5;
    }
    this.diagnose();
  }

  /** Places the signature and the diagnostic result. */
  diagnose(): void {
    const absent = this.present ? 0x00 : 0xff;
    this.taskfile.setSignature(absent, absent);
    this.error = this.present ? DIAGNOSTIC_PASSED : 0;
    this.status = this.present ? SR_IDLE : 0;
  }

  /** The answer to a command that the drive does not have. */
  abort(): void {
    this.error = ER_ABRT;
    this.status = SR_IDLE | SR_ERR;
  }

  /** Sets the CHS translation as INITIALIZE DEVICE PARAMETERS does. */
  setGeometry(heads: number, sectorsPerTrack: number): void {
    const cylinders = Math.floor(this.sectorCount / (heads * sectorsPerTrack));
    this.#geometry = { cylinders: Math.min(cylinders, MAX_CYLINDERS), heads, sectorsPerTrack };
  }

  /** The first sector that the registers name, -1 for none. */
  firstSector(ext: boolean): number {
    return this.taskfile.firstSector(ext, this.#geometry);
  }

  /** Leaves the address of `sector` and a count in the registers, as a command does at its end. */
  report(ext: boolean, sector: number, remaining: number): void {
    this.taskfile.setFirstSector(ext, this.#geometry, sector);
    this.taskfile.setSectorCount(ext, remaining);
  }
}

function geometryOf(sectorCount: number): Geometry {
  const cylinders = Math.floor(sectorCount / (HEADS * SECTORS_PER_TRACK));
  return {
    cylinders: Math.min(Math.max(cylinders, MIN_CYLINDERS), MAX_CYLINDERS),
    heads: HEADS,
    sectorsPerTrack: SECTORS_PER_TRACK,
  };
}
