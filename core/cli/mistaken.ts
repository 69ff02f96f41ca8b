/**
 * Images that are attached as what they do not look like. The user may mean it, so it is said and
 * done.
 * @module
 */

import { hasBootSignature } from "../load/bootsector.ts";
import { isIso, ISO_START_BYTES } from "../load/iso.ts";
import { type BlockBackend, SECTOR_SIZE } from "../types.ts";
import type { DriveOptions } from "./drives.ts";

/** What is odd about a drive, `undefined` if nothing is. */
export function mistaken(
  { file, kind, raw }: DriveOptions,
  backend: BlockBackend,
): string | undefined {
  const start = new Uint8Array(Math.min(ISO_START_BYTES, backend.sectorCount * SECTOR_SIZE));
  backend.read(0, start);
  if (kind === "cdrom") {
    if (isIso(start)) return undefined;
    return `CD-ROM image "${file}" holds no ISO 9660 file system; -hda attaches it as a disk`;
  }
  // Images that are made for both have a boot sector.
  if (raw || !isIso(start) || hasBootSignature(start)) return undefined;
  return `disk image "${file}" holds a CD-ROM; -cdrom attaches it as one`;
}
