/**
 * The data port's side of a PIO transfer: a block of bytes from DRQ going up to its last word.
 * Source: ATA/ATAPI-7 (T13/1532D) vol. 2 §11 (PIO data-in and data-out protocols).
 * @module
 */

import { allOnes } from "../../core/bits.ts";
import { SECTOR_SIZE } from "../../core/types.ts";
import type { AccessSize } from "../../core/types.ts";
import type { DataPort } from "./drive.ts";

/** Which way the host moves a block. */
export type BlockDirection = "in" | "out";

/**
 * The buffer of a drive. The port moves 16-bit words: a 32-bit access moves two, the low one first,
 * and a byte access one whole word, of which it sees the low byte.
 */
export class DrqBlock implements DataPort {
  /** What the blocks are parts of. */
  readonly bytes: Uint8Array;
  readonly #onEnd: () => void;
  /** For each number of sectors the front of the buffer, as the segments of a disk request. */
  readonly #fronts: readonly (readonly [Uint8Array])[];
  #direction: BlockDirection = "in";
  #position = 0;
  #end = 0; // equal to the position while no block is open

  /**
   * @param sectors that the buffer holds
   * @param onEnd called when the host has moved the last word of a block
   */
  constructor(sectors: number, onEnd: () => void) {
    this.#onEnd = onEnd;
    this.bytes = new Uint8Array(sectors * SECTOR_SIZE);
    const front = (count: number) => this.bytes.subarray(0, count * SECTOR_SIZE);
    this.#fronts = Array.from({ length: sectors + 1 }, (_, count) => [front(count)]);
  }

  /** The buffer's first sectors as segments of a disk request: the same object every time. */
  segments(sectors: number): readonly [Uint8Array] {
    return this.#fronts[sectors]!;
  }

  /**
   * Offers a block to the host: DRQ goes up.
   * @param length bytes, even
   * @param begin where in the buffer, even
   */
  open(direction: BlockDirection, length: number, begin: number = 0): void {
    this.#direction = direction;
    this.#position = begin;
    this.#end = begin + length;
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

  /** Where no block is open, the words are ones. */
  readString(size: AccessSize, into: Uint8Array): void {
    if (size === 1) {
      for (let i = 0; i < into.length; i++) into[i] = this.read(1);
      return;
    }
    let done = 0;
    while (done < into.length) {
      const length = this.#bulk("in", into.length - done);
      if (length === 0) break;
      into.set(this.bytes.subarray(this.#position, this.#position + length), done);
      done += length;
      this.#advance(length);
    }
    if (done < into.length) into.fill(allOnes(1), done);
  }

  /** Where no block is open, the words are dropped. */
  writeString(size: AccessSize, from: Uint8Array): void {
    if (size === 1) {
      for (const byte of from) this.write(1, byte);
      return;
    }
    let done = 0;
    while (done < from.length) {
      const length = this.#bulk("out", from.length - done);
      if (length === 0) break;
      const part = length === from.length ? from : from.subarray(done, done + length);
      this.bytes.set(part, this.#position);
      done += length;
      this.#advance(length);
    }
  }

  #bulk(direction: BlockDirection, wanted: number): number {
    return direction === this.#direction ? Math.min(wanted, this.#end - this.#position) : 0;
  }

  #readWord(): number {
    if (this.#bulk("in", 2) === 0) return allOnes(2);
    const word = this.bytes[this.#position]! | this.bytes[this.#position + 1]! << 8;
    this.#advance(2);
    return word;
  }

  #writeWord(value: number): void {
    if (this.#bulk("out", 2) === 0) return;
    this.bytes[this.#position] = value;
    this.bytes[this.#position + 1] = value >>> 8;
    this.#advance(2);
  }

  #advance(length: number): void {
    this.#position += length;
    if (this.#position === this.#end) this.#onEnd();
  }
}
