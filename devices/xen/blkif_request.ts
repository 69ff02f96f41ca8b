/**
 * A request that a block backend has taken off its ring. The guest may change ring and indirect
 * pages at any time: every word of them is read once, and only the copy is looked at (XSA-155).
 * @module
 */

import { SECTOR_SIZE } from "../../core/types.ts";
import type { BlkifLayout } from "./blkif.ts";
import {
  BLKIF_OP,
  DISCARD_SECURE,
  MAX_INDIRECT_SEGMENTS,
  MAX_SEGMENTS,
  REQUEST,
  RESPONSE,
  SECTORS_PER_PAGE,
  SEGMENT,
} from "./blkif.ts";
import type { RingView } from "./ring.ts";

/** Value of {@link BlkifRequest.sectors} when the segments make no sense. */
export const NO_SECTORS = -1;

/** A private copy of a request. Reused for the next. */
export class BlkifRequest {
  /**
   * All of its sectors, {@link NO_SECTORS} when there are too many segments, one leaves its page, or
   * those of an indirect page have not been copied.
   */
  sectors: number = NO_SECTORS;
  /** The largest power of two that divides the sectors of each segment, or of a DISCARD; or 0. */
  granule = 0;
  readonly #layout: BlkifLayout;
  readonly #view: DataView;
  readonly #indirect: Uint8Array = new Uint8Array(MAX_INDIRECT_SEGMENTS * SEGMENT.SIZE);
  readonly #indirectView: DataView = new DataView(this.#indirect.buffer);
  /** Where the segments are. */
  #segments: DataView;
  #segmentsAt: number;

  constructor(layout: BlkifLayout) {
    this.#layout = layout;
    this.#view = new DataView(new ArrayBuffer(layout.SIZE));
    this.#segments = this.#view;
    this.#segmentsAt = layout.SEG;
  }

  /** @param offset of the ring entry, 4-byte aligned */
  copyFrom(ring: RingView, offset: number): void {
    for (let at = 0; at < this.#layout.SIZE; at += 4) {
      this.#view.setUint32(at, ring.getUint32(offset + at, true), true);
    }
    this.#segments = this.#view;
    this.#segmentsAt = this.#layout.SEG;
    if (this.operation === BLKIF_OP.INDIRECT) this.sectors = NO_SECTORS;
    else if (this.operation === BLKIF_OP.DISCARD) this.#measureDiscard();
    else this.sectors = this.segmentCount <= MAX_SEGMENTS ? this.#measure() : NO_SECTORS;
  }

  /** Copies the segments of an INDIRECT request, at most {@link MAX_INDIRECT_SEGMENTS}. */
  copySegments(page: Uint8Array): void {
    const bytes = this.segmentCount * SEGMENT.SIZE;
    for (let i = 0; i < bytes; i++) this.#indirect[i] = page[i]!;
    this.#segments = this.#indirectView;
    this.#segmentsAt = 0;
    this.sectors = this.#measure();
  }

  get operation(): number {
    return this.#view.getUint8(REQUEST.OPERATION);
  }

  /** What is done with the data. It is also what the response repeats. */
  get dataOperation(): number {
    const { operation } = this;
    return operation === BLKIF_OP.INDIRECT ? this.#view.getUint8(REQUEST.INDIRECT_OP) : operation;
  }

  get segmentCount(): number {
    switch (this.operation) {
      case BLKIF_OP.INDIRECT:
        return this.#view.getUint16(REQUEST.INDIRECT_NR_SEGMENTS, true);
      case BLKIF_OP.DISCARD:
        return 0;
      default:
        return this.#view.getUint8(REQUEST.NR_SEGMENTS);
    }
  }

  /** Rounded above 2^53, where no disk reaches. */
  get sector(): number {
    return this.#u64(this.#layout.SECTOR_NUMBER);
  }

  /** A DISCARD of which nothing may remain. */
  get secure(): boolean {
    return (this.#view.getUint8(REQUEST.FLAG) & DISCARD_SECURE) !== 0;
  }

  /** The page of an INDIRECT request's segments. */
  get indirectGref(): number {
    return this.#view.getUint32(this.#layout.INDIRECT_GREFS, true);
  }

  gref(segment: number): number {
    return this.#segments.getUint32(this.#at(segment) + SEGMENT.GREF, true);
  }

  /** Byte of its page at which a segment starts. */
  start(segment: number): number {
    return this.#segments.getUint8(this.#at(segment) + SEGMENT.FIRST_SECT) * SECTOR_SIZE;
  }

  /** Byte of its page before which a segment ends. */
  end(segment: number): number {
    return (this.#segments.getUint8(this.#at(segment) + SEGMENT.LAST_SECT) + 1) * SECTOR_SIZE;
  }

  /** Writes every word of the response, padding as zero (XSA-216). */
  respond(ring: RingView, offset: number, status: number): void {
    const { ID, RESPONSE_SIZE } = this.#layout;
    ring.setUint32(offset + RESPONSE.ID, this.#view.getUint32(ID, true), true);
    ring.setUint32(offset + RESPONSE.ID + 4, this.#view.getUint32(ID + 4, true), true);
    ring.setUint32(offset + RESPONSE.OPERATION, status << 16 | this.dataOperation, true);
    for (let at = RESPONSE.STATUS + 2; at < RESPONSE_SIZE; at += 4) {
      ring.setUint32(offset + at, 0, true);
    }
  }

  #at(segment: number): number {
    return this.#segmentsAt + segment * SEGMENT.SIZE;
  }

  #u64(at: number): number {
    return this.#view.getUint32(at + 4, true) * 2 ** 32 + this.#view.getUint32(at, true);
  }

  #measureDiscard(): void {
    this.sectors = this.#u64(this.#layout.NR_SECTORS);
    this.granule = lowestBit(this.#view.getUint32(this.#layout.NR_SECTORS, true));
  }

  #measure(): number {
    let bytes = 0;
    let lengths = 0;
    const count = this.segmentCount;
    for (let i = 0; i < count; i++) {
      const start = this.start(i);
      const end = this.end(i);
      if (start >= end || end > SECTORS_PER_PAGE * SECTOR_SIZE) return NO_SECTORS;
      bytes += end - start;
      lengths |= (end - start) / SECTOR_SIZE;
    }
    this.granule = lowestBit(lengths);
    return bytes / SECTOR_SIZE;
  }
}

function lowestBit(bits: number): number {
  return (bits & -bits) >>> 0;
}
