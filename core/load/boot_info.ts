/**
 * What a loader leaves in low memory for the kernel: a record and the strings it points to, as one
 * segment whose parts know their addresses.
 * @module
 */

import type { GuestSegment } from "./image.ts";

/** Free in every machine when a kernel starts. */
const BASE_GPA = 0x10000;
const CAPACITY = 0x20000;

/** Longest command line of any loader, whatever a kernel announces. */
export const MAX_COMMAND_LINE: number = CAPACITY / 2;

/** Parts of a segment grow behind each other; each knows where it will lie. */
export class BootInfo {
  readonly #view: DataView = new DataView(new ArrayBuffer(CAPACITY));
  #length = 0;

  /**
   * Makes room for a part of zeros.
   * @returns its gpa, a multiple of 16
   */
  reserve(length: number): number {
    const at = (this.#length + 15) & ~15;
    this.#length = at + length;
    return BASE_GPA + at;
  }

  /** Adds bytes; returns their gpa. */
  add(bytes: Uint8Array): number {
    const gpa = this.reserve(bytes.length);
    new Uint8Array(this.#view.buffer).set(bytes, gpa - BASE_GPA);
    return gpa;
  }

  /** Adds a text with a NUL behind it; returns its gpa. */
  addText(text: string): number {
    return this.add(new TextEncoder().encode(`${text}\0`));
  }

  /** Sets a byte of a part. */
  set8(gpa: number, value: number): void {
    this.#view.setUint8(gpa - BASE_GPA, value);
  }

  /** Sets two bytes, little-endian. */
  set16(gpa: number, value: number): void {
    this.#view.setUint16(gpa - BASE_GPA, value, true);
  }

  /** Sets four bytes, little-endian. */
  set32(gpa: number, value: number): void {
    this.#view.setUint32(gpa - BASE_GPA, value, true);
  }

  /** Sets eight bytes, little-endian. */
  set64(gpa: number, value: number): void {
    this.#view.setBigUint64(gpa - BASE_GPA, BigInt(value), true);
  }

  /** All parts, to be placed. */
  segment(): GuestSegment {
    const bytes = new Uint8Array(this.#view.buffer, 0, this.#length);
    return { gpa: BASE_GPA, bytes, zero: 0 };
  }
}
