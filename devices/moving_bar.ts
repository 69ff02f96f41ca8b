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

/** One address space as base address registers see it: whoever was there first stays. */
export class MovingBars<D> {
  readonly #space: AddressSpace<D>;
  readonly #errors: GuestErrors;
  /** Those whose place is taken, by name, and where that is. */
  readonly #waiting = new Map<string, readonly [decoded: Decoded<D>, base: number]>();

  constructor(space: AddressSpace<D>, errors: GuestErrors) {
    this.#space = space;
    this.#errors = errors;
  }

  /**
   * Puts a device where its register says, as soon as nobody else is there.
   * @param base `undefined` when nothing is decoded
   */
  move(decoded: Decoded<D>, base: number | undefined): void {
    const { name, length } = decoded;
    this.#space.unmap(name);
    this.#waiting.delete(name);
    if (base !== undefined && !this.#show(decoded, base)) {
      const owner = this.#space.ownerOf(base, length);
      this.#errors.guestError("pci", `BAR of ${name} at 0x${hex(base, 4)}: ${owner}`);
      this.#waiting.set(name, [decoded, base]);
    }
    for (const [other, place] of this.#waiting) {
      if (this.#show(...place)) this.#waiting.delete(other);
    }
  }

  /** Shows a device if its place is free. */
  #show({ name, length, device }: Decoded<D>, base: number): boolean {
    if (this.#space.ownerOf(base, length) !== undefined) return false;
    this.#space.map(name, base, length, device);
    return true;
  }
}
