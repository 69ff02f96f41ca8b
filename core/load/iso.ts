/**
 * How a CD-ROM image is told from others.
 * Source: ECMA-119 (ISO 9660) §8.1: volume descriptors begin at block 16.
 * @module
 */

import { UsageError } from "../errors.ts";

const IDENTIFIER = "CD001";
const IDENTIFIER_OFFSET = 16 * 2048 + 1;

/** Bytes of a file that {@link isIso} looks at. */
export const ISO_START_BYTES: number = 17 * 2048;

/**
 * The image holds an ISO 9660 file system.
 * @param start of the file, {@link ISO_START_BYTES} of it if there are as many
 */
export function isIso(start: Uint8Array): boolean {
  const found = start.subarray(IDENTIFIER_OFFSET, IDENTIFIER_OFFSET + IDENTIFIER.length);
  return String.fromCharCode(...found) === IDENTIFIER;
}

/** Tells that a CD-ROM is no guest by itself. */
export function cdRomAsGuest(name: string): UsageError {
  return new UsageError(`Cannot load guest "${name}": it is a CD-ROM image`, `-cdrom ${name}`);
}
