/**
 * SMART: what a disk says about its own health. There are no self-tests, and the one error log is
 * empty.
 * Source: ATA/ATAPI-7 (T13/1532D) vol. 1 §6.54; attributes and thresholds as in SFF-8035i rev. 2.0.
 * @module
 */

import type { DiskDrive } from "./disk_drive.ts";
import { ER_ABRT, WITH_DATA } from "./taskfile.ts";

/** LBA high and mid registers: the key that the command wants. */
const KEY = 0xc24f;
const ENABLE_OPERATIONS = 0xd8;

/** Log addresses, in the LBA low register. */
const LOG_DIRECTORY = 0x00;
const LOG_SUMMARY_ERRORS = 0x01;

/** Offsets in the structures, all of which are a sector. */
const AT = { ATTRIBUTES: 2, OFFLINE_CAPABILITY: 367, SMART_CAPABILITY: 368, CHECKSUM: 511 };
const ATTRIBUTE_BYTES = 12;
const STRUCTURE_REVISION = 0x10;
const LOG_VERSION = 1;
const EXECUTE_OFFLINE_IMMEDIATE = 0x01;
const SAVES_ATTRIBUTES = 0x03; // before it saves power, and by itself

/** Bits of an attribute: it warns of a failure; it is collected while the drive works. */
const PREFAILURE = 0x01;
const ONLINE = 0x02;
/** Normalized value of a drive as good as new. */
const BEST = 100;

interface Attribute {
  readonly id: number;
  readonly flags: number;
  /** The normalized value at which it counts as failed. */
  readonly threshold: number;
  /** What has been counted, below 2^16. */
  readonly raw: (drive: DiskDrive) => number;
}

const ATTRIBUTES: readonly Attribute[] = [
  { id: 1, flags: PREFAILURE | ONLINE, threshold: 6, raw: (drive) => drive.readErrors },
  { id: 12, flags: ONLINE, threshold: 0, raw: () => 1 }, // power cycles
];

/** By the Features register. Each returns the Error register, or {@link WITH_DATA}. */
const SUBCOMMANDS: Readonly<Record<number, (drive: DiskDrive, into: Uint8Array) => number>> = {
  0xd0: readData,
  0xd1: readThresholds,
  0xd2: () => 0, // autosave on, off
  0xd4: ({ taskfile }) => taskfile.lbaLow === 0 ? 0 : ER_ABRT, // off-line collection; self-tests
  0xd5: readLog,
  [ENABLE_OPERATIONS]: (drive) => enable(drive, true),
  0xd9: (drive) => enable(drive, false),
  0xda: () => 0, // return status: the key as the host has written it says "healthy"
};

/**
 * Executes SMART.
 * @param into 512 bytes
 * @returns the Error register, or {@link WITH_DATA}
 */
export function smart(drive: DiskDrive, into: Uint8Array): number {
  const { byteCount, features } = drive.taskfile;
  const isOn = drive.smartEnabled || features === ENABLE_OPERATIONS;
  if (byteCount !== KEY || !isOn) return ER_ABRT;
  return SUBCOMMANDS[features]?.(drive, into) ?? ER_ABRT;
}

function enable(drive: DiskDrive, enabled: boolean): number {
  drive.smartEnabled = enabled;
  return 0;
}

function readData(drive: DiskDrive, into: Uint8Array): number {
  fillAttributes(into, ({ id, flags, raw }) => {
    const count = raw(drive);
    return [id, flags, 0, BEST, BEST, count, count >>> 8];
  });
  into[AT.OFFLINE_CAPABILITY] = EXECUTE_OFFLINE_IMMEDIATE;
  into[AT.SMART_CAPABILITY] = SAVES_ATTRIBUTES;
  return seal(into);
}

function readThresholds(_drive: DiskDrive, into: Uint8Array): number {
  fillAttributes(into, ({ id, threshold }) => [id, threshold]);
  return seal(into);
}

function readLog({ taskfile }: DiskDrive, into: Uint8Array): number {
  if (taskfile.count !== 1) return ER_ABRT;
  into.fill(0);
  into[0] = LOG_VERSION;
  switch (taskfile.lbaLow) {
    case LOG_DIRECTORY:
      into[LOG_SUMMARY_ERRORS * 2] = 1; // sectors
      return WITH_DATA;
    case LOG_SUMMARY_ERRORS:
      return seal(into);
    default:
      return ER_ABRT;
  }
}

function fillAttributes(into: Uint8Array, bytesOf: (attribute: Attribute) => number[]): void {
  into.fill(0);
  into[0] = STRUCTURE_REVISION;
  ATTRIBUTES.forEach((attribute, i) => {
    into.set(bytesOf(attribute), AT.ATTRIBUTES + i * ATTRIBUTE_BYTES);
  });
}

/** All bytes add up to 0. */
function seal(into: Uint8Array): number {
  into[AT.CHECKSUM] = -into.subarray(0, AT.CHECKSUM).reduce((sum, byte) => sum + byte, 0);
  return WITH_DATA;
}
