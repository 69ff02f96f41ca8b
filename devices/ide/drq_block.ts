/**
 * The data port's side of a PIO transfer: a block of sectors from DRQ going up to its last word.
 * Source: ATA/ATAPI-7 (T13/1532D) vol. 2 §11 (PIO data-in and data-out protocols).
 * @module
 */

import { allOnes } from "../../core/bits.ts";
import { SECTOR_SIZE } from "../../core/types.ts";
import type { AccessSize } from "../../core/types.ts";
import { MAX_MULTIPLE } from "./identify.ts";

/** Which way the host moves a block. */
export type BlockDirection = "in" | "out";

/**
 * The sector buffer of a channel. The port moves 16-bit words: a 32-bit access moves two, the low
 * one first, and a byte access one whole word, of which it sees the low byte.
 */
export class DrqBlock {
  readonly #onEnd: () => void;
  readonly #buffer = new Uint8Array(MAX_MULTIPLE * SECTOR_SIZE);
  /** For each number of sectors the front of the buffer, as the segments of a disk request. */
  readonly #fronts: readonly (readonly [Uint8Array])[];
  #direction: BlockDirection = "in";
  #position = 0;
  #end = 0; // equal to the position while no block is open

  /** @param onEnd called when the host has moved the last word */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
    const front = (sectors: number) => this.#buffer.subarray(0, sectors * SECTOR_SIZE);
    this.#fronts = Array.from({ length: MAX_MULTIPLE + 1 }, (_, sectors) => [front(sectors)]);
  }

  /** The buffer's first sectors as segments of a disk request: the same object every time. */
  segments(sectors: number): readonly [Uint8Array] {
    return this.#fronts[sectors]!;
  }

  /**
   * Offers a block to the host: DRQ goes up.
   * @param skip sectors of the buffer in front of the block
   */
  open(sectors: number, direction: BlockDirection, skip: number = 0): void {
    this.#direction = direction;
    this.#position = skip * SECTOR_SIZE;
    this.#end = this.#position + sectors * SECTOR_SIZE;
  }

  /** Takes back what is left of the block. */
  close(): void {
    this.#position = this.#end = 0;
  }

  read(size: AccessSize): number {
    const low = this.#readWord();
    if (size === 1) return low & 0xff;
    return size === 2 ? low : (low | this.#readWord() << 16) >>> 0;
  }

  write(size: AccessSize, value: number): void {
    this.#writeWord(value);
    if (size === 4) this.#writeWord(value >>> 16);
  }

  /** As `into.length / size` reads; what the block does not have reads as ones. */
  readString(size: AccessSize, into: Uint8Array): void {
    if (size === 1) {
      for (let i = 0; i < into.length; i++) into[i] = this.read(1);
      return;
    }
    const length = this.#bulk("in", into.length);
    if (length > 0) {
      into.set(this.#piece(length));
      this.#advance(length);
    }
    into.fill(allOnes(1), length);
  }

  /** As `from.length / size` writes; what the block does not want is dropped. */
  writeString(size: AccessSize, from: Uint8Array): void {
    if (size === 1) {
      for (const byte of from) this.write(1, byte);
      return;
    }
    const length = this.#bulk("out", from.length);
    if (length === 0) return;
    this.#buffer.set(length === from.length ? from : from.subarray(0, length), this.#position);
    this.#advance(length);
  }

  #bulk(direction: BlockDirection, wanted: number): number {
    return direction === this.#direction ? Math.min(wanted, this.#end - this.#position) : 0;
  }

  #piece(length: number): Uint8Array {
    return this.#buffer.subarray(this.#position, this.#position + length);
  }

  #readWord(): number {
    if (this.#bulk("in", 2) === 0) return allOnes(2);
    const word = this.#buffer[this.#position]! | this.#buffer[this.#position + 1]! << 8;
    this.#advance(2);
    return word;
  }

  #writeWord(value: number): void {
    if (this.#bulk("out", 2) === 0) return;
    this.#buffer[this.#position] = value;
    this.#buffer[this.#position + 1] = value >>> 8;
    this.#advance(2);
  }

  #advance(length: number): void {
    this.#position += length;
    if (this.#position === this.#end) this.#onEnd();
  }
}
