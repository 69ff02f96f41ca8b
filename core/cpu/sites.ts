/**
 * Gives out the sites in which single accesses of compiled code remember their last translation.
 * @module
 */

import { SITES, TLB } from "./state.ts";

/** Number of the bank in which every access is looked at. */
const STRICT_BANK = (TLB.STRICT - TLB.BASE) / TLB.BANK_BYTES;

/** The sites of one CPU; after the last of a kind they are given out again. */
export class Sites {
  readonly #words: Int32Array;
  /** Sites of each kind in use: the stack's is the first. */
  readonly #given: Uint16Array = new Uint16Array(SITES.KINDS).fill(1);
  /** The one of each kind that was given out last. */
  readonly #last: Uint16Array = new Uint16Array(SITES.KINDS);

  /** @param words all of linear memory */
  constructor(words: Int32Array) {
    this.#words = words;
    this.forget();
  }

  /**
   * Address of a site for one more access.
   * @param stack all accesses to the stack share one: they mostly go to one page
   * @returns nothing in the bank that must never hit
   */
  next(bank: number, write: boolean, stack: boolean): number | undefined {
    if (bank === STRICT_BANK) return undefined;
    const kind = bank * 2 + (write ? 1 : 0);
    return SITES.BASE + (kind * SITES.PER_KIND + (stack ? 0 : this.#another(kind))) * SITES.STRIDE;
  }

  #another(kind: number): number {
    const number = this.#last[kind] = this.#last[kind]! % (SITES.PER_KIND - 1) + 1;
    if (number === this.#given[kind]) {
      this.#given[kind] = number + 1;
      this.#clear(kind, number);
    }
    return number;
  }

  /** Makes every site forget: after any translation has become invalid. */
  forget(): void {
    for (let kind = 0; kind < SITES.KINDS; kind++) this.#clear(kind, 0);
  }

  /** No code refers to a site any more. */
  takeBack(): void {
    this.#given.fill(1);
    this.#last.fill(0);
  }

  /** Clears the sites of a kind in use, from one on. */
  #clear(kind: number, from: number): void {
    const first = (SITES.BASE >> 2) + kind * SITES.PER_KIND * (SITES.STRIDE >> 2);
    const word = (number: number): number => first + number * (SITES.STRIDE >> 2);
    this.#words.fill(SITES.NONE, word(from), word(this.#given[kind]!));
  }
}
