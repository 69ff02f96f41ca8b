/**
 * Which bytes of memory have been decoded: one bit each, in linear memory behind the guest's, so
 * that generated code can look before it stores to a page that holds code.
 * @module
 */

import { AT, type CpuState } from "./state.ts";

const PAGE_SIZE = 4096;

/** Bits count from the beginning of linear memory. A page that holds no code may say anything. */
export class CodeMap {
  readonly #bytes: Uint8Array;
  readonly #base: number;

  constructor(state: CpuState) {
    this.#bytes = state.bytes;
    this.#base = state.get(AT.CODE_MAP) >>> 0;
  }

  /** A page begins to hold code: none of its bytes has been decoded yet. */
  clear(page: number): void {
    this.#fill(page, 0);
  }

  /** A page holds no code any more: TypeScript has to see the next store, which was watched. */
  close(page: number): void {
    this.#fill(page, 0xff);
  }

  #fill(page: number, value: number): void {
    const first = this.#base + page * (PAGE_SIZE / 8);
    this.#bytes.fill(value, first, first + PAGE_SIZE / 8);
  }

  /** Notes decoded bytes. */
  mark(host: number, length: number): void {
    for (let at = host; at < host + length; at++) {
      this.#bytes[this.#base + (at >>> 3)]! |= 1 << (at & 7);
    }
  }

  /** Some of the bytes have been decoded. */
  overlaps(host: number, length: number): boolean {
    const bytes = this.#bytes;
    for (let at = host; at < host + length;) {
      const eight = bytes[this.#base + (at >>> 3)]!;
      if (eight >> (at & 7) & 1) return true;
      at = eight === 0 ? (at | 7) + 1 : at + 1;
    }
    return false;
  }
}
