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

const START_INFO = {
  magic: 0,
  version: 4,
  flags: 8,
  moduleCount: 12,
  modules: 16,
  commandLine: 24,
  rsdp: 32,
  memoryMap: 40,
  memoryMapEntries: 48,
  size: 56,
} as const;
const START_MAGIC = 0x336ec578;
/** The first version with a memory map. */
const START_VERSION = 1;

const MODULE = { address: 0, length: 8, commandLine: 16, size: 32 } as const;
const MAP_ENTRY = { base: 0, length: 8, type: 16, size: 24 } as const;

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
  const start = info.reserve(START_INFO.size);
  const map = memoryMap(ramBytes);
  info.set32(start + START_INFO.magic, START_MAGIC);
  info.set32(start + START_INFO.version, START_VERSION);
  info.set64(start + START_INFO.commandLine, info.addText(append));
  info.set64(start + START_INFO.rsdp, RSDP_GPA);
  if (initrd !== undefined) {
    info.set32(start + START_INFO.moduleCount, 1);
    info.set64(start + START_INFO.modules, addModule(info, initrd));
  }
  const table = info.reserve(map.length * MAP_ENTRY.size);
  info.set64(start + START_INFO.memoryMap, table);
  info.set32(start + START_INFO.memoryMapEntries, map.length);
  map.forEach(({ base, length, type }, i) => {
    const entry = table + i * MAP_ENTRY.size;
    info.set64(entry + MAP_ENTRY.base, base);
    info.set64(entry + MAP_ENTRY.length, length);
    info.set32(entry + MAP_ENTRY.type, type);
  });
  const gdt = addGdt(info);
  return { segment: info.segment(), startInfo: start, gdt };
}

function addModule(info: BootInfo, { gpa, bytes }: GuestSegment): number {
  const module = info.reserve(MODULE.size);
  info.set64(module + MODULE.address, gpa);
  info.set64(module + MODULE.length, bytes.length);
  return module;
}
