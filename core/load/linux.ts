/**
 * Linux kernels entered in 32-bit protected mode: a bzImage by the boot protocol, and the ELF file
 * inside of one, which starts the same way but needs no unpacking.
 * Source: Linux Documentation/x86/boot.rst, "32-bit Boot Protocol", protocols 2.02 to 2.15.
 * @module
 */

import { viewOf } from "../bits.ts";
import { UsageError } from "../errors.ts";
import { MAX_COMMAND_LINE } from "./boot_info.ts";
import { isElf, parseElf32 } from "./elf.ts";
import type { GuestImage, GuestSegment } from "./image.ts";
import { type NamedFile, placeInitrd } from "./initrd.ts";
import { linuxEntry } from "./linux_params.ts";
import { HOLE, MAX_RAM, ramHint, RSDP_GPA } from "./memory_map.ts";

/** "HdrS". */
const HEADER_MAGIC = 0x53726448;
/** Boot protocol that brought a kernel loaded at 1 MiB and a command line anywhere. */
const OLDEST_PROTOCOL = 0x0202;
const PROTOCOL_INITRD_LIMIT = 0x0203;
/** Before it, the upper half of the length is something else, so that the length says nothing. */
const PROTOCOL_LENGTH = 0x0204;
const PROTOCOL_COMMAND_LINE_SIZE = 0x0206;
const PROTOCOL_INIT_SIZE = 0x020a;
const PROTOCOL_MORE_FLAGS = 0x020c;

/** Offsets in the file, which are offsets in the zero page, too. */
const SETUP = {
  sectors: 0x1f1,
  paragraphs: 0x1f4,
  headerLength: 0x201,
  magic: 0x202,
  protocol: 0x206,
  loadFlags: 0x211,
  initrdLimit: 0x22c,
  alignment: 0x230,
  relocatable: 0x234,
  moreLoadFlags: 0x236,
  commandLineSize: 0x238,
  preferredAddress: 0x258,
  initSize: 0x260,
};
/** Of all fields above. */
const HEADER_END = 0x264;
const LOADED_HIGH = 0x01;
/** XLF_KERNEL_64: its 32-bit entry point leads nowhere without long mode. */
const KERNEL_64 = 0x01;
const SECTOR = 512;
const PARAGRAPH = 16;
const DEFAULT_SETUP_SECTORS = 4;
/** What older protocols promise. */
const DEFAULT_INITRD_LIMIT = 0x37ffffff;
const DEFAULT_COMMAND_LINE = 255;
/** The protected-mode part of a "big" kernel. */
const KERNEL_GPA = HOLE.end;

/** Text in the read-only data of every Linux kernel. */
const BANNER: Uint8Array = new TextEncoder().encode("Linux version ");

/** What the kernel is told. */
export interface LinuxOptions {
  /** The file's name, for messages. */
  readonly name: string;
  readonly ramBytes: number;
  readonly append: string;
  readonly initrd: NamedFile | undefined;
}

/** The file starts with a Linux set-up header. */
export function isBzImage(file: Uint8Array): boolean {
  return file.length >= HEADER_END && viewOf(file).getUint32(SETUP.magic, true) === HEADER_MAGIC;
}

/** An ELF file with Linux's banner in it. */
export function isLinuxElf(file: Uint8Array): boolean {
  return isElf(file) && contains(file, BANNER);
}

/**
 * Places a bzImage, what it is told, and its initrd.
 * @throws {UsageError} when the file is damaged or too old, or something does not fit
 */
export function loadBzImage(file: Uint8Array, options: LinuxOptions): GuestImage {
  const setup = readSetup(file, options.name);
  checkCommandLine(options, Math.min(setup.commandLineSize, MAX_COMMAND_LINE));
  const kernel: GuestSegment = {
    gpa: KERNEL_GPA,
    bytes: file.subarray(setup.kernelAt),
    zero: 0,
  };
  const end = Math.max(KERNEL_GPA + kernel.bytes.length, setup.runsUntil);
  return linuxImage("bzimage", [kernel], KERNEL_GPA, {
    ...options,
    end,
    initrdLimit: setup.initrdLimit,
    header: setup.header,
  });
}

/**
 * Places an uncompressed kernel: entered at its ELF entry point with the same zero page.
 * @throws {UsageError} when the file is damaged or something does not fit
 */
export function loadLinuxElf(file: Uint8Array, options: LinuxOptions): GuestImage {
  const { segments, entry } = parseElf32(file, options.name);
  checkCommandLine(options, MAX_COMMAND_LINE);
  const end = endOf(segments);
  return linuxImage("linux-elf", segments, entry, {
    ...options,
    end,
    initrdLimit: DEFAULT_INITRD_LIMIT,
  });
}

/** First byte behind all segments. */
export function endOf(segments: readonly GuestSegment[]): number {
  return Math.max(...segments.map(({ gpa, bytes, zero }) => gpa + bytes.length + zero));
}

/** @throws {UsageError} when the command line is longer than the kernel takes */
export function checkCommandLine({ name, append }: LinuxOptions, longest: number): void {
  const length = new TextEncoder().encode(append).length;
  if (length <= longest) return;
  throw new UsageError(
    `Cannot pass -append to guest "${name}": ${length} bytes, the kernel takes ${longest}`,
    "shorten it",
  );
}

/** @throws {UsageError} when the kernel needs more RAM than there is */
export function checkRam({ name, ramBytes }: LinuxOptions, end: number): void {
  if (end <= ramBytes) return;
  const mib = 1 << 20;
  throw new UsageError(
    `Cannot load guest "${name}": the kernel needs memory up to 0x${end.toString(16)}, RAM has ` +
      `${ramBytes / mib} MiB`,
    end > MAX_RAM
      ? ramHint(end)
      : `-m ${Math.min(Math.max(256, 2 ** Math.ceil(Math.log2((2 * end) / mib))), MAX_RAM / mib)}`,
  );
}

interface Placed extends LinuxOptions {
  /** First byte that the kernel does not use before it has read the memory map. */
  readonly end: number;
  /** Last byte that an initrd may have. */
  readonly initrdLimit: number;
  readonly header?: Uint8Array;
}

function linuxImage(
  format: GuestImage["format"],
  kernel: readonly GuestSegment[],
  eip: number,
  options: Placed,
): GuestImage {
  const { ramBytes, append, end, initrdLimit, header } = options;
  checkRam(options, end);
  const initrd = options.initrd &&
    placeInitrd(options.initrd, end, Math.min(ramBytes, initrdLimit + 1));
  const { segment, regs, gdt } = linuxEntry({
    ramBytes,
    commandLine: append,
    initrd,
    rsdp: RSDP_GPA,
    ...header && { header },
  });
  return {
    format,
    segments: [...kernel, segment, ...initrd ? [initrd] : []],
    mode: "protected32",
    eip,
    regs,
    ...gdt && { gdt },
  };
}

interface Setup {
  /** Offset of the protected-mode part. */
  readonly kernelAt: number;
  readonly header: Uint8Array;
  readonly initrdLimit: number;
  readonly commandLineSize: number;
  /** First byte behind what the kernel unpacks itself into. */
  readonly runsUntil: number;
}

function readSetup(file: Uint8Array, name: string): Setup {
  const data = viewOf(file);
  const protocol = data.getUint16(SETUP.protocol, true);
  const kernelAt = ((file[SETUP.sectors] || DEFAULT_SETUP_SECTORS) + 1) * SECTOR;
  const paragraphs = protocol < PROTOCOL_LENGTH ? 0 : data.getUint32(SETUP.paragraphs, true);
  const length = kernelAt + paragraphs * PARAGRAPH;
  // The last paragraph need not be full: memtest86+ ends inside of it.
  if (file.length <= Math.max(length - PARAGRAPH, kernelAt)) throw truncated(file, name, length);
  if (protocol < OLDEST_PROTOCOL || (file[SETUP.loadFlags]! & LOADED_HIGH) === 0) {
    throw new UsageError(
      `Cannot load guest "${name}": a Linux kernel with boot protocol ` +
        `${protocol >> 8}.${
          `${protocol & 0xff}`.padStart(2, "0")
        }, wanted a bzImage with 2.02 or later`,
      "build it with make bzImage",
    );
  }
  if (protocol >= PROTOCOL_MORE_FLAGS && (file[SETUP.moreLoadFlags]! & KERNEL_64) !== 0) {
    throw new UsageError(
      `Cannot load guest "${name}": a 64-bit Linux kernel, wanted a 32-bit one`,
      "Debian's package linux-image-686-pae has one",
    );
  }
  return {
    kernelAt,
    header: file.subarray(SETUP.sectors, SETUP.magic + file[SETUP.headerLength]!),
    initrdLimit: protocol < PROTOCOL_INITRD_LIMIT
      ? DEFAULT_INITRD_LIMIT
      : data.getUint32(SETUP.initrdLimit, true),
    commandLineSize: protocol < PROTOCOL_COMMAND_LINE_SIZE
      ? DEFAULT_COMMAND_LINE
      : data.getUint32(SETUP.commandLineSize, true),
    runsUntil: protocol < PROTOCOL_INIT_SIZE ? 0 : runtimeEnd(data),
  };
}

/** A relocatable kernel loaded below its preferred address moves there before it unpacks. */
function runtimeEnd(data: DataView): number {
  const preferred = data.getUint32(SETUP.preferredAddress, true);
  const size = data.getUint32(SETUP.initSize, true);
  return Math.max(preferred, KERNEL_GPA) + size;
}

function truncated(file: Uint8Array, name: string, length: number): UsageError {
  return new UsageError(
    `Cannot load guest "${name}": the file has ${file.length} bytes, its Linux header announces ` +
      `${length}`,
    "copy it again",
  );
}

function contains(file: Uint8Array, text: Uint8Array): boolean {
  for (let at = file.indexOf(text[0]!); at >= 0; at = file.indexOf(text[0]!, at + 1)) {
    if (text.every((byte, i) => file[at + i] === byte)) return true;
  }
  return false;
}
