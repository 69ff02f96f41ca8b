/**
 * A set of interrupt vectors, as an APIC keeps three of.
 * @module
 */

/** 256 bits in eight words. */
export class VectorSet {
  readonly #words: Uint32Array = new Uint32Array(8);

  /** One word of the set, as the guest reads it: bit 0 of word 0 is vector 0. */
  word(index: number): number {
    return this.#words[index]!;
  }

  /** Says whether a vector is in it. */
  has(vector: number): boolean {
    return (this.#words[vector >> 5]! >>> (vector & 31) & 1) !== 0;
  }

  /** Puts a vector in. */
  add(vector: number): void {
    this.#words[vector >> 5]! |= 1 << (vector & 31);
  }

  /** Takes a vector out. */
  delete(vector: number): void {
    this.#words[vector >> 5]! &= ~(1 << (vector & 31));
  }

  /** Takes all out. */
  clear(): void {
    this.#words.fill(0);
  }

  /** The highest vector, -1 when there is none. */
  highest(): number {
    for (let index = 7; index >= 0; index--) {
      const word = this.#words[index]!;
      if (word !== 0) return 32 * index + 31 - Math.clz32(word);
    }
    return -1;
  }
}
