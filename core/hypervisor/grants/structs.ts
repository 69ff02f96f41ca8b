/**
 * Arguments of grant_table_op: numbers of the operations and offsets in their structures.
 * Source: Xen public header grant_table.h, i386 layout; most are the same on x86_64.
 * @module
 */

/** Numbers of the operations that an HVM guest has. */
export const GNTTABOP = {
  MAP_GRANT_REF: 0,
  UNMAP_GRANT_REF: 1,
  SETUP_TABLE: 2,
  COPY: 5,
  QUERY_SIZE: 6,
  SET_VERSION: 8,
  GET_VERSION: 10,
  SWAP_GRANT_REF: 11,
} as const;

/** Bits of gnttab_map_grant_ref's flags. */
export const GNTMAP = {
  DEVICE_MAP: 0x01,
  HOST_MAP: 0x02,
  READONLY: 0x04,
  APPLICATION_MAP: 0x08,
  CONTAINS_PTE: 0x10,
} as const;

/** Bits of gnttab_copy's flags. */
export const GNTCOPY = { SOURCE_GREF: 0x1, DEST_GREF: 0x2 } as const;

/** Offsets of gnttab_map_grant_ref. */
export const GNTTAB_MAP_GRANT_REF = {
  HOST_ADDR: 0,
  FLAGS: 8,
  REF: 12,
  DOM: 16,
  STATUS: 18,
  HANDLE: 20,
  DEV_BUS_ADDR: 24,
  SIZE: 32,
} as const;

/** Offsets of gnttab_unmap_grant_ref. */
export const GNTTAB_UNMAP_GRANT_REF = {
  HOST_ADDR: 0,
  DEV_BUS_ADDR: 8,
  HANDLE: 16,
  STATUS: 20,
  SIZE: 24,
} as const;

/** Offsets of gnttab_setup_table. */
export const GNTTAB_SETUP_TABLE = {
  DOM: 0,
  NR_FRAMES: 4,
  STATUS: 8,
  FRAME_LIST: 12,
  SIZE: 16,
} as const;

/** Offsets of gnttab_copy. */
export const GNTTAB_COPY = {
  SOURCE: 0,
  DEST: 8,
  LEN: 16,
  FLAGS: 18,
  STATUS: 20,
  SIZE: 24,
} as const;

/** Offsets of gnttab_copy_ptr, the source or the destination. */
export const GNTTAB_COPY_PTR = { U: 0, DOMID: 4, OFFSET: 6, SIZE: 8 } as const;

/** Offsets of gnttab_query_size. */
export const GNTTAB_QUERY_SIZE = {
  DOM: 0,
  NR_FRAMES: 4,
  MAX_NR_FRAMES: 8,
  STATUS: 12,
  SIZE: 16,
} as const;

/** Offsets of gnttab_set_version. */
export const GNTTAB_SET_VERSION = { VERSION: 0, SIZE: 4 } as const;

/** Offsets of gnttab_get_version. */
export const GNTTAB_GET_VERSION = { DOM: 0, VERSION: 4, SIZE: 8 } as const;

/** Offsets of gnttab_swap_grant_ref. */
export const GNTTAB_SWAP_GRANT_REF = { REF_A: 0, REF_B: 4, STATUS: 8, SIZE: 12 } as const;
