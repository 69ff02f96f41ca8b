/**
 * Devices that are where a base address register says: ports or memory.
 * @module
 */

import { hex } from "../core/bits.ts";
import type { GuestErrors } from "../core/types.ts";

/** Ports or memory, where devices are mapped. */
export interface AddressSpace<D> {
  /** Gives addresses to a device. */
  map(name: string, base: number, length: number, device: D): void;
  /** Takes all of an owner's addresses away. */
  unmap(name: string): void;
  /** Name of an owner in a range. */
  ownerOf(base: number, length: number): string | undefined;
}

/** What a base address register shows. */
export interface Decoded<D> {
  /** In errors and reports. */
  readonly name: string;
  /** Ports or bytes. */
  readonly length: number;
  /** Who answers there. */
  readonly device: D;
}

/**
 * Puts a device where its register says, unless somebody is there already.
 * @param base `undefined` when nothing is decoded
 */
export function moveBar<D>(
  space: AddressSpace<D>,
  { name, length, device }: Decoded<D>,
  base: number | undefined,
  errors: GuestErrors,
): void {
  space.unmap(name);
  if (base === undefined) return;
  const owner = space.ownerOf(base, length);
  if (owner === undefined) space.map(name, base, length, device);
  else errors.guestError("pci", `BAR of ${name} at 0x${hex(base, 4)}: ${owner}`);
}
