/**
 * Reproducible chance.
 * @module
 */

/** A generator of 32-bit numbers (xorshift32, after a multiplicative hash of the seed). */
export class Rng {
  #state: number;

  /** @param seed any integer; equal seeds give equal sequences */
  constructor(seed: number) {
    let state = Math.imul(seed ^ seed >>> 16, 0x85ebca6b);
    state = Math.imul(state ^ state >>> 13, 0xc2b2ae35);
    this.#state = (state ^ state >>> 16) || 1;
  }

  /** An unsigned 32-bit number. */
  next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return state >>> 0;
  }

  /** An integer from 0 to `limit` − 1. */
  below(limit: number): number {
    return this.next() % limit;
  }

  /** True `percent` times in a hundred. */
  chance(percent: number): boolean {
    return this.next() % 1000 < percent * 10;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  /** @param bytes 4-byte aligned, a multiple of 4 bytes */
  fill(bytes: Uint8Array): void {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    for (let n = 0; n < words.length; n++) words[n] = this.next();
  }
}
