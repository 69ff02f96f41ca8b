/**
 * The granted pages of a ring, one after the other as the frontend has named them. They lie
 * anywhere in the guest's memory.
 * @module
 */

import { PAGE_SIZE } from "../../core/types.ts";
import type { GuestMemory } from "../../core/types.ts";
import type { RingView } from "./ring.ts";

const PAGE_SHIFT = Math.log2(PAGE_SIZE);
const OFFSET_MASK = PAGE_SIZE - 1;

/** The pages as one range. An aligned word never lies in two of them; a request may. */
export class RingPages implements RingView {
  readonly byteLength: number;
  readonly #pages: readonly Uint8Array[];
  readonly #views: readonly DataView[];
  readonly #memory: Pick<GuestMemory, "wrote">;

  /** @param memory is told of what has been written */
  constructor(pages: readonly Uint8Array[], memory: Pick<GuestMemory, "wrote">) {
    this.byteLength = pages.length * PAGE_SIZE;
    this.#pages = pages;
    this.#views = pages.map(({ buffer, byteOffset }) =>
      new DataView(buffer, byteOffset, PAGE_SIZE)
    );
    this.#memory = memory;
  }

  /** @param offset 4-byte aligned */
  getUint32(offset: number, littleEndian: boolean): number {
    return this.#views[offset >>> PAGE_SHIFT]!.getUint32(offset & OFFSET_MASK, littleEndian);
  }

  /** @param offset 4-byte aligned */
  setUint32(offset: number, value: number, littleEndian: boolean): void {
    this.#views[offset >>> PAGE_SHIFT]!.setUint32(offset & OFFSET_MASK, value, littleEndian);
  }

  /** The indexes have been written. */
  wroteHeader(): void {
    this.#memory.wrote(this.#pages[0]!);
  }

  /** Bytes of an entry have been written. */
  wrote(offset: number, bytes: number): void {
    const last = (offset + bytes - 1) >>> PAGE_SHIFT;
    for (let i = offset >>> PAGE_SHIFT; i <= last; i++) {
      if (i > 0) this.#memory.wrote(this.#pages[i]!);
    }
  }
}
