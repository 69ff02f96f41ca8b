/**
 * A CD-ROM disc: one session with one data track in mode 1, which an ISO image fills.
 * Source: MMC-3 (T10 1363-D) §4.2 (addresses, sub-channel Q), §5.26 READ TOC/PMA/ATIP.
 * @module
 */

import { SECTOR_SIZE } from "../../core/types.ts";
import type { Disk } from "../../core/types.ts";

/** User data of a block. */
export const BLOCK_BYTES = 2048;

/** Sectors of the disk interface in a block. */
export const BLOCK_SECTORS: number = BLOCK_BYTES / SECTOR_SIZE;

const FRAMES_PER_SECOND = 75;
/** Block 0 lies two seconds after the start of the program area. */
const FIRST_FRAME = 2 * FRAMES_PER_SECOND;

/** Sub-channel Q holds a position; the track holds data that may not be copied digitally. */
const ADR_CONTROL = 0x14;
const SESSION = 1;
const TRACK = 1;
const LEAD_OUT = 0xaa;

/** How addresses are spelled: block numbers, or minute, second, frame. */
export type AddressForm = "lba" | "msf";

/** A disc in the drive. */
export class Disc {
  readonly disk: Disk;
  /** Blocks on the disc; what an image has beyond a whole number of them is not there. */
  readonly blocks: number;

  constructor(disk: Disk) {
    this.disk = disk;
    this.blocks = Math.floor(disk.sectorCount / BLOCK_SECTORS);
  }

  has(block: number, count: number): boolean {
    return block + count <= this.blocks;
  }
}

/** The address of a block in four bytes. */
function addressOf(block: number, form: AddressForm): number[] {
  return form === "msf" ? minutes(block + FIRST_FRAME) : bigEndian32(block);
}

/** Hours stand in the first byte, which is 0 on discs that follow the book. */
function minutes(frames: number): number[] {
  const seconds = Math.floor(frames / FRAMES_PER_SECOND);
  const minutes = Math.floor(seconds / 60);
  return [Math.floor(minutes / 256), minutes % 256, seconds % 60, frames % FRAMES_PER_SECOND];
}

/** A number in four bytes, the most significant first. */
export function bigEndian32(value: number): number[] {
  return [value >>> 24, value >>> 16 & 0xff, value >>> 8 & 0xff, value & 0xff];
}

/** Table of contents: the tracks from `from` on. `undefined` when there is no such track. */
export function tableOfContents(disc: Disc, from: number, form: AddressForm): number[] | undefined {
  if (from > TRACK && from !== LEAD_OUT) return undefined;
  const track = [0, ADR_CONTROL, TRACK, 0, ...addressOf(0, form)];
  const leadOut = [0, ADR_CONTROL, LEAD_OUT, 0, ...addressOf(disc.blocks, form)];
  return listed(TRACK, TRACK, from === LEAD_OUT ? leadOut : [...track, ...leadOut]);
}

/** The first track of the last session: the only one. */
export function lastSession(form: AddressForm): number[] {
  return listed(SESSION, SESSION, [0, ADR_CONTROL, TRACK, 0, ...addressOf(0, form)]);
}

/** Sub-channel Q of the lead-in: first track, last track, lead-out, and the track itself. */
export function rawContents(disc: Disc): number[] {
  const point = (name: number, [, ...msf]: number[]): number[] => {
    return [SESSION, ADR_CONTROL, 0, name, 0, 0, 0, 0, ...msf];
  };
  return listed(SESSION, SESSION, [
    ...point(0xa0, [0, TRACK, 0, 0]),
    ...point(0xa1, [0, TRACK, 0, 0]),
    ...point(0xa2, addressOf(disc.blocks, "msf")),
    ...point(TRACK, addressOf(0, "msf")),
  ]);
}

function listed(first: number, last: number, entries: number[]): number[] {
  const length = 2 + entries.length;
  return [length >>> 8, length & 0xff, first, last, ...entries];
}

/** READ DISC INFORMATION: finished, one session, one track, nothing can be added. */
export const DISC_INFORMATION: readonly number[] = [
  ...[0, 32, 0x0e, TRACK, SESSION, TRACK, TRACK, 0x20, 0, 0, 0, 0],
  ...[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
];
