/**
 * The block ring protocol: operations, and what lies where in requests and responses.
 * Source: xen/include/public/io/blkif.h, compiled for both architectures.
 * @module
 */

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

/** Segments that a request itself has room for. */
export const MAX_SEGMENTS = 11;

/** Segments of an INDIRECT request, as many as Linux offers. They fit into one page. */
export const MAX_INDIRECT_SEGMENTS = 256;

/** 512-byte sectors of a granted page. */
export const SECTORS_PER_PAGE = 8;

/** The first four bytes of a request, the same on every architecture. */
export const REQUEST = {
  OPERATION: 0, // u8
  NR_SEGMENTS: 1, // u8
  HANDLE: 2, // u16
  /** Of DISCARD, in place of NR_SEGMENTS. */
  FLAG: 1, // u8
  /** Of INDIRECT, in place of NR_SEGMENTS and HANDLE. */
  INDIRECT_OP: 1, // u8
  INDIRECT_NR_SEGMENTS: 2, // u16
} as const;

/** Bit of a DISCARD's flag: what is discarded must not be recoverable. */
export const DISCARD_SECURE = 1;

/** Where the rest of a request lies, as an architecture aligns 64-bit fields. */
export interface BlkifLayout {
  readonly ID: number; // u64
  readonly SECTOR_NUMBER: number; // u64
  /** Of READ, WRITE, WRITE_BARRIER and FLUSH_DISKCACHE: MAX_SEGMENTS times SEGMENT. */
  readonly SEG: number;
  /** Of DISCARD. */
  readonly NR_SECTORS: number; // u64
  /** Of INDIRECT. */
  readonly INDIRECT_HANDLE: number; // u16
  /** Of INDIRECT: 8 pages of segments. */
  readonly INDIRECT_GREFS: number; // u32 each
  /** Bytes of a request, and of an entry of the ring. */
  readonly SIZE: number;
  readonly RESPONSE_SIZE: number;
}

/** Layout of 32-bit guests. */
export const I386: BlkifLayout = {
  ID: 4,
  SECTOR_NUMBER: 12,
  SEG: 20,
  NR_SECTORS: 20,
  INDIRECT_HANDLE: 20,
  INDIRECT_GREFS: 24,
  SIZE: 108,
  RESPONSE_SIZE: 12,
};

/** Layout of 64-bit guests. */
export const X86_64: BlkifLayout = {
  ID: 8,
  SECTOR_NUMBER: 16,
  SEG: 24,
  NR_SECTORS: 24,
  INDIRECT_HANDLE: 24,
  INDIRECT_GREFS: 28,
  SIZE: 112,
  RESPONSE_SIZE: 16,
};

/** Layouts by the frontend's `protocol` key. Linux takes an absent key for i386. */
export const LAYOUTS: ReadonlyMap<string, BlkifLayout> = new Map([
  ["x86_32-abi", I386],
  ["x86_64-abi", X86_64],
]);

/** One page, or a part of it, of a request's data. Sectors are inclusive, inside the page. */
export const SEGMENT = {
  GREF: 0, // u32
  FIRST_SECT: 4, // u8
  LAST_SECT: 5, // u8
  SIZE: 8,
} as const;

/** An answer. Byte 9 pads, and whatever follows the status. */
export const RESPONSE = {
  ID: 0, // u64
  OPERATION: 8, // u8
  PAD: 9,
  STATUS: 10, // s16
} as const;
