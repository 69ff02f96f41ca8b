/**
 * SMBIOS: what the machine calls itself, for systems that ask their firmware.
 * Source: DMTF DSP0134 2.4, §5.2 and §7; the same structures and names as Xen's hvmloader has.
 * @module
 */

import { littleEndian } from "../bits.ts";
import { checksum, putText } from "./acpi.ts";

/** Bytes of the structure that points to the others. */
const ENTRY_POINT_BYTES = 31;
/** Of its second half, which has a signature and a checksum of its own. */
const INTERMEDIATE = { at: 16, checksum: 21, length: 15 } as const;
const VERSION = { major: 2, minor: 4, bcd: 0x24 } as const;

const TYPE = {
  BIOS: 0,
  SYSTEM: 1,
  CHASSIS: 3,
  PROCESSOR: 4,
  MEMORY_ARRAY: 16,
  MEMORY_DEVICE: 17,
  MEMORY_ARRAY_ADDRESS: 19,
  BOOT: 32,
  END: 127,
} as const;

const HEADER_BYTES = 4;
const MIB = 1 << 20;
const OTHER = 1;
const SAFE = 3;
const RAM_CHIP = 7;
const SYSTEM_MEMORY = 3;
const NOT_PROVIDED = 0xfffe;
/** In a BIOS's characteristics: they are not supported. */
const NO_CHARACTERISTICS = 0x08;
const VIRTUAL_MACHINE = 0x10;
const POWER_SWITCH = 6;
const CENTRAL_PROCESSOR = 3;
const POPULATED_AND_ENABLED = 0x41;
const NO_UPGRADE = 6;

/** What the structures tell. */
export interface SmbiosFacts {
  readonly ramBytes: number;
  /** Text of the BIOS's version, and of the system's. */
  readonly version: string;
  /** As text: 8-4-4-4-12 hexadecimal digits. */
  readonly uuid: string;
}

/** One structure: numbers behind the header, and the texts that they count from 1. */
type Structure = readonly [type: number, fields: readonly number[], texts: readonly string[]];

/** Entry point and structures, the latter behind the former. */
export interface SmbiosImage {
  readonly entryPoint: Uint8Array;
  readonly table: Uint8Array;
}

/**
 * Builds both.
 * @param gpa where the structures will lie
 */
export function buildSmbios(gpa: number, facts: SmbiosFacts): SmbiosImage {
  const encoded = structures(facts).map(encode);
  const table = Uint8Array.from(encoded.flat());
  const largest = Math.max(...encoded.map(({ length }) => length));
  return { entryPoint: entryPoint(gpa, table.length, encoded.length, largest), table };
}

function structures({ ramBytes, version, uuid }: SmbiosFacts): Structure[] {
  const dword = (value: number) => littleEndian(value, 4);
  const word = (value: number) => littleEndian(value, 2);
  return [
    [TYPE.BIOS, [
      ...[1, 2, ...word(0xe800), 3, 0], // vendor, version, segment, date, 64 KiB
      ...[NO_CHARACTERISTICS, 0, 0, 0, 0, 0, 0, 0],
      ...[0, VIRTUAL_MACHINE],
      ...[4, 17, 0xff, 0xff],
    ], ["Xen", version, "01/01/2026"]],
    [TYPE.SYSTEM, [1, 2, 3, 4, ...uuidBytes(uuid), POWER_SWITCH, 0, 0], [
      ...["Xen", "HVM domU", version, uuid],
    ]],
    [TYPE.CHASSIS, [1, OTHER, 0, 0, 0, SAFE, SAFE, SAFE, OTHER], ["Xen"]],
    [TYPE.PROCESSOR, [
      ...[1, CENTRAL_PROCESSOR, OTHER, 2, ...dword(0), ...dword(0), 0, 0],
      ...[...word(0), ...word(0), ...word(0), POPULATED_AND_ENABLED, NO_UPGRADE],
      ...[...word(0xffff), ...word(0xffff), ...word(0xffff), 0, 0, 0],
    ], ["CPU 0", "Intel"]],
    [TYPE.MEMORY_ARRAY, [
      ...[OTHER, SYSTEM_MEMORY, SAFE, ...dword(ramBytes / 1024), ...word(NOT_PROVIDED), ...word(1)],
    ], []],
    [TYPE.MEMORY_DEVICE, [
      ...[...handle(TYPE.MEMORY_ARRAY), ...word(0xfffe), ...word(64), ...word(64)],
      ...[...word(ramBytes / MIB), 9, 0, 1, 0, RAM_CHIP, ...word(0)], // in a DIMM
    ], ["DIMM 0"]],
    [TYPE.MEMORY_ARRAY_ADDRESS, [
      ...[...dword(0), ...dword(ramBytes / 1024 - 1), ...handle(TYPE.MEMORY_ARRAY), 1],
    ], []],
    [TYPE.BOOT, [0, 0, 0, 0, 0, 0, 0], []], // no error
    [TYPE.END, [], []],
  ];
}

/** Every type is there once. */
function handle(type: number): number[] {
  return littleEndian(type << 8, 2);
}

/** Header, fields, texts that end with a zero each, and one more. */
function encode([type, fields, texts]: Structure): number[] {
  const strings = texts.flatMap((text) => [...new TextEncoder().encode(text), 0]);
  const end = texts.length === 0 ? [0, 0] : [0];
  return [type, HEADER_BYTES + fields.length, ...handle(type), ...fields, ...strings, ...end];
}

/** In the order of its digits, as before version 2.6. */
function uuidBytes(uuid: string): number[] {
  return uuid.replaceAll("-", "").match(/../g)!.map((digits) => parseInt(digits, 16));
}

function entryPoint(gpa: number, length: number, count: number, largest: number): Uint8Array {
  const bytes = new Uint8Array(ENTRY_POINT_BYTES);
  const view = new DataView(bytes.buffer);
  putText(bytes, 0, "_SM_");
  bytes.set([0, ENTRY_POINT_BYTES, VERSION.major, VERSION.minor], 4);
  view.setUint16(8, largest, true);
  putText(bytes, INTERMEDIATE.at, "_DMI_");
  view.setUint16(22, length, true);
  view.setUint32(24, gpa, true);
  view.setUint16(28, count, true);
  bytes[30] = VERSION.bcd;
  const { at, checksum: sum } = INTERMEDIATE;
  bytes[sum] = checksum(bytes.subarray(at, at + INTERMEDIATE.length));
  bytes[4] = checksum(bytes);
  return bytes;
}
