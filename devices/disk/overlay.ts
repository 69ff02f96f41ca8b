/**
 * Copy-on-write over another image: writes stay in memory, the image below is only read.
 * @module
 */

import { SECTOR_SIZE } from "../../core/types.ts";
import type { BlockBackend } from "../../core/types.ts";

const CHUNK_SECTORS = 8;
const CHUNK_BYTES = CHUNK_SECTORS * SECTOR_SIZE;
/** Every chunk that has been given back: a hole. */
const ZEROS = new Uint8Array(CHUNK_BYTES);

/**
 * What `-snapshot` puts over an image. Flushing is nothing: the overlay does not outlive the run.
 */
export class OverlayDisk implements BlockBackend {
  readonly sectorCount: number;
  readonly readOnly = false;
  readonly #base: BlockBackend;
  readonly #chunks = new Map<number, Uint8Array>();

  constructor(base: BlockBackend) {
    this.sectorCount = base.sectorCount;
    this.#base = base;
  }

  read(sector: number, into: Uint8Array): void {
    for (let at = 0; at < into.length;) {
      const changed = this.#chunks.has(chunkOf(sector, at));
      const end = this.#endOfRun(sector, at, into.length, changed);
      const part = into.subarray(at, end);
      if (changed) part.set(this.#window(sector, at, end));
      else this.#base.read(sector + at / SECTOR_SIZE, part);
      at = end;
    }
  }

  write(sector: number, from: Uint8Array): void {
    for (let at = 0; at < from.length;) {
      const end = Math.min(from.length, endOfChunk(sector, at));
      this.#makeChunk(chunkOf(sector, at));
      this.#window(sector, at, end).set(from.subarray(at, end));
      at = end;
    }
  }

  flush(): void {}

  discard(sector: number, count: number): void {
    for (let at = 0; at < count * SECTOR_SIZE;) {
      const end = Math.min(count * SECTOR_SIZE, endOfChunk(sector, at));
      const index = chunkOf(sector, at);
      if (end - at === CHUNK_BYTES) this.#chunks.set(index, ZEROS);
      else if (this.#chunks.get(index) !== ZEROS) {
        this.#makeChunk(index);
        this.#window(sector, at, end).fill(0);
      }
      at = end;
    }
  }

  close(): void {
    this.#base.close();
  }

  /** A changed chunk ends its own run; unchanged ones are read from below in one piece. */
  #endOfRun(sector: number, at: number, length: number, changed: boolean): number {
    let end = endOfChunk(sector, at);
    while (!changed && end < length && !this.#chunks.has(chunkOf(sector, end))) end += CHUNK_BYTES;
    return Math.min(end, length);
  }

  /** The bytes of a changed chunk that stand for `at` to `end` of a transfer. */
  #window(sector: number, at: number, end: number): Uint8Array {
    const start = (sector * SECTOR_SIZE + at) % CHUNK_BYTES;
    return this.#chunks.get(chunkOf(sector, at))!.subarray(start, start + end - at);
  }

  #makeChunk(index: number): void {
    const changed = this.#chunks.get(index);
    if (changed !== undefined && changed !== ZEROS) return;
    const first = index * CHUNK_SECTORS;
    const sectors = Math.min(CHUNK_SECTORS, this.sectorCount - first);
    const chunk = new Uint8Array(sectors * SECTOR_SIZE);
    if (changed === undefined) this.#base.read(first, chunk);
    this.#chunks.set(index, chunk);
  }
}

function chunkOf(sector: number, at: number): number {
  return Math.floor((sector + at / SECTOR_SIZE) / CHUNK_SECTORS);
}

/** Offset in the transfer at which the chunk of `at` ends. */
function endOfChunk(sector: number, at: number): number {
  return at + CHUNK_BYTES - (sector * SECTOR_SIZE + at) % CHUNK_BYTES;
}
