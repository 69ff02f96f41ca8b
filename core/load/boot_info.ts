/**
 * What a loader leaves in low memory for the kernel: a record and the strings it points to, as one
 * segment whose parts know their addresses.
 * @module
 */

import type { GuestSegment } from "./image.ts";

/** Parts of a segment grow behind each other; each knows where it will lie. */
export class BootInfo {
  readonly #gpa: number;
  readonly #view: DataView;
  #length = 0;

  /**
   * @param gpa of its first byte, page-aligned
   * @param capacity bytes that all parts together may have
   */
  constructor(gpa: number, capacity: number) {
    this.#gpa = gpa;
    this.#view = new DataView(new ArrayBuffer(capacity));
  }

  /**
   * Makes room for a part of zeros.
   * @returns its gpa, a multiple of 16
   */
  reserve(length: number): number {
    const at = (this.#length + 15) & ~15;
    this.#length = at + length;
    return this.#gpa + at;
  }

  /** Adds bytes; returns their gpa. */
  add(bytes: Uint8Array): number {
    const gpa = this.reserve(bytes.length);
    new Uint8Array(this.#view.buffer).set(bytes, gpa - this.#gpa);
    return gpa;
  }

  /** Adds a text with a NUL behind it; returns its gpa. */
  addText(text: string): number {
    return this.add(new TextEncoder().encode(`${text}\0`));
  }

  /** Sets a byte of a part. */
  set8(gpa: number, value: number): void {
    this.#view.setUint8(gpa - this.#gpa, value);
  }

  /** Sets two bytes, little-endian. */
  set16(gpa: number, value: number): void {
    this.#view.setUint16(gpa - this.#gpa, value, true);
  }

  /** Sets four bytes, little-endian. */
  set32(gpa: number, value: number): void {
    this.#view.setUint32(gpa - this.#gpa, value, true);
  }

  /** Sets eight bytes, little-endian. */
  set64(gpa: number, value: number): void {
    this.#view.setBigUint64(gpa - this.#gpa, BigInt(value), true);
  }

  /** All parts, to be placed. */
  segment(): GuestSegment {
    const bytes = new Uint8Array(this.#view.buffer, 0, this.#length);
    return { gpa: this.#gpa, bytes, zero: 0 };
  }
}
