/**
 * Where an initial RAM disk goes: page-aligned, as high as the kernel allows.
 * Source: Linux Documentation/x86/boot.rst, "initrd_addr_max" and "Memory layout".
 * @module
 */

import { UsageError } from "../errors.ts";
import { PAGE_SIZE } from "../types.ts";
import type { GuestSegment } from "./image.ts";

const MIB = 1 << 20;

/** A file that the kernel is given, and its name for messages. */
export interface NamedFile {
  /** As the user named it. */
  readonly name: string;
  /** All of it. */
  readonly bytes: Uint8Array;
}

/**
 * Places an initrd.
 * @param kernelEnd first byte that the kernel leaves free, at the latest when it looks at the initrd
 * @param limit first byte behind what the kernel can reach, or the end of RAM
 * @throws {UsageError} when there is no room
 */
export function placeInitrd(file: NamedFile, kernelEnd: number, limit: number): GuestSegment {
  const { name, bytes } = file;
  if (bytes.length === 0) {
    throw new UsageError(
      `Cannot load initrd "${name}": the file is empty`,
      "build or copy it again",
    );
  }
  const gpa = Math.floor((limit - bytes.length) / PAGE_SIZE) * PAGE_SIZE;
  if (gpa < kernelEnd) {
    const needed = Math.ceil((kernelEnd + bytes.length + PAGE_SIZE) / MIB);
    throw new UsageError(
      `Cannot load initrd "${name}": its ${bytes.length} bytes do not fit between the kernel's ` +
        `end at 0x${kernelEnd.toString(16)} and 0x${limit.toString(16)}`,
      `-m ${needed} or more, if the kernel can reach it there`,
    );
  }
  return { gpa, bytes, zero: 0 };
}
