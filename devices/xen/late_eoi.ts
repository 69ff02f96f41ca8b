/**
 * The end of an event that a frontend has sent: at once if it told of something, late if not, so that
 * an event storm costs the frontend and not dom0.
 *
 * Until then the event channel is masked, and an event that comes is kept. The first spurious event
 * is forgiven; from the second in a row each doubles the delay.
 * Source: drivers/xen/events/events_base.c of Linux 6.1, `xen_irq_lateeoi_locked` (XSA-332).
 * @module
 */

import type { Clock, Ns, Timer } from "../../core/types.ts";

/** A jiffy of dom0, whose kernel has 250 in a second. */
const JIFFY: Ns = 4e6;
const LONGEST: Ns = 1e9;

/** One event channel of a backend. */
export class LateEoi {
  readonly #serve: () => void;
  readonly #timer: Timer;
  #spurious = 0;
  #kept = false;

  /** @param serve takes an event */
  constructor(clock: Clock, serve: () => void) {
    this.#serve = serve;
    this.#timer = clock.timer("late EOI", () => this.#unmask());
  }

  /** The frontend has sent an event: it is served now, or when the channel is unmasked. */
  arrive(): void {
    if (this.#timer.deadline === undefined) this.#serve();
    else this.#kept = true;
  }

  /** The event has been served. @param spurious there was nothing to do */
  end(spurious: boolean): void {
    this.#spurious = spurious ? this.#spurious + 1 : 0;
    if (this.#spurious > 1) {
      this.#timer.armAfter(Math.min(JIFFY * 2 ** (this.#spurious - 2), LONGEST));
    }
  }

  /** No event is served any more. */
  close(): void {
    this.#timer.cancel();
  }

  #unmask(): void {
    if (!this.#kept) return;
    this.#kept = false;
    this.#serve();
  }
}
