/**
 * What Xen's hvmloader leaves behind for SeaBIOS, where it has not run itself: the BIOS in the RAM
 * below 1 MiB, tables that describe the machine, and a record that tells where they are. SeaBIOS
 * then sets no PCI function up and makes no table.
 * Source: tools/firmware/hvmloader/seabios.c of Xen, struct seabios_info; src/fw/xen.c of SeaBIOS.
 * @module
 */

import type { Profile } from "../cpu/cpuid.ts";
import { InternalError } from "../errors.ts";
import { E820, HOLE, memoryMap, type MemoryRange } from "../load/memory_map.ts";
import type { GuestMemory } from "../types.ts";
import { buildAcpi, checksum, placeAcpi, putText, TABLES_ALIGN } from "./acpi.ts";
import { processorOf } from "./firmware.ts";
import { mpTable } from "./mptable.ts";
import { buildSmbios } from "./smbios.ts";

/** Where SeaBIOS looks. */
const INFO_GPA = 0x1000;
/** struct seabios_info. */
const INFO = {
  LENGTH: 14,
  CHECKSUM: 15,
  TABLES: 16,
  TABLES_NR: 20,
  E820: 24,
  E820_NR: 28,
  SIZE: 32,
} as const;
const SIGNATURE = "XenHVMSeaBIOS";
const E820_ENTRY_BYTES = 20;

/** The end of RAM, that no system uses for anything else. */
const TABLE_BYTES = 0x10000;

/** What there is to tell. */
export interface HvmFirmwareFacts {
  readonly bios: Uint8Array;
  readonly cpu: Profile;
  /** Of Xen. */
  readonly version: string;
  readonly uuid: string;
}

/** Puts all of it into RAM, which must answer below 1 MiB. */
export function placeHvmFirmware(memory: GuestMemory, facts: HvmFirmwareFacts): void {
  const base = memory.size - TABLE_BYTES;
  const writer = new TableWriter(memory, base);
  place(memory, HOLE.end - facts.bios.length, facts.bios);
  const pointers = [
    placeAcpiTables(writer),
    placeMpTable(writer, facts.cpu),
    placeSmbios(writer, facts, memory.size),
  ];
  const map = memoryMap(memory.size).flatMap((range) => withoutTables(range, base));
  place(memory, INFO_GPA, infoOf(pointers, map));
}

/** RAM ends where the tables begin. */
function withoutTables(range: MemoryRange, base: number): MemoryRange[] {
  if (range.type !== E820.RAM || range.base + range.length <= base) return [range];
  return [
    { ...range, length: base - range.base },
    { base, length: TABLE_BYTES, type: E820.RESERVED },
  ];
}

/** Lays one table behind the other. */
class TableWriter {
  readonly #memory: GuestMemory;
  #next: number;

  constructor(memory: GuestMemory, base: number) {
    this.#memory = memory;
    this.#next = base;
  }

  /** Where the next table will lie. */
  get next(): number {
    return this.#next;
  }

  /** Places a table; returns where. */
  add(table: Uint8Array): number {
    const at = this.#next;
    place(this.#memory, at, table);
    this.#next = Math.ceil((at + table.length) / TABLES_ALIGN) * TABLES_ALIGN;
    return at;
  }
}

function placeAcpiTables(writer: TableWriter): number {
  const { rsdp, tables } = placeAcpi(buildAcpi(), writer.next);
  writer.add(tables);
  return writer.add(rsdp);
}

function placeMpTable(writer: TableWriter, cpu: Profile): number {
  return writer.add(mpTable(writer.next, processorOf(cpu)));
}

function placeSmbios(writer: TableWriter, facts: HvmFirmwareFacts, ramBytes: number): number {
  const { entryPoint, table } = buildSmbios(writer.next, { ...facts, ramBytes });
  writer.add(table);
  return writer.add(entryPoint);
}

/** The record, the pointers behind it, and the memory map behind those. */
function infoOf(pointers: readonly number[], map: readonly MemoryRange[]): Uint8Array {
  const tables = INFO.SIZE;
  const e820 = tables + 4 * pointers.length;
  const bytes = new Uint8Array(e820 + E820_ENTRY_BYTES * map.length);
  const view = new DataView(bytes.buffer);
  putText(bytes, 0, SIGNATURE);
  view.setUint8(INFO.LENGTH, INFO.SIZE);
  view.setUint32(INFO.TABLES, INFO_GPA + tables, true);
  view.setUint32(INFO.TABLES_NR, pointers.length, true);
  view.setUint32(INFO.E820, INFO_GPA + e820, true);
  view.setUint32(INFO.E820_NR, map.length, true);
  bytes[INFO.CHECKSUM] = checksum(bytes.subarray(0, INFO.SIZE));
  pointers.forEach((pointer, i) => view.setUint32(tables + 4 * i, pointer, true));
  map.forEach(({ base, length, type }, i) => {
    const at = e820 + E820_ENTRY_BYTES * i;
    view.setBigUint64(at, BigInt(base), true);
    view.setBigUint64(at + 8, BigInt(length), true);
    view.setUint32(at + 16, type, true);
  });
  return bytes;
}

function place(memory: GuestMemory, gpa: number, bytes: Uint8Array): void {
  const room = memory.range(gpa, bytes.length);
  if (room === undefined) throw new InternalError(`Cannot place firmware at ${gpa}: no memory`);
  room.set(bytes);
  memory.wrote(room);
}
