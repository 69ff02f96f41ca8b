/**
 * Performing an access of a guest to an address without memory, of one item or of a REP STOS.
 * Source: Xen, xen/arch/x86/hvm/emulate.c, hvmemul_do_mmio_buffer and hvmemul_rep_stos.
 * @module
 */

import type { AccessSize, Gpa } from "../types.ts";

/** Guest-physical address space outside memory, as one who accesses it sees it. */
export interface MmioSpace {
  /** Name of an owner in a range of addresses, `undefined` when all of them are free. */
  ownerOf(gpa: Gpa, length: number): string | undefined;
  read(gpa: Gpa, size: AccessSize): number;
  write(gpa: Gpa, size: AccessSize, value: number): void;
}

/** One access. */
export interface MmioAccess {
  readonly gpa: Gpa;
  readonly size: AccessSize;
  readonly write: boolean;
  /** Items that a write puts one above the other; 1 for a read. */
  readonly count: number;
  /** What every item is, in a write. */
  readonly value: number;
}

/** @returns what a read reads, else the value written */
export function accessMmio(space: MmioSpace, access: MmioAccess): number {
  const { gpa, size, count, value } = access;
  if (!access.write) return space.read(gpa, size);
  for (let item = 0; item < count; item++) space.write(gpa + item * size, size, value);
  return value;
}
