/**
 * The ATA command set of the disk, as a table. What the table does not have is aborted.
 * Source: ATA/ATAPI-7 (T13/1532D) vol. 1 §6; retired opcodes (11h-1Fh, 21h, 31h, 94h-99h, C9h, CBh)
 * from ATA-1 to 3; DATA SET MANAGEMENT from ATA8-ACS-2.
 * @module
 */

import type { DiskDrive } from "./disk_drive.ts";
import { fillIdentify, MAX_MULTIPLE } from "./identify.ts";
import { smart } from "./smart.ts";
import { ER_ABRT, WITH_DATA, WITH_FLUSH } from "./taskfile.ts";

/**
 * How a command moves data, in the standard's terms. An `immediate` one is done at once; it is PIO
 * data-in when it has a sector of data, else non-data. `verify` and `flush` are non-data and wait
 * for the disk, `trim` is DMA data-out. EXECUTE DEVICE DIAGNOSTIC is the channel's.
 */
export type Protocol =
  | "immediate"
  | "pio-in"
  | "pio-out"
  | "dma-in"
  | "dma-out"
  | "verify"
  | "flush"
  | "trim";

/**
 * All the work of an `immediate` command.
 * @param into 512 bytes
 * @returns the Error register, 0 for success, {@link WITH_DATA} or {@link WITH_FLUSH}
 */
export type Immediate = (drive: DiskDrive, ext: boolean, into: Uint8Array) => number;

/** One row of the command table. */
export interface Command {
  readonly opcode: number;
  readonly name: string;
  readonly protocol: Protocol;
  /** 48-bit address and 16-bit count. */
  readonly ext: boolean;
  /** DRQ blocks of as many sectors as SET MULTIPLE MODE said. */
  readonly multiple: boolean;
  readonly run: Immediate;
}

type Variant = "" | "ext" | "multiple" | "ext multiple";

function row(opcode: number, name: string, protocol: Protocol, variant: Variant = ""): Command {
  const [ext, multiple] = [variant.includes("ext"), variant.includes("multiple")];
  return { opcode, name, protocol, ext, multiple, run: succeed };
}

function immediate(opcode: number, name: string, run: Immediate, ext: boolean = false): Command {
  return { opcode, name, protocol: "immediate", ext, multiple: false, run };
}

/** The low half was a step rate in ATA-1. */
const RECALIBRATES: readonly number[] = Array.from({ length: 16 }, (_, rate) => 0x10 | rate);

const ROWS: readonly Command[] = [
  row(0x20, "READ SECTORS", "pio-in"),
  row(0x21, "READ SECTORS (no retry)", "pio-in"),
  row(0x24, "READ SECTORS EXT", "pio-in", "ext"),
  row(0xc4, "READ MULTIPLE", "pio-in", "multiple"),
  row(0x29, "READ MULTIPLE EXT", "pio-in", "ext multiple"),
  row(0x30, "WRITE SECTORS", "pio-out"),
  row(0x31, "WRITE SECTORS (no retry)", "pio-out"),
  row(0x3c, "WRITE VERIFY", "pio-out"),
  row(0x34, "WRITE SECTORS EXT", "pio-out", "ext"),
  row(0xc5, "WRITE MULTIPLE", "pio-out", "multiple"),
  row(0x39, "WRITE MULTIPLE EXT", "pio-out", "ext multiple"),
  row(0xc8, "READ DMA", "dma-in"),
  row(0xc9, "READ DMA (no retry)", "dma-in"),
  row(0x25, "READ DMA EXT", "dma-in", "ext"),
  row(0xca, "WRITE DMA", "dma-out"),
  row(0xcb, "WRITE DMA (no retry)", "dma-out"),
  row(0x35, "WRITE DMA EXT", "dma-out", "ext"),
  row(0x40, "READ VERIFY SECTORS", "verify"),
  row(0x41, "READ VERIFY SECTORS (no retry)", "verify"),
  row(0x42, "READ VERIFY SECTORS EXT", "verify", "ext"),
  row(0xe7, "FLUSH CACHE", "flush"),
  row(0xea, "FLUSH CACHE EXT", "flush", "ext"),
  row(0x06, "DATA SET MANAGEMENT", "trim", "ext"),
  immediate(0xec, "IDENTIFY DEVICE", identify),
  immediate(0xb0, "SMART", (drive, _ext, into) => smart(drive, into)),
  immediate(0x00, "NOP", abort),
  immediate(0x08, "DEVICE RESET", abort), // packet devices only, as are A0h and A1h:
  immediate(0xa0, "PACKET", abort), // drivers find out what they talk to by these aborts
  immediate(0xa1, "IDENTIFY PACKET DEVICE", abort),
  ...RECALIBRATES.map((opcode) => immediate(opcode, "RECALIBRATE", succeed)),
  immediate(0x70, "SEEK", succeed),
  immediate(0xf8, "READ NATIVE MAX ADDRESS", readNativeMax),
  immediate(0x27, "READ NATIVE MAX ADDRESS EXT", readNativeMax, true),
  immediate(0x91, "INITIALIZE DEVICE PARAMETERS", initializeParameters),
  immediate(0xc6, "SET MULTIPLE MODE", setMultiple),
  immediate(0xef, "SET FEATURES", setFeatures),
  immediate(0xe0, "STANDBY IMMEDIATE", succeed),
  immediate(0x94, "STANDBY IMMEDIATE", succeed),
  immediate(0xe1, "IDLE IMMEDIATE", succeed),
  immediate(0x95, "IDLE IMMEDIATE", succeed),
  immediate(0xe2, "STANDBY", succeed),
  immediate(0x96, "STANDBY", succeed),
  immediate(0xe3, "IDLE", succeed),
  immediate(0x97, "IDLE", succeed),
  immediate(0xe5, "CHECK POWER MODE", checkPower),
  immediate(0x98, "CHECK POWER MODE", checkPower),
  immediate(0xe6, "SLEEP", succeed),
  immediate(0x99, "SLEEP", succeed),
  immediate(0xf5, "SECURITY FREEZE LOCK", succeed), // there is no password that could be set
  immediate(0xf1, "SECURITY SET PASSWORD", abort),
  immediate(0xf2, "SECURITY UNLOCK", abort),
  immediate(0xf3, "SECURITY ERASE PREPARE", abort),
  immediate(0xf4, "SECURITY ERASE UNIT", abort),
  immediate(0xf6, "SECURITY DISABLE PASSWORD", abort),
  immediate(0xf9, "SET MAX ADDRESS", abort),
  immediate(0x37, "SET MAX ADDRESS EXT", abort),
];

/** The rows by opcode. */
export const COMMANDS: readonly (Command | undefined)[] = byOpcode(ROWS);

/** What the standard calls a command; `undefined` of what the table does not have. */
export function commandName(opcode: number): string | undefined {
  return COMMANDS[opcode]?.name;
}

function byOpcode(rows: readonly Command[]): (Command | undefined)[] {
  const table = new Array<Command | undefined>(256).fill(undefined);
  for (const command of rows) table[command.opcode] = command;
  return table;
}

function succeed(): number {
  return 0;
}

function abort(): number {
  return ER_ABRT;
}

function identify(drive: DiskDrive, _ext: boolean, into: Uint8Array): number {
  fillIdentify(drive, into);
  return WITH_DATA;
}

function readNativeMax(drive: DiskDrive, ext: boolean): number {
  const last = drive.sectorCount - 1;
  const largest = ext ? last : Math.min(last, 0x0fffffff);
  drive.taskfile.setFirstSector(ext, drive.geometry, largest);
  return 0;
}

function initializeParameters(drive: DiskDrive): number {
  const sectorsPerTrack = drive.taskfile.count;
  if (sectorsPerTrack === 0) return ER_ABRT;
  drive.setGeometry(drive.taskfile.head + 1, sectorsPerTrack);
  return 0;
}

function setMultiple(drive: DiskDrive): number {
  const sectors = drive.taskfile.count;
  const isPowerOfTwoOrZero = (sectors & (sectors - 1)) === 0;
  if (sectors > MAX_MULTIPLE || !isPowerOfTwoOrZero) return ER_ABRT;
  drive.multiple = sectors;
  return 0;
}

function checkPower(drive: DiskDrive): number {
  drive.taskfile.count = 0xff; // active
  return 0;
}

const FEATURES: Readonly<Record<number, (drive: DiskDrive) => number>> = {
  0x02: (drive) => setWriteCache(drive, true),
  0x82: (drive) => setWriteCache(drive, false),
  0x03: setTransferMode,
  0x05: succeed, // advanced power management on, off
  0x85: succeed,
  0x42: succeed, // automatic acoustic management on, off
  0xc2: succeed,
  0x55: succeed, // look-ahead off, on
  0xaa: succeed,
  0x66: (drive) => setRevert(drive, false),
  0xcc: (drive) => setRevert(drive, true),
};

function setFeatures(drive: DiskDrive): number {
  const set = FEATURES[drive.taskfile.features];
  return set === undefined ? ER_ABRT : set(drive);
}

function setWriteCache(drive: DiskDrive, enabled: boolean): number {
  drive.writeCache = enabled;
  return enabled ? 0 : WITH_FLUSH;
}

function setRevert(drive: DiskDrive, enabled: boolean): number {
  drive.revertOnReset = enabled;
  return 0;
}

/** Modes by the high five bits of the count register, and the highest of each family. */
const HIGHEST_MODE: Readonly<Record<number, number>> = {
  0x00: 1,
  0x08: 4,
  0x10: 2,
  0x20: 2,
  0x40: 5,
};

/** SET FEATURES 03h, on a drive of any kind. Returns the Error register. */
export function setTransferMode(drive: Pick<DiskDrive, "taskfile" | "transferMode">): number {
  const mode = drive.taskfile.count;
  const highest = HIGHEST_MODE[mode & ~7];
  if (highest === undefined || (mode & 7) > highest) return ER_ABRT;
  // A drive keeps its DMA mode when the host sets a PIO mode.
  if (mode >= 0x10) drive.transferMode = mode;
  return 0;
}
