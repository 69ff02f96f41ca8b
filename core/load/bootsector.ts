/**
 * A boot sector, alone or as sector 0 of a disk image, entered as a PC BIOS enters it.
 * Source: BIOS Boot Specification 1.01, §6.5; Intel SDM vol. 3, §20.1 for real mode; SeaBIOS 1.16
 * for interrupts.
 * @module
 */

import { UsageError } from "../errors.ts";
import { SECTOR_SIZE } from "../types.ts";
import type { GuestImage } from "./image.ts";

const LOAD_GPA = 0x7c00;
const PARTITION_TABLE_OFFSET = 446;
const SIGNATURE_OFFSET = 510;
/** BIOS number of the first hard disk, passed in DL. */
const FIRST_HARD_DISK = 0x80;

/** The file starts with a sector that ends in 55 AA. */
export function hasBootSignature(file: Uint8Array): boolean {
  return file[SIGNATURE_OFFSET] === 0x55 && file[SIGNATURE_OFFSET + 1] === 0xaa;
}

/**
 * Places sector 0 at 0000:7C00 with the stack below it, DL = 80h and interrupts on.
 * @throws {UsageError} when it has a partition table, perhaps, but no code
 */
export function loadBootSector(file: Uint8Array, name: string): GuestImage {
  if (file.subarray(0, PARTITION_TABLE_OFFSET).every((byte) => byte === 0)) {
    throw new UsageError(
      `Cannot boot "${name}": its boot sector holds no code`,
      `-kernel vmlinuz -hda ${name} brings the kernel along`,
    );
  }
  return {
    format: "bootsector",
    segments: [{ gpa: LOAD_GPA, bytes: file.subarray(0, SECTOR_SIZE), zero: 0 }],
    mode: "real16",
    interrupts: true,
    eip: LOAD_GPA,
    regs: [0, 0, FIRST_HARD_DISK, 0, LOAD_GPA, 0, 0, 0],
  };
}
