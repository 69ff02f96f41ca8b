/**
 * A hard disk on an IDE channel: its registers, its settings, and its way of taking commands.
 * Source: ATA/ATAPI-7 (T13/1532D) vol. 1 §5, §6; geometry defaults as QEMU 7.2 chooses them.
 * @module
 */

import { hex } from "../../core/bits.ts";
import type { Disk } from "../../core/types.ts";
import { COMMANDS } from "./commands.ts";
import type { Cable, DataPort, Drive } from "./drive.ts";
import type { DriveIdentity, IdentifyState } from "./identify.ts";
import { DEFAULT_TRANSFER_MODE, HARD_DISK, MAX_MULTIPLE } from "./identify.ts";
import { CommandRunner } from "./runner.ts";
import {
  DIAGNOSTIC_PASSED,
  ER_ABRT,
  SR_BSY,
  SR_DRQ,
  SR_ERR,
  SR_IDLE,
  Taskfile,
} from "./taskfile.ts";
import type { Geometry } from "./taskfile.ts";

const HEADS = 16;
const SECTORS_PER_TRACK = 63;
const MAX_CYLINDERS = 16383;
const MIN_CYLINDERS = 2;

/** A disk, as an ATA drive. */
export class DiskDrive implements Drive, IdentifyState {
  readonly present = true;
  readonly taskfile: Taskfile = new Taskfile();
  readonly data: DataPort;
  readonly identity: DriveIdentity;
  readonly sectorCount: number;
  readonly canTrim: boolean;
  /** CHS translation after power-on. */
  readonly defaultGeometry: Geometry;
  status: number = SR_IDLE;
  error: number = DIAGNOSTIC_PASSED;
  multiple: number = MAX_MULTIPLE;
  transferMode: number = DEFAULT_TRANSFER_MODE;
  writeCache = true;
  smartEnabled = true;
  /** Reads that have met a bad sector since power-on. */
  readErrors = 0;
  /** SRST brings settings back to their defaults (SET FEATURES 66h, CCh). */
  revertOnReset = true;
  readonly #cable: Cable;
  readonly #runner: CommandRunner;
  #geometry: Geometry;

  constructor(cable: Cable, disk: Disk, identity: DriveIdentity = HARD_DISK) {
    this.#cable = cable;
    this.#runner = new CommandRunner(this, disk, cable);
    this.data = this.#runner.block;
    this.identity = identity;
    this.sectorCount = disk.sectorCount;
    this.canTrim = disk.canDiscard === true && !disk.readOnly;
    this.defaultGeometry = this.#geometry = geometryOf(disk.sectorCount);
  }

  get geometry(): Geometry {
    return this.#geometry;
  }

  execute(opcode: number): void {
    if ((this.status & (SR_BSY | SR_DRQ)) !== 0) {
      return this.#guestError(opcode, "the drive is busy");
    }
    const command = COMMANDS[opcode];
    if (command !== undefined) return this.#runner.run(command);
    this.#guestError(opcode, "not supported");
    this.error = ER_ABRT;
    this.status = SR_IDLE | SR_ERR;
    this.#cable.interrupt();
  }

  tryDma(): void {
    this.#runner.tryDma();
  }

  abandon(): void {
    this.#runner.abandon();
  }

  powerOn(): void {
    this.revertOnReset = true;
    this.writeCache = true;
    this.smartEnabled = true;
    this.softReset();
  }

  softReset(): void {
    if (this.revertOnReset) {
      this.#geometry = this.defaultGeometry;
      this.multiple = MAX_MULTIPLE;
      this.transferMode = DEFAULT_TRANSFER_MODE;
    }
    this.diagnose();
  }

  diagnose(): void {
    this.taskfile.setSignature(0x00, 0x00);
    this.error = DIAGNOSTIC_PASSED;
    this.status = SR_IDLE;
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

  #guestError(opcode: number, what: string): void {
    this.#cable.errors.guestError("ide", `Command ${hex(opcode, 2)}: ${what}`);
  }
}

/** Translation after power-on of a disk of that size. */
export function geometryOf(sectorCount: number): Geometry {
  const cylinders = Math.floor(sectorCount / (HEADS * SECTORS_PER_TRACK));
  return {
    cylinders: Math.min(Math.max(cylinders, MIN_CYLINDERS), MAX_CYLINDERS),
    heads: HEADS,
    sectorsPerTrack: SECTORS_PER_TRACK,
  };
}
