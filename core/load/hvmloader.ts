/**
 * hvmloader, the program in which an HVM domain of Xen starts: it sets up PCI functions and tables,
 * and then starts the BIOS that comes with it as a module.
 * Source: tools/firmware/hvmloader/hvmloader.c and tools/libs/guest/xg_dom_x86.c of Xen 4.17;
 * public headers arch-x86/hvm/start_info.h and hvm/hvm_info_table.h.
 * @module
 */

import { UsageError } from "../errors.ts";
import { PAGE_SIZE } from "../types.ts";
import { checkPlacement } from "./detect.ts";
import { isElf, parseElf32 } from "./elf.ts";
import type { GuestImage, GuestSegment } from "./image.ts";
import { endOf } from "./linux.ts";
import { HVM_MODLIST_ENTRY, HVM_START_INFO, START_MAGIC, START_VERSION } from "./pvh.ts";

/** Where to find it. */
export const HVMLOADER_HINT = "Debian's package xen-utils-4.17 has it in usr/lib/xen-4.17/boot";

/** By this name hvmloader finds the BIOS among its modules. */
const BIOS_MODULE = "firmware";

/** Where the domain builder tells hvmloader of the domain. */
const HVM_INFO_GPA = 0x9f800;
/** Offsets of hvm_info_table. */
export const HVM_INFO_TABLE = {
  SIGNATURE: 0,
  LENGTH: 8,
  CHECKSUM: 12,
  APIC_MODE: 13,
  NR_VCPUS: 16,
  LOW_MEM_PGEND: 20,
  RESERVED_MEM_PGSTART: 24,
  HIGH_MEM_PGEND: 28,
  VCPU_ONLINE: 32,
  SIZE: 48,
} as const;
/** First of the pages that the domain builder has for Xen and its daemons. */
const SPECIAL_PAGES = 0xfeff0;

/** What hvmloader is to work with. */
export interface HvmloaderOptions {
  /** File name, for messages. */
  readonly name: string;
  readonly ramBytes: number;
  /** What it is to start. */
  readonly bios: Uint8Array;
}

/**
 * Places hvmloader with its BIOS and what the domain builder tells it.
 * @throws {UsageError} when the file is damaged or something does not fit
 */
export function loadHvmloader(file: Uint8Array, options: HvmloaderOptions): GuestImage {
  const { name, ramBytes, bios } = options;
  if (!isElf(file)) {
    throw new UsageError(`Cannot use "${name}" as hvmloader: it is no ELF file`, HVMLOADER_HINT);
  }
  const { segments, entry } = parseElf32(file, name);
  const start = pageAfter(endOf(segments));
  const module = start + PAGE_SIZE;
  if (module + bios.length > ramBytes) {
    throw new UsageError(`Cannot load "${name}": it does not fit into ${ramBytes} bytes of RAM`);
  }
  const image: GuestImage = {
    format: "hvmloader",
    segments: [
      ...segments,
      { gpa: start, bytes: startInfo(start, module, bios.length), zero: 0 },
      { gpa: module, bytes: bios, zero: 0 },
      hvmInfo(ramBytes),
    ],
    mode: "protected32",
    eip: entry,
    regs: [0, 0, 0, start, 0, 0, 0, 0],
  };
  checkPlacement(image, options);
  return image;
}

/** The record, the one entry of its list of modules, and the name of that. */
function startInfo(gpa: number, module: number, length: number): Uint8Array {
  const list = HVM_START_INFO.SIZE + 8;
  const text = list + HVM_MODLIST_ENTRY.SIZE;
  const bytes = new Uint8Array(text + BIOS_MODULE.length + 1);
  const view = new DataView(bytes.buffer);
  view.setUint32(HVM_START_INFO.MAGIC, START_MAGIC, true);
  view.setUint32(HVM_START_INFO.VERSION, START_VERSION, true);
  view.setUint32(HVM_START_INFO.NR_MODULES, 1, true);
  view.setUint32(HVM_START_INFO.MODLIST_PADDR, gpa + list, true);
  view.setUint32(list + HVM_MODLIST_ENTRY.PADDR, module, true);
  view.setUint32(list + HVM_MODLIST_ENTRY.LENGTH, length, true);
  view.setUint32(list + HVM_MODLIST_ENTRY.CMDLINE_PADDR, gpa + text, true);
  bytes.set(new TextEncoder().encode(BIOS_MODULE), text);
  return bytes;
}

function hvmInfo(ramBytes: number): GuestSegment {
  const bytes = new Uint8Array(HVM_INFO_TABLE.SIZE);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("HVM INFO"), HVM_INFO_TABLE.SIGNATURE);
  view.setUint32(HVM_INFO_TABLE.LENGTH, HVM_INFO_TABLE.SIZE, true);
  view.setUint8(HVM_INFO_TABLE.APIC_MODE, 1);
  view.setUint32(HVM_INFO_TABLE.NR_VCPUS, 1, true);
  view.setUint32(HVM_INFO_TABLE.LOW_MEM_PGEND, ramBytes / PAGE_SIZE, true);
  view.setUint32(HVM_INFO_TABLE.RESERVED_MEM_PGSTART, SPECIAL_PAGES, true);
  view.setUint8(HVM_INFO_TABLE.VCPU_ONLINE, 1);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  view.setUint8(HVM_INFO_TABLE.CHECKSUM, -sum & 0xff);
  return { gpa: HVM_INFO_GPA, bytes, zero: 0 };
}

function pageAfter(gpa: number): number {
  return Math.ceil(gpa / PAGE_SIZE) * PAGE_SIZE;
}
