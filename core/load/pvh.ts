/**
 * Kernels with a PVH entry point: ELF files whose Xen note names the address to enter at.
 * Source: Xen docs/misc/pvh.pandoc; xen/include/public/arch-x86/hvm/start_info.h and elfnote.h.
 * @module
 */

import { UsageError } from "../errors.ts";
import { BootInfo, MAX_COMMAND_LINE } from "./boot_info.ts";
import { elfNotes, isElf, parseElf32 } from "./elf.ts";
import type { GuestImage, GuestSegment } from "./image.ts";
import { placeInitrd } from "./initrd.ts";
import { checkCommandLine, checkRam, endOf, type LinuxOptions } from "./linux.ts";
import { addGdt } from "./linux_params.ts";
import { memoryMap, RSDP_GPA } from "./memory_map.ts";

const NOTE_OWNER = "Xen";
/** XEN_ELFNOTE_PHYS32_ENTRY. */
const NOTE_PHYS32_ENTRY = 18;

/** Offsets of hvm_start_info. */
export const HVM_START_INFO = {
  MAGIC: 0,
  VERSION: 4,
  FLAGS: 8,
  NR_MODULES: 12,
  MODLIST_PADDR: 16,
  CMDLINE_PADDR: 24,
  RSDP_PADDR: 32,
  MEMMAP_PADDR: 40,
  MEMMAP_ENTRIES: 48,
  SIZE: 56,
} as const;
/** What the record begins with. */
export const START_MAGIC = 0x336ec578;
/** The first version with a memory map. */
export const START_VERSION = 1;

/** Offsets of hvm_modlist_entry. */
export const HVM_MODLIST_ENTRY = { PADDR: 0, LENGTH: 8, CMDLINE_PADDR: 16, SIZE: 32 } as const;

/** Offsets of hvm_memmap_table_entry. */
export const HVM_MEMMAP_TABLE_ENTRY = { ADDR: 0, LENGTH: 8, TYPE: 16, SIZE: 24 } as const;

/** The entry point that the file's Xen note names, `undefined` where there is none. */
export function findPvhEntry(file: Uint8Array): number | undefined {
  if (!isElf(file)) return undefined;
  const note = elfNotes(file).find(({ owner, type, desc }) =>
    owner === NOTE_OWNER && type === NOTE_PHYS32_ENTRY && desc.length >= 4
  );
  return note && new DataView(note.desc.buffer, note.desc.byteOffset).getUint32(0, true);
}

/**
 * Places the kernel, its start information, and the initrd as its only module.
 * @param entry of {@link findPvhEntry}
 * @throws {UsageError} when the file is damaged or something does not fit
 */
export function loadPvh(file: Uint8Array, entry: number, options: LinuxOptions): GuestImage {
  const { name, ramBytes } = options;
  const { segments } = parseElf32(file, name);
  checkCommandLine(options, MAX_COMMAND_LINE);
  if (!segments.some(({ gpa, bytes }) => entry >= gpa && entry < gpa + bytes.length)) {
    throw new UsageError(
      `Cannot load guest "${name}": its PVH note enters at 0x${entry.toString(16)}, where it has ` +
        "no code",
      "link it again",
    );
  }
  const end = endOf(segments);
  checkRam(options, end);
  const initrd = options.initrd && placeInitrd(options.initrd, end, ramBytes);
  const { segment, startInfo, gdt } = startInformation(options, initrd);
  return {
    format: "pvh",
    segments: [...segments, segment, ...initrd ? [initrd] : []],
    mode: "protected32",
    eip: entry,
    regs: [0, 0, 0, startInfo, 0, 0, 0, 0],
    ...gdt && { gdt },
  };
}

function startInformation(
  { append, ramBytes }: LinuxOptions,
  initrd: GuestSegment | undefined,
): Pick<GuestImage, "gdt"> & { readonly segment: GuestSegment; readonly startInfo: number } {
  const info = new BootInfo();
  const start = info.reserve(HVM_START_INFO.SIZE);
  const map = memoryMap(ramBytes);
  info.set32(start + HVM_START_INFO.MAGIC, START_MAGIC);
  info.set32(start + HVM_START_INFO.VERSION, START_VERSION);
  info.set64(start + HVM_START_INFO.CMDLINE_PADDR, info.addText(append));
  info.set64(start + HVM_START_INFO.RSDP_PADDR, RSDP_GPA);
  if (initrd !== undefined) {
    info.set32(start + HVM_START_INFO.NR_MODULES, 1);
    info.set64(start + HVM_START_INFO.MODLIST_PADDR, addModule(info, initrd));
  }
  const table = info.reserve(map.length * HVM_MEMMAP_TABLE_ENTRY.SIZE);
  info.set64(start + HVM_START_INFO.MEMMAP_PADDR, table);
  info.set32(start + HVM_START_INFO.MEMMAP_ENTRIES, map.length);
  map.forEach(({ base, length, type }, i) => {
    const entry = table + i * HVM_MEMMAP_TABLE_ENTRY.SIZE;
    info.set64(entry + HVM_MEMMAP_TABLE_ENTRY.ADDR, base);
    info.set64(entry + HVM_MEMMAP_TABLE_ENTRY.LENGTH, length);
    info.set32(entry + HVM_MEMMAP_TABLE_ENTRY.TYPE, type);
  });
  const gdt = addGdt(info);
  return { segment: info.segment(), startInfo: start, gdt };
}

function addModule(info: BootInfo, { gpa, bytes }: GuestSegment): number {
  const module = info.reserve(HVM_MODLIST_ENTRY.SIZE);
  info.set64(module + HVM_MODLIST_ENTRY.PADDR, gpa);
  info.set64(module + HVM_MODLIST_ENTRY.LENGTH, bytes.length);
  return module;
}
