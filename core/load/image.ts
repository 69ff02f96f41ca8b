/**
 * What every loader produces: bytes to place and registers to start with.
 * @module
 */

/** Guest formats that the loaders know. */
export type GuestFormat =
  | "bios"
  | "hvmloader"
  | "bootsector"
  | "multiboot"
  | "bzimage"
  | "pvh"
  | "linux-elf"
  | "flat";

/** Bytes at a guest-physical address, and zeros behind them. */
export interface GuestSegment {
  /** Where the first byte goes. */
  readonly gpa: number;
  /** What the file holds. */
  readonly bytes: Uint8Array;
  /** Bytes of zeros that follow. */
  readonly zero: number;
}

/** The descriptor table that a guest in protected mode starts with, part of a segment. */
export interface StartGdt {
  /** Linear address. */
  readonly base: number;
  /** Last byte of the table, from its base. */
  readonly limit: number;
  /** Selector in CS. */
  readonly code: number;
  /** Selector in DS, ES, SS, FS and GS. */
  readonly data: number;
}

/** A guest ready to be placed into RAM and entered. */
export interface GuestImage {
  /** What the file was recognised as. */
  readonly format: GuestFormat;
  /** Everything to be placed. */
  readonly segments: readonly GuestSegment[];
  /** `reset`: as at power-on. `real16`: CS = 0, IVT and BIOS services present. `protected32`: flat 4 GiB segments, paging off. */
  readonly mode: "reset" | "real16" | "protected32";
  /** IF at the first instruction; off unless given. */
  readonly interrupts?: boolean;
  /** First instruction. */
  readonly eip: number;
  /** Initial EAX ECX EDX EBX ESP EBP ESI EDI. */
  readonly regs: readonly number[];
  /** Behind the flat segments; without one, GDTR is empty and no selector can be loaded. */
  readonly gdt?: StartGdt;
  /** Ends at 4 GiB; its last 128 KiB also end at 1 MiB. Without one there are built-in services. */
  readonly rom?: Uint8Array;
}
