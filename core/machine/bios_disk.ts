/**
 * INT 13h: the BIOS's disk services, straight on the bytes of the disk images.
 * Source: T13 EDD-3 (D1572), §8; IBM PC/AT technical reference for functions below 40h; drive
 * geometry by the LBA-assist rule of the Phoenix EDD specification 1.1, appendix A.
 * @module
 */

import { geometryOf as driveGeometryOf } from "../../devices/ide/disk_drive.ts";
import { ImageError } from "../errors.ts";
import { SECTOR_SIZE } from "../types.ts";
import type { BlockBackend, Gpa, GuestMemory } from "../types.ts";
import type { BiosFrame } from "./bios_frame.ts";

/** Status codes in AH. */
const STATUS = {
  OK: 0x00,
  INVALID: 0x01,
  WRITE_PROTECTED: 0x03,
  BOUNDARY: 0x09,
  BAD_SECTOR: 0x10, // uncorrectable on read
  WRITE_FAULT: 0xcc,
} as const;

/** Offsets in a disk address packet. */
const PACKET = { SIZE: 0, COUNT: 2, OFFSET: 4, SEGMENT: 6, LBA: 8, BYTES: 16 } as const;

/** Offsets in the result of function 48h. */
const PARAMETERS = {
  SIZE: 0,
  FLAGS: 2,
  CYLINDERS: 4,
  HEADS: 8,
  SECTORS: 12,
  TOTAL: 16,
  SECTOR_BYTES: 24,
  BYTES: 26,
} as const;
/** Flags of function 48h: the geometry is valid. It is the drive's own. */
const GEOMETRY_VALID = 2;
/** Sectors that it can tell of. */
const LARGEST_GEOMETRY = 16383 * 16 * 63;

const FIRST_DRIVE = 0x80;
const LAST_STATUS = 0x474; // in the BIOS data area
const SECTORS_PER_TRACK = 63;
const LARGEST_CYLINDER_COUNT = 1024;
const HEAD_COUNTS: readonly number[] = [16, 32, 64, 128, 255];
/** Function 15h. */
const HARD_DISK = 0x03;
/** Function 41h. */
const EDD_1_1 = 0x21;
const EXTENDED_ACCESS = 1;

/** Cylinders, heads and sectors that a disk pretends to have. */
interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
}

/** One function: the status for AH. It may set other registers. */
type Service = (frame: BiosFrame, disk: BlockBackend) => number;

/** Reset, initialize, seek, reset, test, recalibrate, diagnose: the drives are always ready. */
const NOTHING_TO_DO: Readonly<Record<number, Service>> = Object.fromEntries(
  [0x00, 0x09, 0x0c, 0x0d, 0x10, 0x11, 0x14].map((ah) => [ah, () => STATUS.OK]),
);

/** The disk services. */
export class BiosDisks {
  readonly #memory: GuestMemory;
  readonly #disks: readonly BlockBackend[];
  readonly #onHostError: (disk: BlockBackend, error: ImageError) => void;
  readonly #services: Readonly<Record<number, Service>>;
  #moved = 0;
  /** AH after a function that succeeds. */
  #answer: number = STATUS.OK;

  /**
   * @param disks drives 80h and up
   * @param onHostError told when the host fails to read or write an image; the function fails too
   */
  constructor(
    memory: GuestMemory,
    disks: readonly BlockBackend[],
    onHostError: (disk: BlockBackend, error: ImageError) => void,
  ) {
    this.#memory = memory;
    this.#disks = disks;
    this.#onHostError = onHostError;
    this.#services = {
      ...NOTHING_TO_DO,
      0x01: () => this.#memory.read8(LAST_STATUS),
      0x02: (frame, disk) => this.#moveByGeometry(frame, disk, this.#read),
      0x03: (frame, disk) => this.#moveByGeometry(frame, disk, this.#write),
      0x04: (frame, disk) => this.#moveByGeometry(frame, disk, VERIFY),
      0x08: (frame, disk) => this.#tellGeometry(frame, disk),
      0x15: (frame, disk) => this.#tellType(frame, disk),
      0x41: (frame) => this.#tellExtensions(frame),
      0x42: (frame, disk) => this.#moveByPacket(frame, disk, this.#read),
      0x43: (frame, disk) => this.#moveByPacket(frame, disk, this.#write),
      0x44: (frame, disk) => this.#moveByPacket(frame, disk, VERIFY),
      0x47: (frame, disk) => this.#moveByPacket(frame, disk, VERIFY),
      0x48: (frame, disk) => this.#tellParameters(frame, disk),
    };
  }

  /**
   * Serves INT 13h.
   * @returns sectors read or written
   */
  call(frame: BiosFrame): number {
    this.#moved = 0;
    this.#answer = STATUS.OK;
    const disk = this.#disks[frame.dl - FIRST_DRIVE];
    const service = this.#services[frame.ah];
    const status = disk && service ? service(frame, disk) : STATUS.INVALID;
    this.#memory.write8(LAST_STATUS, status);
    frame.carry = status !== STATUS.OK;
    frame.ah = status === STATUS.OK ? this.#answer : status;
    return this.#moved;
  }

  #moveByGeometry(frame: BiosFrame, disk: BlockBackend, move: Move): number {
    const { cylinders, heads } = geometryOf(disk);
    const cylinder = (frame.cx >> 8) | ((frame.cx & 0xc0) << 2);
    const head = frame.dx >> 8;
    const sector = (frame.cx & 0x3f) - 1;
    const count = frame.al;
    if (count === 0 || sector < 0 || cylinder >= cylinders || head >= heads) return STATUS.INVALID;
    const first = (cylinder * heads + head) * SECTORS_PER_TRACK + sector;
    return this.#move(disk, first, count, frame.esBx, move);
  }

  #moveByPacket(frame: BiosFrame, disk: BlockBackend, move: Move): number {
    const memory = this.#memory;
    const packet = frame.dsSi;
    if (memory.read8(packet + PACKET.SIZE) < PACKET.BYTES) return STATUS.INVALID;
    const count = memory.read16(packet + PACKET.COUNT);
    const buffer = memory.read16(packet + PACKET.SEGMENT) * 16 +
      memory.read16(packet + PACKET.OFFSET);
    const first = memory.read32(packet + PACKET.LBA) +
      memory.read32(packet + PACKET.LBA + 4) * 2 ** 32;
    const status = this.#move(disk, first, count, buffer, move);
    if (status !== STATUS.OK) memory.write16(packet + PACKET.COUNT, 0);
    return status;
  }

  #move(disk: BlockBackend, first: number, count: number, gpa: Gpa, move: Move): number {
    if (first + count > disk.sectorCount) return STATUS.INVALID;
    if (move === VERIFY) return STATUS.OK;
    const buffer = this.#memory.range(gpa, count * SECTOR_SIZE);
    return buffer === undefined ? STATUS.BOUNDARY : move(disk, first, buffer);
  }

  readonly #read: Move = (disk, first, buffer) => {
    if (!this.#serves(disk, () => disk.read(first, buffer))) return STATUS.BAD_SECTOR;
    this.#memory.wrote(buffer);
    this.#moved = buffer.length / SECTOR_SIZE;
    return STATUS.OK;
  };

  readonly #write: Move = (disk, first, buffer) => {
    if (disk.readOnly) return STATUS.WRITE_PROTECTED;
    if (!this.#serves(disk, () => disk.write(first, buffer))) return STATUS.WRITE_FAULT;
    this.#moved = buffer.length / SECTOR_SIZE;
    return STATUS.OK;
  };

  /** @returns whether the host could do it */
  #serves(disk: BlockBackend, access: () => void): boolean {
    try {
      access();
      return true;
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      this.#onHostError(disk, error);
      return false;
    }
  }

  #tellGeometry(frame: BiosFrame, disk: BlockBackend): number {
    const { cylinders, heads } = geometryOf(disk);
    const last = cylinders - 1;
    frame.al = 0;
    frame.bx = 0;
    frame.cx = ((last & 0xff) << 8) | ((last >> 2) & 0xc0) | SECTORS_PER_TRACK;
    frame.dx = ((heads - 1) << 8) | this.#disks.length;
    return STATUS.OK;
  }

  #tellType(frame: BiosFrame, disk: BlockBackend): number {
    frame.cx = disk.sectorCount >>> 16;
    frame.dx = disk.sectorCount & 0xffff;
    this.#answer = HARD_DISK;
    return STATUS.OK;
  }

  #tellExtensions(frame: BiosFrame): number {
    if (frame.bx !== 0x55aa) return STATUS.INVALID;
    frame.bx = 0xaa55;
    frame.cx = EXTENDED_ACCESS;
    this.#answer = EDD_1_1;
    return STATUS.OK;
  }

  #tellParameters(frame: BiosFrame, disk: BlockBackend): number {
    const memory = this.#memory;
    const result = frame.dsSi;
    if (memory.read16(result + PARAMETERS.SIZE) < PARAMETERS.BYTES) return STATUS.INVALID;
    const { cylinders, heads, sectorsPerTrack } = driveGeometryOf(disk.sectorCount);
    const isValid = disk.sectorCount <= LARGEST_GEOMETRY;
    memory.write16(result + PARAMETERS.SIZE, PARAMETERS.BYTES);
    memory.write16(result + PARAMETERS.FLAGS, isValid ? GEOMETRY_VALID : 0);
    memory.write32(result + PARAMETERS.CYLINDERS, cylinders);
    memory.write32(result + PARAMETERS.HEADS, heads);
    memory.write32(result + PARAMETERS.SECTORS, sectorsPerTrack);
    memory.write32(result + PARAMETERS.TOTAL, disk.sectorCount >>> 0);
    memory.write32(result + PARAMETERS.TOTAL + 4, Math.floor(disk.sectorCount / 2 ** 32));
    memory.write16(result + PARAMETERS.SECTOR_BYTES, SECTOR_SIZE);
    return STATUS.OK;
  }
}

/** Moves whole sectors between a disk and memory; returns a status. */
type Move = (disk: BlockBackend, first: number, buffer: Uint8Array) => number;

/** Of sectors that are there; the buffer need not be. */
const VERIFY: Move = () => STATUS.OK;

function geometryOf(disk: BlockBackend): Geometry {
  const tracks = Math.floor(disk.sectorCount / SECTORS_PER_TRACK);
  const heads = HEAD_COUNTS.find((count) => tracks / count <= LARGEST_CYLINDER_COUNT) ?? 255;
  const cylinders = Math.max(1, Math.min(Math.floor(tracks / heads), LARGEST_CYLINDER_COUNT));
  return { cylinders, heads };
}
