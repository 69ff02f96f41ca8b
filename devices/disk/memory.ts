/**
 * A disk image in host memory.
 * @module
 */

import { ImageError } from "../../core/errors.ts";
import { SECTOR_SIZE } from "../../core/types.ts";
import type { BlockBackend } from "../../core/types.ts";

/** Keeps its sectors in one array, which the owner may look at. */
export class MemoryDisk implements BlockBackend {
  readonly sectorCount: number;
  readonly readOnly: boolean;
  readonly bytes: Uint8Array;

  /** @param bytes the image itself, not copied; whole sectors, at least one */
  constructor(bytes: Uint8Array, options: { readOnly?: boolean } = {}) {
    if (bytes.length === 0 || bytes.length % SECTOR_SIZE !== 0) {
      throw new ImageError(
        `Cannot use a memory image: length ${bytes.length} is not a positive multiple of ${SECTOR_SIZE}`,
      );
    }
    this.bytes = bytes;
    this.sectorCount = bytes.length / SECTOR_SIZE;
    this.readOnly = options.readOnly ?? false;
  }

  read(sector: number, into: Uint8Array): void {
    const start = sector * SECTOR_SIZE;
    into.set(this.bytes.subarray(start, start + into.length));
  }

  write(sector: number, from: Uint8Array): void {
    if (this.readOnly) throw new ImageError("Cannot write to a memory image: it is read-only");
    this.bytes.set(from, sector * SECTOR_SIZE);
  }

  flush(): void {}

  discard(sector: number, count: number): void {
    this.bytes.fill(0, sector * SECTOR_SIZE, (sector + count) * SECTOR_SIZE);
  }

  close(): void {}
}
