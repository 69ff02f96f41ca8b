/**
 * The block ring protocol as an i386 guest lays it out.
 * Source: xen/include/public/io/blkif.h; offsets of the `x86_32-abi` column.
 * @module
 */

/**
 * Value of the frontend's `protocol` key for the layout of this file; an absent key means the same.
 */
export const PROTOCOL_I386 = "x86_32-abi";

/** What a request asks for. */
export const BLKIF_OP = {
  READ: 0,
  WRITE: 1,
  WRITE_BARRIER: 2,
  FLUSH_DISKCACHE: 3,
  DISCARD: 5,
  INDIRECT: 6,
} as const;

/** Outcome in a response, a signed 16-bit value. */
export const BLKIF_RSP = { OKAY: 0, ERROR: -1, EOPNOTSUPP: -2 } as const;

/** Bits of the backend's `info` key. */
export const VDISK = { CDROM: 1, REMOVABLE: 2, READONLY: 4 } as const;

/** Segments of one request without indirect descriptors. */
export const MAX_SEGMENTS = 11;

/** 512-byte sectors of a granted page. */
export const SECTORS_PER_PAGE = 8;

/** READ, WRITE, WRITE_BARRIER, FLUSH_DISKCACHE. */
export const REQUEST = {
  OPERATION: 0, // u8
  NR_SEGMENTS: 1, // u8
  HANDLE: 2, // u16
  ID: 4, // u64
  SECTOR_NUMBER: 12, // u64
  SEG: 20, // MAX_SEGMENTS times SEGMENT
  SIZE: 108,
} as const;

/** One page, or a part of it, of a request's data. Sectors are inclusive, inside the page. */
export const SEGMENT = {
  GREF: 0, // u32
  FIRST_SECT: 4, // u8
  LAST_SECT: 5, // u8
  SIZE: 8,
} as const;

/** An answer; byte 9 pads. */
export const RESPONSE = {
  ID: 0, // u64
  OPERATION: 8, // u8
  PAD: 9,
  STATUS: 10, // s16
  SIZE: 12,
} as const;

/**
 * A backend's private copy of a request. The guest may change the ring entry at any time, so every
 * field is read from here and the ring is read once (XSA-155).
 */
export class BlkifRequest {
  readonly #view: DataView = new DataView(new ArrayBuffer(REQUEST.SIZE));

  /** @param offset of the ring entry in its page, 4-byte aligned */
  copyFrom(page: DataView, offset: number): void {
    for (let at = 0; at < REQUEST.SIZE; at += 4) {
      this.#view.setUint32(at, page.getUint32(offset + at, true), true);
    }
  }

  get operation(): number {
    return this.#view.getUint8(REQUEST.OPERATION);
  }

  get segmentCount(): number {
    return this.#view.getUint8(REQUEST.NR_SEGMENTS);
  }

  /** Rounded above 2^53, where no disk reaches. */
  get sector(): number {
    const low = this.#view.getUint32(REQUEST.SECTOR_NUMBER, true);
    return this.#view.getUint32(REQUEST.SECTOR_NUMBER + 4, true) * 2 ** 32 + low;
  }

  gref(segment: number): number {
    return this.#view.getUint32(REQUEST.SEG + segment * SEGMENT.SIZE + SEGMENT.GREF, true);
  }

  firstSector(segment: number): number {
    return this.#view.getUint8(REQUEST.SEG + segment * SEGMENT.SIZE + SEGMENT.FIRST_SECT);
  }

  lastSector(segment: number): number {
    return this.#view.getUint8(REQUEST.SEG + segment * SEGMENT.SIZE + SEGMENT.LAST_SECT);
  }

  /** Sectors of all segments, or -1 when there are too many or one leaves its page. */
  get sectors(): number {
    if (this.segmentCount > MAX_SEGMENTS) return -1;
    let sectors = 0;
    for (let i = 0; i < this.segmentCount; i++) {
      const first = this.firstSector(i);
      const last = this.lastSector(i);
      if (first > last || last >= SECTORS_PER_PAGE) return -1;
      sectors += last - first + 1;
    }
    return sectors;
  }

  /** Writes the response field by field, zero pad included (XSA-216). */
  respond(page: DataView, offset: number, status: number): void {
    page.setUint32(offset + RESPONSE.ID, this.#view.getUint32(REQUEST.ID, true), true);
    page.setUint32(offset + RESPONSE.ID + 4, this.#view.getUint32(REQUEST.ID + 4, true), true);
    page.setUint8(offset + RESPONSE.OPERATION, this.operation);
    page.setUint8(offset + RESPONSE.PAD, 0);
    page.setInt16(offset + RESPONSE.STATUS, status, true);
  }
}

/** Why a request gets no service. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
}

const UNSUPPORTED: Refusal = { status: BLKIF_RSP.EOPNOTSUPP, text: "operation not supported" };
const TOO_MANY: Refusal = { status: BLKIF_RSP.ERROR, text: "more than 11 segments" };
const NO_SEGMENTS: Refusal = { status: BLKIF_RSP.ERROR, text: "no segments" };
const BAD_SEGMENT: Refusal = { status: BLKIF_RSP.ERROR, text: "segment outside its page" };
const WRITE_PROTECTED: Refusal = { status: BLKIF_RSP.ERROR, text: "write to a read-only disk" };
const PAST_END: Refusal = { status: BLKIF_RSP.ERROR, text: "sectors past the end of the disk" };

/**
 * Checks everything about a request but its grants.
 * @returns why it must be refused, `undefined` if it may be served
 */
export function refusalOf(
  request: BlkifRequest,
  disk: { readonly sectorCount: number; readonly readOnly: boolean },
): Refusal | undefined {
  const { operation, segmentCount } = request;
  if (
    operation !== BLKIF_OP.READ && operation !== BLKIF_OP.WRITE &&
    operation !== BLKIF_OP.FLUSH_DISKCACHE
  ) return UNSUPPORTED;
  if (segmentCount > MAX_SEGMENTS) return TOO_MANY;
  if (segmentCount === 0) {
    return operation === BLKIF_OP.FLUSH_DISKCACHE ? undefined : NO_SEGMENTS;
  }
  if (disk.readOnly && operation !== BLKIF_OP.READ) return WRITE_PROTECTED;
  const { sectors } = request;
  if (sectors < 0) return BAD_SEGMENT;
  return request.sector + sectors > disk.sectorCount ? PAST_END : undefined;
}
