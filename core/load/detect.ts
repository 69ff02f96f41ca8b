/**
 * Tells the formats of guest files apart and places the guest into RAM.
 * @module
 */

import { UsageError } from "../errors.ts";
import { SECTOR_SIZE } from "../types.ts";
import { hasBootSignature, loadBootSector } from "./bootsector.ts";
import { isElf } from "./elf.ts";
import { type FlatPlacement, loadFlat } from "./flat.ts";
import type { GuestImage } from "./image.ts";
import { findMultibootHeader, loadMultiboot } from "./multiboot.ts";

/** How a guest file is to be loaded. */
export interface LoadOptions {
  /** The file's name, for messages and the command line. */
  readonly name: string;
  /** RAM that the guest must fit into. */
  readonly ramBytes: number;
  /** Kernel command line; only Multiboot has one. */
  readonly append?: string;
  /** Skips detection. */
  readonly placement?: FlatPlacement;
}

/** Hole between low and high memory: video RAM, option ROMs, BIOS. */
const HOLE_BEGIN = 0xa0000;
const HOLE_END = 0x100000;

/**
 * Recognises the guest and lays it out.
 * @throws {UsageError} when the format is unknown or damaged, or the guest does not fit into RAM
 */
export function loadGuest(file: Uint8Array, options: LoadOptions): GuestImage {
  const image = readImage(file, options);
  if (options.append !== undefined && image.format !== "multiboot") {
    throw new UsageError(
      `Cannot pass -append to guest "${options.name}": a ${image.format} guest has no command line`,
      "only Multiboot kernels have one",
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
  const { name, ramBytes, append = "", placement } = options;
  if (file.length === 0) {
    throw new UsageError(
      `Cannot load guest "${name}": the file is empty`,
      "build or copy it again",
    );
  }
  if (placement !== undefined) return loadFlat(file, placement);
  const header = findMultibootHeader(file);
  // A bootable disk may carry a Multiboot kernel in its first sectors: the signature decides.
  if (header !== undefined && (isElf(file) || !hasBootSignature(file))) {
    return loadMultiboot(file, header, { name, ramBytes, append });
  }
  if (hasBootSignature(file)) return loadBootSector(file);
  throw unknownFormat(file, name);
}

function unknownFormat(file: Uint8Array, name: string): UsageError {
  if (isElf(file)) {
    return new UsageError(
      `Cannot load guest "${name}": an ELF file without a Multiboot header in its first 8192 bytes`,
      "put the header into its own section and link that first",
    );
  }
  return new UsageError(
    `Cannot load guest "${name}": neither a boot sector (55 AA at offset 510), nor Multiboot`,
    `deno task run ${name} --load flat@0x100000 runs it as raw 32-bit code`,
  );
}

function checkPlacement(image: GuestImage, options: LoadOptions): void {
  const { name, ramBytes } = options;
  const mib = 1 << 20;
  for (const { gpa, bytes, zero } of image.segments) {
    const end = gpa + bytes.length + zero;
    const range = `0x${gpa.toString(16)} to 0x${end.toString(16)}`;
    if (end > ramBytes) {
      throw new UsageError(
        `Cannot load guest "${name}": it needs memory ${range}, RAM has ${ramBytes / mib} MiB`,
        `-m ${Math.ceil(end / mib)} or more`,
      );
    }
    if (gpa < HOLE_END && end > HOLE_BEGIN) {
      throw new UsageError(
        `Cannot load guest "${name}": memory ${range} overlaps the hole at 0xa0000 to 0x100000`,
        "link or load it at 0x100000 or above",
      );
    }
  }
}
