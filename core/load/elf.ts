/**
 * 32-bit x86 executables in the Executable and Linkable Format.
 * Source: System V ABI, chapters 4 and 5; Intel386 processor supplement.
 * @module
 */

import { viewOf } from "../bits.ts";
import { UsageError } from "../errors.ts";
import type { GuestSegment } from "./image.ts";

const MAGIC = 0x464c457f;
const CLASS_32 = 1;
const LITTLE_ENDIAN = 1;
const ET_EXEC = 2;
const EM_386 = 3;
const PT_LOAD = 1;
const PT_NOTE = 4;

/** Offsets in the file header. */
const EHDR = {
  class: 4,
  data: 5,
  type: 16,
  machine: 18,
  entry: 24,
  phoff: 28,
  phnum: 44,
  size: 52,
};
/** Offsets in a program header. */
const PHDR = { type: 0, offset: 4, vaddr: 8, paddr: 12, filesz: 16, memsz: 20, size: 32 };

/** Lengths of owner and description, then the type; both texts are padded to four bytes. */
const NOTE = { ownerLength: 0, descLength: 4, type: 8, size: 12 };

/** One entry of a note segment. */
export interface ElfNote {
  /** Whose numbering `type` follows. */
  readonly owner: string;
  readonly type: number;
  readonly desc: Uint8Array;
}

/** What a loader needs of an executable. */
export interface Elf32 {
  /** Loadable segments at their physical addresses, in file order; empty ones left out. */
  readonly segments: readonly GuestSegment[];
  /** Guest-physical address of the entry point. */
  readonly entry: number;
}

/** The file starts with 7F "ELF". */
export function isElf(file: Uint8Array): boolean {
  return file.length >= 4 && viewOf(file).getUint32(0, true) === MAGIC;
}

/**
 * Reads the program headers.
 * @param name the file's name, for messages
 * @throws {UsageError} when it is not a complete 32-bit x86 executable
 */
export function parseElf32(file: Uint8Array, name: string): Elf32 {
  checkHeader(file, name);
  const data = viewOf(file);
  const first = data.getUint32(EHDR.phoff, true);
  const count = data.getUint16(EHDR.phnum, true);
  if (first + count * PHDR.size > file.length) throw truncated(file, name);
  const virtualEntry = data.getUint32(EHDR.entry, true);
  let entry = virtualEntry;
  const segments: GuestSegment[] = [];
  for (let i = 0; i < count; i++) {
    const at = first + i * PHDR.size;
    const field = (offset: number) => data.getUint32(at + offset, true);
    if (field(PHDR.type) !== PT_LOAD || field(PHDR.memsz) === 0) continue;
    segments.push(loadSegment(file, name, at));
    // The entry point is virtual; before paging it runs at the segment's physical place.
    const offset = virtualEntry - field(PHDR.vaddr);
    if (offset >= 0 && offset < field(PHDR.memsz)) entry = field(PHDR.paddr) + offset;
  }
  if (segments.length === 0) {
    throw new UsageError(`Cannot load guest "${name}": the ELF file has no loadable segment`);
  }
  return { segments, entry };
}

/**
 * Reads the note segments, as far as they are whole and no longer than the file together. Nothing
 * else is checked.
 * @param file an ELF file
 */
export function elfNotes(file: Uint8Array): readonly ElfNote[] {
  if (file.length < EHDR.size || file[EHDR.class] !== CLASS_32) return [];
  const data = viewOf(file);
  const first = data.getUint32(EHDR.phoff, true);
  const notes: ElfNote[] = [];
  let left = file.length;
  for (let i = 0; i < data.getUint16(EHDR.phnum, true); i++) {
    const at = first + i * PHDR.size;
    if (at + PHDR.size > file.length) break;
    if (data.getUint32(at + PHDR.type, true) !== PT_NOTE) continue;
    const offset = data.getUint32(at + PHDR.offset, true);
    const segment = file.subarray(offset, offset + data.getUint32(at + PHDR.filesz, true));
    left -= segment.length;
    if (left < 0) break;
    readNotes(segment, notes);
  }
  return notes;
}

function readNotes(segment: Uint8Array, notes: ElfNote[]): void {
  const data = viewOf(segment);
  for (let at = 0; at + NOTE.size <= segment.length;) {
    const ownerAt = at + NOTE.size;
    const ownerEnd = ownerAt + data.getUint32(at + NOTE.ownerLength, true);
    const descAt = align4(ownerEnd);
    const descEnd = descAt + data.getUint32(at + NOTE.descLength, true);
    if (descEnd > segment.length) break;
    const owner = new TextDecoder().decode(segment.subarray(ownerAt, ownerEnd)).replace(/\0+$/, "");
    const type = data.getUint32(at + NOTE.type, true);
    notes.push({ owner, type, desc: segment.subarray(descAt, descEnd) });
    at = align4(descEnd);
  }
}

function align4(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}

function loadSegment(file: Uint8Array, name: string, at: number): GuestSegment {
  const data = viewOf(file);
  const offset = data.getUint32(at + PHDR.offset, true);
  const filesz = data.getUint32(at + PHDR.filesz, true);
  const memsz = data.getUint32(at + PHDR.memsz, true);
  if (offset + filesz > file.length || filesz > memsz) throw truncated(file, name);
  return {
    gpa: data.getUint32(at + PHDR.paddr, true),
    bytes: file.subarray(offset, offset + filesz),
    zero: memsz - filesz,
  };
}

function checkHeader(file: Uint8Array, name: string): void {
  if (file.length < EHDR.size) throw truncated(file, name);
  const data = viewOf(file);
  if (file[EHDR.class] !== CLASS_32 || file[EHDR.data] !== LITTLE_ENDIAN) {
    throw new UsageError(
      `Cannot load guest "${name}": a 64-bit or big-endian ELF file, wanted 32-bit x86`,
      "build it with gcc -m32, or objcopy -O elf32-i386",
    );
  }
  if (data.getUint16(EHDR.machine, true) !== EM_386) {
    throw new UsageError(`Cannot load guest "${name}": an ELF file for another CPU, wanted 80386`);
  }
  if (data.getUint16(EHDR.type, true) !== ET_EXEC) {
    throw new UsageError(
      `Cannot load guest "${name}": an ELF object or shared library, wanted an executable`,
      "link it at a fixed address: ld -m elf_i386 -Ttext 0x100000",
    );
  }
}

function truncated(file: Uint8Array, name: string): UsageError {
  return new UsageError(
    `Cannot load guest "${name}": the ELF file is damaged, its headers point outside its ` +
      `${file.length} bytes`,
    "copy or link it again",
  );
}
