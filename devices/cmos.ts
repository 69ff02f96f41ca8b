/**
 * What the battery-backed bytes of the clock chip tell a BIOS about the machine.
 * Source: bytes that QEMU 7.2's `pc` machine presets without a floppy drive; their meaning from the
 * IBM PC AT Technical Reference and SeaBIOS.
 * @module
 */

import type { Geometry } from "./ide/taskfile.ts";
import { CMOS_BYTES } from "./rtc.ts";

const CMOS = {
  DISK_TYPES: 0x12, // master in the high nibble
  EQUIPMENT: 0x14,
  BASE_KIB: 0x15,
  EXTENDED_KIB: 0x17, // above 1 MiB
  DISK_0_TYPE: 0x19,
  DISK_1_TYPE: 0x1a,
  DISK_0: 0x1b,
  DISK_1: 0x24,
  EXTENDED_KIB_2: 0x30,
  HIGH_UNITS: 0x34, // of 64 KiB above 16 MiB
  BOOT_THIRD: 0x38, // in the high nibble
  TRANSLATION: 0x39, // two bits for each of four disks
  BOOT_ORDER: 0x3d, // first in the low nibble
} as const;

/** Mathematics coprocessor, PS/2 mouse; display as the VGA BIOS says, no floppy drive. */
const EQUIPMENT = 0x06;
/** In a nibble: see the byte of the drive. */
const TYPE_EXTENDED = 0x0f;
/** In that byte: see the geometry. */
const TYPE_USER_DEFINED = 47;
const NO_PRECOMPENSATION = 0xffff;
const CONTROL_NO_RETRY = 0xc0;
const CONTROL_MANY_HEADS = 0x08;
/** Cylinders that INT 13h can name without translation. */
const MOST_CYLINDERS = 1024;
const TRANSLATE_LBA = 1;

const BASE_KIB = 640;
const KIB = 1024;
const UNIT = 64 * KIB;
const HIGH_BASE = 16 * KIB * KIB;
const MAX_WORD = 0xffff;

/** What can be started from, with the number that a BIOS finds in the boot order. */
const BOOT_DEVICE = { floppy: 1, disk: 2, cdrom: 3, network: 4 } as const;

/** One of {@link BOOT_DEVICE}. */
export type BootDevice = keyof typeof BOOT_DEVICE;

/** What the bytes are to tell. */
export interface CmosContents {
  readonly ramBytes: number;
  /** Hard disks by IDE unit: primary master, primary slave, and the secondary channel's two. */
  readonly disks: readonly (Readonly<Geometry> | undefined)[];
  /** Three at most. */
  readonly bootOrder: readonly BootDevice[];
}

/** The bytes, for a clock chip to start with. */
export function cmosBytes({ ramBytes, disks, bootOrder }: CmosContents): Uint8Array {
  const bytes = new Uint8Array(CMOS_BYTES);
  const view = new DataView(bytes.buffer);
  const setWord = (at: number, value: number) =>
    view.setUint16(at, Math.min(Math.max(value, 0), MAX_WORD), true);
  bytes[CMOS.EQUIPMENT] = EQUIPMENT;
  setWord(CMOS.BASE_KIB, BASE_KIB);
  setWord(CMOS.EXTENDED_KIB, ramBytes / KIB - KIB);
  setWord(CMOS.EXTENDED_KIB_2, ramBytes / KIB - KIB);
  setWord(CMOS.HIGH_UNITS, Math.floor((ramBytes - HIGH_BASE) / UNIT));
  const [first = 0, second = 0, third = 0] = bootOrder.map((device) => BOOT_DEVICE[device]);
  bytes[CMOS.BOOT_ORDER] = second << 4 | first;
  bytes[CMOS.BOOT_THIRD] = third << 4;
  const [master, slave] = disks;
  if (master) describeDisk(view, CMOS.DISK_0_TYPE, CMOS.DISK_0, master);
  if (slave) describeDisk(view, CMOS.DISK_1_TYPE, CMOS.DISK_1, slave);
  bytes[CMOS.DISK_TYPES] = (master ? TYPE_EXTENDED << 4 : 0) | (slave ? TYPE_EXTENDED : 0);
  bytes[CMOS.TRANSLATION] = disks.reduce(
    (byte, disk, unit) => byte | (disk ? translation(disk) << 2 * unit : 0),
    0,
  );
  return bytes;
}

function describeDisk(view: DataView, type: number, at: number, geometry: Geometry): void {
  const { cylinders, heads, sectorsPerTrack } = geometry;
  view.setUint8(type, TYPE_USER_DEFINED);
  view.setUint16(at, cylinders, true);
  view.setUint8(at + 2, heads);
  view.setUint16(at + 3, NO_PRECOMPENSATION, true);
  view.setUint8(at + 5, CONTROL_NO_RETRY | (heads > 8 ? CONTROL_MANY_HEADS : 0));
  view.setUint16(at + 6, cylinders, true); // landing zone
  view.setUint8(at + 8, sectorsPerTrack);
}

function translation({ cylinders }: Geometry): number {
  return cylinders > MOST_CYLINDERS ? TRANSLATE_LBA : 0;
}
