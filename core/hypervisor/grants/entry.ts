/**
 * Entries of a grant table, as they lie in the pages that a domain shares with Xen.
 * Source: Xen public header grant_table.h: struct grant_entry_v1, union grant_entry_v2,
 * grant_status_t.
 * @module
 */

import { PAGE_SIZE } from "../../types.ts";

/** Byte offsets in an entry of version 1. */
export const GRANT_ENTRY = { FLAGS: 0, DOMID: 2, FRAME: 4, SIZE: 8 } as const;

/** Byte offsets in an entry of version 2, by its kind; flags and domid as in version 1. */
export const GRANT_ENTRY_V2 = {
  FLAGS: 0,
  DOMID: 2,
  FRAME: 8,
  SUB_PAGE_OFF: 4,
  SUB_PAGE_LENGTH: 6,
  TRANS_DOMID: 4,
  TRANS_GREF: 8,
  SIZE: 16,
} as const;

/** Bytes of the status word that version 2 has beside each entry. */
export const GRANT_STATUS_BYTES = 2;

/** Bits 1:0 of the flags: what the entry is for. */
export const GTF_TYPE_MASK = 3;
/** The entry permits access to a page. */
export const GTF_PERMIT_ACCESS = 1;
/** Version 2: the entry passes on a grant of another domain. */
export const GTF_TRANSITIVE = 3;
/** The guest permits reading only. */
export const GTF_READONLY: number = 1 << 2;
/** Xen: the page is in use. */
export const GTF_READING: number = 1 << 3;
/** Xen: the page is in use for writing. */
export const GTF_WRITING: number = 1 << 4;
/** Version 2: a part of a page, which can be copied and not mapped. */
export const GTF_SUB_PAGE: number = 1 << 8;

/** Entries that the toolstack fills in; they outlive a change of version. */
export const RESERVED_ENTRIES = 8;

/** Pages a table may grow to (Xen's default max_grant_frames). */
export const MAX_GRANT_FRAMES = 64;

/** Entries of version 1 in a page. */
export const V1_PER_FRAME: number = PAGE_SIZE / GRANT_ENTRY.SIZE;
/** Entries of version 2 in a page. */
export const V2_PER_FRAME: number = PAGE_SIZE / GRANT_ENTRY_V2.SIZE;
/** Status words in a page. */
export const STATUS_PER_FRAME: number = PAGE_SIZE / GRANT_STATUS_BYTES;

/** Pages of status words that so many pages of entries need. */
export function statusFramesFor(frames: number): number {
  return Math.ceil(frames * V2_PER_FRAME / STATUS_PER_FRAME);
}

/** Outcome of one grant operation, a signed 16-bit value. */
export const GNTST = {
  OKAY: 0,
  GENERAL_ERROR: -1,
  BAD_DOMAIN: -2,
  BAD_GNTREF: -3,
  BAD_HANDLE: -4,
  BAD_VIRT_ADDR: -5,
  BAD_DEV_ADDR: -6,
  NO_DEVICE_SPACE: -7,
  PERMISSION_DENIED: -8,
  BAD_PAGE: -9,
  BAD_COPY_ARG: -10,
  ADDRESS_TOO_BIG: -11,
  EAGAIN: -12,
  NO_SPACE: -13,
} as const;

/** One of {@link GNTST}. */
export type GrantStatus = typeof GNTST[keyof typeof GNTST];
