/**
 * VM exits by the guest instruction that made them: what a profile by guest function is made from.
 * @module
 */

import type { Ns } from "../../types.ts";

/** Pairs of instruction and place, a power of two; half of them are used at most. */
const SLOTS = 1 << 16;
const MOST_SITES = SLOTS / 2;
/** 2^32 over the golden ratio: spreads neighbouring addresses. */
const SPREAD = 0x9e3779b1;
const SHIFT = 16;

/** Exits of one instruction to one place. */
export interface ExitSite {
  /** Linear address; `undefined` for all instructions that found the table full. */
  readonly rip: number | undefined;
  /** Id of the row in the exit table; 0 with `rip` `undefined`. */
  readonly row: number;
  readonly samples: number;
  readonly timeNs: Ns;
}

/** An open-addressing hash table: an exit allocates nothing. */
export class ExitSites {
  readonly #rips = new Uint32Array(SLOTS);
  /** 0 = free. */
  readonly #rows = new Uint32Array(SLOTS);
  readonly #samples = new Float64Array(SLOTS);
  readonly #times = new Float64Array(SLOTS);
  #used = 0;
  #lostSamples = 0;
  #lostTime = 0;

  /** Counts exits that took `ns` each. */
  count(rip: number, row: number, ns: Ns, times: number = 1): void {
    const slot = this.#slotOf(rip, row);
    if (slot < 0) {
      this.#lostSamples += times;
      this.#lostTime += ns * times;
      return;
    }
    this.#samples[slot]! += times;
    this.#times[slot]! += ns * times;
  }

  /** All sites. */
  sites(): ExitSite[] {
    const found: ExitSite[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      const row = this.#rows[slot]!;
      const [rip, samples, timeNs] = [this.#rips[slot]!, this.#samples[slot]!, this.#times[slot]!];
      if (row > 0) found.push({ rip, row, samples, timeNs });
    }
    if (this.#lostSamples === 0) return found;
    const lost = { samples: this.#lostSamples, timeNs: this.#lostTime };
    return [...found, { rip: undefined, row: 0, ...lost }];
  }

  /** @returns -1 when there is no room for a new site */
  #slotOf(rip: number, row: number): number {
    let slot = Math.imul(rip ^ row << SHIFT, SPREAD) >>> SHIFT;
    while (this.#rows[slot] !== 0) {
      if (this.#rips[slot] === rip && this.#rows[slot] === row) return slot;
      slot = (slot + 1) & (SLOTS - 1);
    }
    if (this.#used === MOST_SITES) return -1;
    this.#used++;
    this.#rips[slot] = rip;
    this.#rows[slot] = row;
    return slot;
  }
}
