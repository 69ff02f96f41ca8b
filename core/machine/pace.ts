/**
 * Virtual time beside the host's, while somebody sits at the guest's console.
 *
 * Left alone, a machine runs as fast as it can and skips what its guest sleeps through: a login
 * that times out after a minute would do so at once. So an interactive machine is paced: its clock
 * never runs faster than the host's. It may run slower, where a guest has more to do than the host
 * can; what it then lags behind is forgiven, for a guest that caught up would not sleep at all.
 *
 * Where time is cut by this shows to no guest and in no book, so a paced run and an unpaced one
 * with the same inputs are the same.
 * @module
 */

import type { Ns } from "../types.ts";

/** How far virtual time may lag and still catch up: what a host that is busy elsewhere takes. */
const FORGIVEN: Ns = 100_000_000;
/** Shortest wait, of a machine that is ahead while its guest computes. */
const SHORTEST_MS = 4;
/** Longest wait: how often the machine's owner is heard. */
export const LONGEST_WAIT_MS = 50;

/** One machine's clock beside the host's. */
export class Pace {
  /** The host's time at virtual time 0. */
  #origin = -Infinity;

  /** Virtual time up to which the machine may run now. */
  horizon(now: Ns): Ns {
    const hostNow = Math.round(performance.now() * 1e6);
    const lag = hostNow - this.#origin - now;
    if (Math.abs(lag) > FORGIVEN) this.#origin = hostNow - now;
    return hostNow - this.#origin;
  }

  /** How long the host must wait until virtual time may come to `next`, in milliseconds. */
  waitFor(next: Ns, now: Ns): number {
    const ms = (next - this.horizon(now)) / 1e6;
    return Math.min(Math.max(ms, SHORTEST_MS), LONGEST_WAIT_MS);
  }
}
