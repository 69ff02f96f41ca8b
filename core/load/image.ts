/**
 * What every loader produces: bytes to place and registers to start with.
 * @module
 */

/** Guest formats that the loaders know. */
export type GuestFormat = "bootsector" | "multiboot" | "flat";

/** Bytes at a guest-physical address; `zero` bytes of zeros follow them. */
export interface GuestSegment {
  readonly gpa: number;
  readonly bytes: Uint8Array;
  readonly zero: number;
}

/** A guest ready to be placed into RAM and entered. */
export interface GuestImage {
  readonly format: GuestFormat;
  readonly segments: readonly GuestSegment[];
  /** `real16`: CS = 0, IVT and BIOS services present. `protected32`: flat 4 GiB segments, paging off, IF = 0. */
  readonly mode: "real16" | "protected32";
  readonly eip: number;
  /** Initial EAX ECX EDX EBX ESP EBP ESI EDI. */
  readonly regs: readonly number[];
}
