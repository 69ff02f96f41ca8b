/**
 * Tells the formats of guest files apart and places the guest into RAM.
 * @module
 */

import { UsageError } from "../errors.ts";
import { SECTOR_SIZE } from "../types.ts";
import { hasBootSignature, loadBootSector } from "./bootsector.ts";
import { isElf } from "./elf.ts";
import { type FlatPlacement, loadFlat } from "./flat.ts";
import type { GuestFormat, GuestImage } from "./image.ts";
import type { NamedFile } from "./initrd.ts";
import { cdRomAsGuest, isIso } from "./iso.ts";
import { isBzImage, isLinuxElf, type LinuxOptions, loadBzImage, loadLinuxElf } from "./linux.ts";
import { HOLE, ramHint } from "./memory_map.ts";
import { readModules } from "./modules.ts";
import { findMultibootHeader, loadMultiboot } from "./multiboot.ts";
import { findPvhEntry, loadPvh } from "./pvh.ts";

/** How a guest file is to be loaded. */
export interface LoadOptions {
  /** The file's name, for messages and the command line. */
  readonly name: string;
  /** RAM that the guest must fit into. */
  readonly ramBytes: number;
  /** Kernel command line. */
  readonly append?: string;
  /** Initial RAM disk, or the modules of a Multiboot kernel: `file arguments,file2 arguments`. */
  readonly initrd?: string;
  /** Fetches what `initrd` names. */
  readonly readFile?: (path: string) => Uint8Array;
  /** Skips detection. */
  readonly placement?: FlatPlacement;
  /**
   * `false` enters a Linux kernel by the boot protocol even if it has a PVH note: entered by that, and
   * finding Xen, it takes itself for a PVH domain, which has no emulated devices.
   */
  readonly pvh?: boolean;
}

/** Formats of kernels, which have a command line and may be given files. */
const KERNELS: ReadonlySet<GuestFormat> = new Set(["multiboot", "bzimage", "pvh", "linux-elf"]);

/**
 * Recognises the guest and lays it out.
 * @throws {UsageError} when the format is unknown or damaged, or the guest does not fit into RAM
 */
export function loadGuest(file: Uint8Array, options: LoadOptions): GuestImage {
  const image = readImage(file, options);
  for (const option of ["append", "initrd"] as const) {
    if (options[option] === undefined || KERNELS.has(image.format)) continue;
    throw new UsageError(
      `Cannot pass -${option} to guest "${options.name}": a ${image.format} guest takes none`,
      "only Linux and Multiboot kernels do",
    );
  }
  checkPlacement(image, options);
  return image;
}

/** The guest file is a disk image as well: its boot sector is followed by more sectors. */
export function isBootDisk(image: GuestImage, fileBytes: number): boolean {
  return image.format === "bootsector" && fileBytes > SECTOR_SIZE;
}

function readImage(file: Uint8Array, options: LoadOptions): GuestImage {
  const { name, ramBytes, append = "", initrd = "", placement, pvh = true } = options;
  if (file.length === 0) {
    throw new UsageError(
      `Cannot load guest "${name}": the file is empty`,
      "build or copy it again",
    );
  }
  if (placement !== undefined) return loadFlat(file, placement);
  if (isBzImage(file)) return loadBzImage(file, linuxOptions(options));
  const header = findMultibootHeader(file);
  // A bootable disk may carry a Multiboot kernel in its first sectors: the signature decides.
  if (header !== undefined && (isElf(file) || !hasBootSignature(file))) {
    const modules = readModules(initrd, reader(options));
    return loadMultiboot(file, header, { name, ramBytes, append, modules });
  }
  const isLinux = isLinuxElf(file);
  const entry = pvh || !isLinux ? findPvhEntry(file) : undefined;
  if (entry !== undefined) return loadPvh(file, entry, linuxOptions(options));
  if (isLinux) return loadLinuxElf(file, linuxOptions(options));
  if (hasBootSignature(file)) return loadBootSector(file, name);
  if (isIso(file)) throw cdRomAsGuest(name);
  throw unknownFormat(file, name);
}

function linuxOptions(options: LoadOptions): LinuxOptions {
  const { name, ramBytes, append = "", initrd } = options;
  const file = (path: string): NamedFile => ({ name: path, bytes: reader(options)(path) });
  return { name, ramBytes, append, initrd: initrd === undefined ? undefined : file(initrd) };
}

function reader({ readFile }: LoadOptions): (path: string) => Uint8Array {
  return readFile ?? ((path) => {
    throw new UsageError(`Cannot read initrd "${path}": there are no files here`);
  });
}

function unknownFormat(file: Uint8Array, name: string): UsageError {
  if (isElf(file)) {
    return new UsageError(
      `Cannot load guest "${name}": an ELF file without a Multiboot header in its first 8192 ` +
        "bytes, without a PVH note, and not Linux",
      "put the Multiboot header into its own section and link that first",
    );
  }
  return new UsageError(
    `Cannot load guest "${name}": neither a boot sector (55 AA at offset 510), nor a Linux ` +
      "bzImage, nor Multiboot",
    `deno task run ${name} --load flat@0x100000 runs it as raw 32-bit code`,
  );
}

/** @throws {UsageError} when a part lies outside of RAM, in the hole below 1 MiB, or on another */
export function checkPlacement(
  image: GuestImage,
  { name, ramBytes }: Pick<LoadOptions, "name" | "ramBytes">,
): void {
  const mib = 1 << 20;
  for (const { gpa, bytes, zero } of image.segments) {
    const end = gpa + bytes.length + zero;
    const range = `0x${gpa.toString(16)} to 0x${end.toString(16)}`;
    if (end > ramBytes) {
      throw new UsageError(
        `Cannot load guest "${name}": it needs memory ${range}, RAM has ${ramBytes / mib} MiB`,
        ramHint(end),
      );
    }
    if (gpa < HOLE.end && end > HOLE.begin) {
      throw new UsageError(
        `Cannot load guest "${name}": memory ${range} overlaps the hole at 0xa0000 to 0x100000`,
        "link or load it at 0x100000 or above",
      );
    }
  }
  checkOverlap(image, name);
}

/** What a loader adds must not lie on the kernel, nor the parts of a damaged kernel on each other. */
function checkOverlap({ segments }: GuestImage, name: string): void {
  const ranges = segments.map(({ gpa, bytes, zero }) => [gpa, gpa + bytes.length + zero] as const)
    .sort(([a], [b]) => a - b);
  ranges.forEach(([begin], i) => {
    const [lastBegin, lastEnd] = ranges[i - 1] ?? [0, 0];
    if (begin >= lastEnd) return;
    const at = (gpa: number) => `0x${gpa.toString(16)}`;
    throw new UsageError(
      `Cannot load guest "${name}": its part at ${at(begin)} lies on that from ` +
        `${at(lastBegin)} to ${at(lastEnd)}`,
      "link it at 0x100000 or above, without overlapping segments",
    );
  });
}
