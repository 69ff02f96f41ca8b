/**
 * Gives out the sites in which single accesses of compiled code remember their last translation.
 * @module
 */

import { SITES, TLB } from "./state.ts";

/** Kinds of access whose rights are their own: supervisor and user bank, reads and writes. */
const STRICT_BANK = (TLB.STRICT - TLB.BASE) / TLB.BANK_BYTES;

/** The sites of one CPU; after the last of a kind they are given out again. */
export class Sites {
  readonly #given: Uint16Array = new Uint16Array(SITES.KINDS);

  /**
   * Address of a site for one more access.
   * @param stack all accesses to the stack share one: they mostly go to one page
   * @returns nothing in the bank that must never hit
   */
  next(bank: number, write: boolean, stack: boolean): number | undefined {
    if (bank === STRICT_BANK) return undefined;
    const kind = bank * 2 + (write ? 1 : 0);
    const number = stack ? 0 : 1 + this.#given[kind]!++ % (SITES.PER_KIND - 1);
    return SITES.BASE + (kind * SITES.PER_KIND + number) * SITES.STRIDE;
  }
}

/** Makes every site forget: after any translation has become invalid. */
export function forgetSites(words: Int32Array): void {
  const end = SITES.BASE + SITES.KINDS * SITES.PER_KIND * SITES.STRIDE;
  words.fill(SITES.NONE, SITES.BASE >> 2, end >> 2);
}
