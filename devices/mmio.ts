/**
 * Devices in guest-physical address space: who owns which range, and what an access to nobody
 * answers. An access allocates nothing; the range that answered last is tried first.
 * Addresses without an owner read all ones and drop writes: probes for absent devices rely on it.
 * @module
 */

import { allOnes, hex } from "../core/bits.ts";
import { InternalError } from "../core/errors.ts";
import type { AccessSize, Gpa, MmioDevice } from "../core/types.ts";

/** A device's addresses. */
class MmioRange {
  readonly name: string;
  readonly base: Gpa;
  readonly length: number;
  readonly end: Gpa;
  readonly device: MmioDevice;

  constructor(name: string, base: Gpa, length: number, device: MmioDevice) {
    this.name = name;
    this.base = base;
    this.length = length;
    this.end = base + length;
    this.device = device;
  }

  holds(gpa: Gpa, size: number): boolean {
    return gpa >= this.base && gpa + size <= this.end;
  }
}

/** An owner's addresses. */
export type MmioSpan = Pick<MmioRange, "name" | "base" | "length">;

const NOBODY = new MmioRange("nobody", 0, 0, {
  readMmio: (_offset, size) => allOnes(size),
  writeMmio: () => {},
});

/** The devices that answer loads and stores of the guest where no memory is. */
export class MmioBus {
  readonly #ranges: MmioRange[] = [];
  #last: MmioRange = NOBODY;
  #onRemap: () => void = () => {};

  /** Has every change of owners told. */
  onRemap(listener: () => void): void {
    this.#onRemap = listener;
  }

  /**
   * Gives addresses to a device. One name may own several ranges.
   * @throws {InternalError} when the range overlaps another owner's
   */
  map(name: string, gpa: Gpa, length: number, device: MmioDevice): void {
    const owner = this.ownerOf(gpa, length);
    if (owner !== undefined) {
      const span = `0x${hex(gpa)}-0x${hex(gpa + length - 1)}`;
      throw new InternalError(`Cannot map ${name} at ${span}: the range overlaps ${owner}`);
    }
    this.#ranges.push(new MmioRange(name, gpa, length, device));
    this.#onRemap();
  }

  /** Returns every range of that name to nobody; nothing happens when there is none. */
  unmap(name: string): void {
    for (let i = this.#ranges.length - 1; i >= 0; i--) {
      if (this.#ranges[i]!.name === name) this.#ranges.splice(i, 1);
    }
    this.#last = NOBODY;
    this.#onRemap();
  }

  /** Name of an owner in a range of addresses, `undefined` when all of them are free. */
  ownerOf(gpa: Gpa, length: number = 1): string | undefined {
    if (this.#last.holds(gpa, length)) return this.#last.name;
    return this.#ranges.find(({ base, end }) => gpa < end && gpa + length > base)?.name;
  }

  /** The owner's range that an address is in, `undefined` when the address is free. */
  rangeAt(gpa: Gpa): MmioSpan | undefined {
    const range = this.#find(gpa, 1);
    return range === NOBODY ? undefined : range;
  }

  /** One load. Bytes of an access that no device holds as a whole go one by one. */
  read(gpa: Gpa, size: AccessSize): number {
    const range = this.#find(gpa, size);
    if (range !== NOBODY || size === 1) return range.device.readMmio(gpa - range.base, size);
    let value = 0;
    for (let lane = 0; lane < size; lane++) value |= this.read(gpa + lane, 1) << (8 * lane);
    return value >>> 0;
  }

  /** One store. See {@link read}. */
  write(gpa: Gpa, size: AccessSize, value: number): void {
    const range = this.#find(gpa, size);
    if (range !== NOBODY || size === 1) range.device.writeMmio(gpa - range.base, size, value);
    else {
      for (let lane = 0; lane < size; lane++) this.write(gpa + lane, 1, (value >>> 8 * lane) & 255);
    }
  }

  #find(gpa: Gpa, size: number): MmioRange {
    if (this.#last.holds(gpa, size)) return this.#last;
    for (const range of this.#ranges) {
      if (range.holds(gpa, size)) return this.#last = range;
    }
    return NOBODY;
  }
}
