/**
 * Drives that cannot do what they seem to be there for. The user may mean it, so it is said and
 * done.
 * @module
 */

import { hasBootSignature } from "../load/bootsector.ts";
import { isIso, ISO_START_BYTES } from "../load/iso.ts";
import { type BlockBackend, SECTOR_SIZE } from "../types.ts";
import type { DriveOptions } from "./drives.ts";

/** What is odd about a drive. */
export function mistaken(drive: DriveOptions, backend: BlockBackend): string[] {
  return [...mistakenKind(drive, backend), ...mistakenFaults(drive, backend)];
}

function mistakenKind({ file, kind, raw }: DriveOptions, backend: BlockBackend): string[] {
  const start = startOf(backend);
  if (kind === "cdrom") {
    if (isIso(start)) return [];
    return [`CD-ROM image "${file}" holds no ISO 9660 file system; -hda attaches it as a disk`];
  }
  // Images that are made for both have a boot sector.
  if (raw || !isIso(start) || hasBootSignature(start)) return [];
  return [`disk image "${file}" holds a CD-ROM; -cdrom attaches it as one`];
}

function mistakenFaults(
  { file, faults = [] }: DriveOptions,
  { sectorCount }: BlockBackend,
): string[] {
  return faults.filter(({ sector }) => sector >= sectorCount).map(({ kind, sector }) =>
    `fault=${kind}@${sector} lies behind the end of "${file}", which has ${sectorCount} sectors`
  );
}

/** What a guest that is not shown Xen will not find. */
export function outOfReach(drives: readonly DriveOptions[]): string[] {
  return drives.filter(({ path }) => path === "xen").map(({ file }) =>
    `disk "${file}" comes over blkfront alone, and the machine hides Xen; -machine xenfv shows it`
  );
}

/**
 * What a BIOS will find that has nothing to start.
 * @param isSeen the user sees what the BIOS says of it
 */
export function nothingToBoot(
  drives: readonly (DriveOptions & { readonly backend: BlockBackend })[],
  isSeen: boolean,
): string[] {
  const canBoot = drives.some(({ kind, backend }) => {
    const start = startOf(backend);
    return kind === "cdrom" ? isIso(start) : hasBootSignature(start);
  });
  if (canBoot || drives.length === 0) return [];
  const files = drives.map(({ file }) => `"${file}"`).join(", ");
  return [
    `nothing to boot on ${files}: no boot sector (55 AA at offset 510), no ISO 9660 file system; ` +
    `${isSeen ? "" : "-nographic shows what the BIOS says, "}-kernel FILE brings a kernel along`,
  ];
}

function startOf(backend: BlockBackend): Uint8Array {
  const start = new Uint8Array(Math.min(ISO_START_BYTES, backend.sectorCount * SECTOR_SIZE));
  backend.read(0, start);
  return start;
}
