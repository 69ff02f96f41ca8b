/**
 * The "zero page": what a Linux kernel entered in protected mode is told, and the descriptor table
 * it starts with. The same for a bzImage and for the kernel inside of one.
 * Source: Linux Documentation/x86/zero-page.rst and boot.rst, protocol 2.15.
 * @module
 */

import { BootInfo } from "./boot_info.ts";
import type { GuestImage, GuestSegment } from "./image.ts";
import { memoryMap, type MemoryRange } from "./memory_map.ts";

const PARAMS_BYTES = 4096;

/** Offsets in the zero page, the set-up header included. */
const PARAMS = {
  videoMode: 0x06,
  columns: 0x07,
  rows: 0x0e,
  isVga: 0x0f,
  fontHeight: 0x10,
  rsdp: 0x70,
  e820Entries: 0x1e8,
  header: 0x1f1,
  vidMode: 0x1fa,
  typeOfLoader: 0x210,
  loadFlags: 0x211,
  ramdiskImage: 0x218,
  ramdiskSize: 0x21c,
  heapEnd: 0x224,
  commandLine: 0x228,
  e820Table: 0x2d0,
} as const;

const E820_ENTRY_BYTES = 20;
/** A loader without a number of its own. */
const LOADER_UNKNOWN = 0xff;
/** LOADED_HIGH | CAN_USE_HEAP. */
const LOAD_FLAGS = 0x81;
const HEAP_END = 0xe000;
const VIDEO_MODE_NORMAL = 0xffff;
const TEXT_MODE = { number: 3, columns: 80, rows: 25, fontHeight: 16 } as const;

/** Flat code in selector 10h, flat data in 18h, as the boot protocol demands. */
const GDT_ENTRIES: readonly bigint[] = [0n, 0n, 0x00cf9b000000ffffn, 0x00cf93000000ffffn];
const BOOT_CS = 0x10;
const BOOT_DS = 0x18;

/** What the kernel is told. */
export interface LinuxParams {
  readonly ramBytes: number;
  readonly commandLine: string;
  readonly initrd: GuestSegment | undefined;
  /** The set-up header of a bzImage, from file offset 1F1h; an ELF kernel has none. */
  readonly header?: Uint8Array;
  /** Of the ACPI root pointer, 0 to let the kernel search. */
  readonly rsdp: number;
}

/** Everything that is to be placed besides kernel and initrd, and the registers at entry. */
export function linuxEntry(
  params: LinuxParams,
): Pick<GuestImage, "regs" | "gdt"> & { readonly segment: GuestSegment } {
  const info = new BootInfo();
  const page = info.reserve(PARAMS_BYTES);
  if (params.header !== undefined) {
    params.header.forEach((byte, i) => info.set8(page + PARAMS.header + i, byte));
  }
  fillHeader(info, page, params);
  fillScreen(info, page);
  fillMap(info, page, memoryMap(params.ramBytes));
  info.set64(page + PARAMS.rsdp, params.rsdp);
  const gdt = addGdt(info);
  return { segment: info.segment(), regs: [0, 0, 0, 0, 0, 0, page, 0], gdt };
}

/** Adds the descriptor table; says what the segment registers hold. */
export function addGdt(info: BootInfo): NonNullable<GuestImage["gdt"]> {
  const base = info.reserve(GDT_ENTRIES.length * 8);
  GDT_ENTRIES.forEach((descriptor, i) => {
    info.set32(base + i * 8, Number(descriptor & 0xffffffffn));
    info.set32(base + i * 8 + 4, Number(descriptor >> 32n));
  });
  return { base, limit: GDT_ENTRIES.length * 8 - 1, code: BOOT_CS, data: BOOT_DS };
}

function fillHeader(info: BootInfo, page: number, { commandLine, initrd }: LinuxParams): void {
  info.set8(page + PARAMS.typeOfLoader, LOADER_UNKNOWN);
  info.set8(page + PARAMS.loadFlags, LOAD_FLAGS);
  info.set16(page + PARAMS.vidMode, VIDEO_MODE_NORMAL);
  info.set16(page + PARAMS.heapEnd, HEAP_END);
  info.set32(page + PARAMS.commandLine, info.addText(commandLine));
  info.set32(page + PARAMS.ramdiskImage, initrd?.gpa ?? 0);
  info.set32(page + PARAMS.ramdiskSize, initrd?.bytes.length ?? 0);
}

function fillScreen(info: BootInfo, page: number): void {
  info.set8(page + PARAMS.videoMode, TEXT_MODE.number);
  info.set8(page + PARAMS.columns, TEXT_MODE.columns);
  info.set8(page + PARAMS.rows, TEXT_MODE.rows);
  info.set8(page + PARAMS.isVga, 1);
  info.set16(page + PARAMS.fontHeight, TEXT_MODE.fontHeight);
}

function fillMap(info: BootInfo, page: number, map: readonly MemoryRange[]): void {
  info.set8(page + PARAMS.e820Entries, map.length);
  map.forEach(({ base, length, type }, i) => {
    const entry = page + PARAMS.e820Table + i * E820_ENTRY_BYTES;
    info.set64(entry, base);
    info.set64(entry + 8, length);
    info.set32(entry + 16, type);
  });
}
