/**
 * A buffer for requests whose pages lie apart in memory, as blkfront's pages do: the host moves them
 * in one access. A call to the host costs as much as copying two or three pages.
 * @module
 */

import { PAGE_SIZE } from "../../core/types.ts";

/** Bytes of the largest request that goes through: the 256 pages of an INDIRECT one. */
const BOUNCE_BYTES = 256 * PAGE_SIZE;
/** Pieces of memory that are longer on average are better moved where they are. */
const LONG_PIECE = 2 * PAGE_SIZE;

type Segments = readonly Uint8Array[];

/** One for each disk. Its memory is that of the largest request. */
export class Bounce {
  #buffer: Uint8Array | undefined;

  /** Room for all of the segments; `undefined` where they are better moved without. */
  room(segments: Segments): Uint8Array | undefined {
    let bytes = 0;
    let pieces = 0;
    for (let i = 0; i < segments.length; i++) {
      bytes += segments[i]!.length;
      if (i === 0 || !follows(segments[i - 1]!, segments[i]!)) pieces++;
    }
    if (pieces < 2 || bytes > BOUNCE_BYTES || bytes > pieces * LONG_PIECE) return undefined;
    this.#buffer ??= new Uint8Array(BOUNCE_BYTES);
    return this.#buffer.subarray(0, bytes);
  }
}

/** Copies all segments into the room for them. */
export function gather(segments: Segments, room: Uint8Array): void {
  let at = 0;
  for (let i = 0; i < segments.length; i++) {
    room.set(segments[i]!, at);
    at += segments[i]!.length;
  }
}

/** Copies the room for them into all segments. */
export function scatter(room: Uint8Array, segments: Segments): void {
  let at = 0;
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i]!;
    segment.set(room.subarray(at, at + segment.length));
    at += segment.length;
  }
}

/** `b` continues `a` in host memory. */
export function follows(a: Uint8Array, b: Uint8Array): boolean {
  return a.buffer === b.buffer && a.byteOffset + a.length === b.byteOffset;
}
