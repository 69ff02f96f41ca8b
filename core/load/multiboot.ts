/**
 * Multiboot 1 kernels: the header in the file, the machine state at entry, the boot information.
 * Source: The Multiboot Specification version 0.6.96, §3.1 (header), §3.2 (state), §3.3 (information).
 * @module
 */

import { viewOf } from "../bits.ts";
import { UsageError } from "../errors.ts";
import { PAGE_SIZE } from "../types.ts";
import { isElf, parseElf32 } from "./elf.ts";
import type { GuestImage, GuestSegment } from "./image.ts";
import { HOLE, LOW_MEMORY_END, memoryMap } from "./memory_map.ts";
import type { BootModule } from "./modules.ts";

const HEADER_MAGIC = 0x1badb002;
const ENTRY_MAGIC = 0x2badb002;
/** The header lies in the first bytes of the file, 4-byte aligned. */
const SEARCH_BYTES = 8192;

const FLAG_PAGE_ALIGN = 1 << 0;
const FLAG_MEMORY_INFO = 1 << 1;
const FLAG_ADDRESSES = 1 << 16;
/** Bits 0–15 are demands: a loader that does not know one must refuse. */
const DEMANDS = 0xffff;

/** Offsets in the header. */
const HEADER = {
  flags: 4,
  checksum: 8,
  headerAddr: 12,
  loadAddr: 16,
  loadEnd: 20,
  bssEnd: 24,
  entry: 28,
  shortSize: 12,
  longSize: 32,
};

/** Offsets in the boot information; `size` leaves out what no flag announces. */
const INFO = {
  flags: 0,
  memLower: 4,
  memUpper: 8,
  cmdline: 16,
  moduleCount: 20,
  modules: 24,
  mmapLength: 44,
  mmapAddr: 48,
  loaderName: 64,
  size: 88,
};
/** mem, cmdline, mmap, loader name. */
const INFO_FLAGS = 1 << 0 | 1 << 2 | 1 << 6 | 1 << 9;
const INFO_FLAG_MODULES = 1 << 3;

/** Offsets in an entry of the module list; the last word is reserved. */
const MODULE = { begin: 0, end: 4, text: 8, size: 16 };

/** `size` field of a memory map entry: the bytes after it. */
const MMAP_ENTRY_SIZE = 20;

const LOADER_NAME = "trapring";
const KIB = 1024;
const HIGH_MEMORY = HOLE.end;
/** The information is placed at the highest free paragraph below this address. */
const INFO_CEILING = 0x9f000;

/** What the kernel is told. */
export interface MultibootOptions {
  /** The file's name: first word of the command line, and in messages. */
  readonly name: string;
  readonly ramBytes: number;
  /** Text after the first word of the command line; empty for none. */
  readonly append: string;
  /** Placed behind the kernel, in this order. */
  readonly modules?: readonly BootModule[];
}

/** Offset of the Multiboot header, `undefined` where there is none. */
export function findMultibootHeader(file: Uint8Array): number | undefined {
  const data = viewOf(file);
  const end = Math.min(file.length, SEARCH_BYTES) - HEADER.shortSize;
  for (let at = 0; at <= end; at += 4) {
    if (data.getUint32(at, true) !== HEADER_MAGIC) continue;
    const flags = data.getUint32(at + HEADER.flags, true);
    const checksum = data.getUint32(at + HEADER.checksum, true);
    if ((HEADER_MAGIC + flags + checksum) % 2 ** 32 === 0) return at;
  }
  return undefined;
}

/** The header at `at` carries load addresses: they win over an ELF file's own headers. */
function hasLoadAddresses(file: Uint8Array, at: number): boolean {
  return (viewOf(file).getUint32(at + HEADER.flags, true) & FLAG_ADDRESSES) !== 0;
}

/**
 * Places the kernel and its boot information.
 * @param at offset of the Multiboot header
 * @throws {UsageError} when the header demands what this machine lacks, or the file is damaged
 */
export function loadMultiboot(file: Uint8Array, at: number, options: MultibootOptions): GuestImage {
  const flags = viewOf(file).getUint32(at + HEADER.flags, true);
  const unknown = flags & DEMANDS & ~(FLAG_PAGE_ALIGN | FLAG_MEMORY_INFO);
  if (unknown !== 0) {
    throw new UsageError(
      `Cannot load guest "${options.name}": its Multiboot header demands feature bits ` +
        `0x${unknown.toString(16)} (bit 2 is a video mode), which this machine has not`,
      "clear the bits in the kernel's Multiboot header flags",
    );
  }
  const kernel = hasLoadAddresses(file, at)
    ? loadByAddresses(file, at, options.name)
    : loadElf(file, options.name);
  const modules = placeModules(kernel.segments, options);
  const info = bootInformation(kernel.segments, modules, options);
  return {
    format: "multiboot",
    segments: [...kernel.segments, ...modules, info],
    mode: "protected32",
    eip: kernel.entry,
    regs: [ENTRY_MAGIC, 0, 0, info.gpa, 0, 0, 0, 0],
  };
}

interface Kernel {
  readonly segments: readonly GuestSegment[];
  readonly entry: number;
}

function loadElf(file: Uint8Array, name: string): Kernel {
  if (isElf(file)) return parseElf32(file, name);
  throw new UsageError(
    `Cannot load guest "${name}": its Multiboot header has no load addresses and it is not ELF`,
    "set flag bit 16 and the five addresses in the header, or link it as 32-bit ELF",
  );
}

function loadByAddresses(file: Uint8Array, at: number, name: string): Kernel {
  const field = (offset: number) => viewOf(file).getUint32(at + offset, true);
  if (at + HEADER.longSize > file.length) throw damaged(name, "ends inside the header");
  const gpa = field(HEADER.loadAddr);
  const begin = at - (field(HEADER.headerAddr) - gpa);
  const loadEnd = field(HEADER.loadEnd);
  const end = loadEnd === 0 ? file.length : begin + (loadEnd - gpa);
  if (begin < 0 || begin > at || end < begin || end > file.length) {
    throw damaged(name, `maps file bytes ${begin} to ${end} of ${file.length}`);
  }
  const imageEnd = gpa + (end - begin);
  const bssEnd = field(HEADER.bssEnd);
  const zero = bssEnd === 0 ? 0 : bssEnd - imageEnd;
  if (zero < 0) throw damaged(name, "ends its bss before its data");
  return {
    segments: [{ gpa, bytes: file.subarray(begin, end), zero }],
    entry: field(HEADER.entry),
  };
}

function damaged(name: string, why: string): UsageError {
  return new UsageError(
    `Cannot load guest "${name}": its Multiboot header ${why}`,
    "check header_addr, load_addr, load_end_addr and bss_end_addr",
  );
}

/** Behind the kernel and in high memory, each on a page of its own. */
function placeModules(
  kernel: readonly GuestSegment[],
  { modules = [] }: MultibootOptions,
): GuestSegment[] {
  let end = Math.max(HIGH_MEMORY, ...kernel.map((s) => s.gpa + s.bytes.length + s.zero));
  return modules.map(({ bytes }) => {
    const gpa = Math.ceil(end / PAGE_SIZE) * PAGE_SIZE;
    end = gpa + bytes.length;
    return { gpa, bytes, zero: 0 };
  });
}

/** The structure, the memory map, the module list and the strings in one segment of low memory. */
function bootInformation(
  kernel: readonly GuestSegment[],
  placed: readonly GuestSegment[],
  options: MultibootOptions,
): GuestSegment {
  const { name, ramBytes, append, modules = [] } = options;
  const commandLine = `${firstWord(name)} ${append}`.trimEnd();
  const texts = [commandLine, LOADER_NAME, ...modules.map(({ text }) => text)];
  const strings = texts.map((text) => new TextEncoder().encode(`${text}\0`));
  const map = memoryMap(ramBytes);
  const mmapLength = map.length * (MMAP_ENTRY_SIZE + 4);
  const modulesAt = INFO.size + mmapLength;
  const stringsAt = modulesAt + placed.length * MODULE.size;
  const bytes = new Uint8Array(strings.reduce((sum, { length }) => sum + length, stringsAt));
  const gpa = freeLowMemory(kernel, bytes.length, name);
  const data = viewOf(bytes);
  const stringGpas: number[] = [];
  strings.reduce((at, string) => {
    bytes.set(string, at);
    stringGpas.push(gpa + at);
    return at + string.length;
  }, stringsAt);
  const [commandLineGpa, loaderGpa, ...moduleGpas] = stringGpas;
  data.setUint32(INFO.flags, INFO_FLAGS | (placed.length > 0 ? INFO_FLAG_MODULES : 0), true);
  data.setUint32(INFO.memLower, LOW_MEMORY_END / KIB, true);
  data.setUint32(INFO.memUpper, Math.floor((ramBytes - HIGH_MEMORY) / KIB), true);
  data.setUint32(INFO.cmdline, commandLineGpa!, true);
  data.setUint32(INFO.mmapLength, mmapLength, true);
  data.setUint32(INFO.mmapAddr, gpa + INFO.size, true);
  data.setUint32(INFO.loaderName, loaderGpa!, true);
  map.forEach(({ base, length, type }, i) => {
    const entry = INFO.size + i * (MMAP_ENTRY_SIZE + 4);
    data.setUint32(entry, MMAP_ENTRY_SIZE, true);
    data.setUint32(entry + 4, base, true);
    data.setUint32(entry + 12, length, true);
    data.setUint32(entry + 20, type, true);
  });
  if (placed.length > 0) {
    data.setUint32(INFO.moduleCount, placed.length, true);
    data.setUint32(INFO.modules, gpa + modulesAt, true);
  }
  placed.forEach((module, i) => {
    const entry = modulesAt + i * MODULE.size;
    data.setUint32(entry + MODULE.begin, module.gpa, true);
    data.setUint32(entry + MODULE.end, module.gpa + module.bytes.length, true);
    data.setUint32(entry + MODULE.text, moduleGpas[i]!, true);
  });
  return { gpa, bytes, zero: 0 };
}

/** The file's own name; a blank in it would begin the next word. */
function firstWord(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1).replace(/\s/g, "_");
}

/** Highest paragraph of low memory with `length` bytes that no segment of the kernel uses. */
function freeLowMemory(kernel: readonly GuestSegment[], length: number, name: string): number {
  for (let gpa = (INFO_CEILING - length) & ~15; gpa >= KIB; gpa -= 16) {
    const clash = kernel.some((s) => s.gpa < gpa + length && gpa < s.gpa + s.bytes.length + s.zero);
    if (!clash) return gpa;
  }
  throw new UsageError(
    `Cannot load guest "${name}": no ${length} bytes of low memory are left for its boot information`,
    "link the kernel at 0x100000 or above, or shorten -append",
  );
}
