/**
 * The books: where every virtual nanosecond of the vCPU went.
 *
 * Time moves only by being booked, so elapsed time is the sum of the books by construction;
 * {@link Books.assertClosed} proves it at the end of every run.
 * @module
 */

import { InternalError } from "./errors.ts";
import type { VirtualClock } from "./clock.ts";
import { COST_KINDS } from "./types.ts";
import type { Cost, CostKind, Ledger, Ns } from "./types.ts";

/** The vCPU's ledger. */
export class Books implements Ledger {
  readonly #clock: VirtualClock;
  readonly #openedAt: Ns;
  readonly #ns = new Float64Array(COST_KINDS.length);

  constructor(clock: VirtualClock) {
    this.#clock = clock;
    this.#openedAt = clock.now;
  }

  /** @param ns not negative, whole */
  charge(cost: Cost, ns: Ns): void {
    this.#ns[cost]! += ns;
    this.#clock.advance(ns);
  }

  /** Booked so far, by kind. */
  snapshot(): Record<CostKind, Ns> {
    const entries = COST_KINDS.map((kind, i) => [kind, this.#ns[i]!] as const);
    return Object.fromEntries(entries) as Record<CostKind, Ns>;
  }

  /** @throws {InternalError} when the books do not add up to the time that has passed */
  assertClosed(): void {
    const booked = this.#ns.reduce((sum, ns) => sum + ns, 0);
    const elapsed = this.#clock.now - this.#openedAt;
    if (booked === elapsed && this.#ns.every((ns) => Number.isSafeInteger(ns) && ns >= 0)) return;
    throw new InternalError(
      `books do not close: ${elapsed} ns elapsed, ${booked} ns booked: ` +
        JSON.stringify(this.snapshot()),
    );
  }
}
