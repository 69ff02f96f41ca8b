/**
 * Watchdogs of a domain: timers that end it unless they are set again in time.
 * Source: Xen public header sched.h; domain_watchdog() of xen/common/sched/core.c.
 * @module
 */

import type { Clock, Timer } from "../types.ts";
import { ERRNO } from "./hypercalls/errno.ts";

/** Watchdogs of each domain. */
const NR_DOMAIN_WATCHDOG_TIMERS = 2;

const NS_PER_SECOND = 1_000_000_000;

/** The watchdogs of one domain, numbered from 1. */
export class DomainWatchdogs {
  readonly #clock: Clock;
  readonly #timers: readonly Timer[];
  readonly #inUse: boolean[];

  /** @param onTimeout the domain has not set one in time */
  constructor(clock: Clock, onTimeout: () => void) {
    this.#clock = clock;
    const numbers = Array.from({ length: NR_DOMAIN_WATCHDOG_TIMERS }, (_, i) => i + 1);
    this.#timers = numbers.map((id) => clock.timer(`xen watchdog ${id}`, onTimeout));
    this.#inUse = numbers.map(() => false);
  }

  /**
   * SCHEDOP_watchdog.
   * @param id 0 takes a free one
   * @param seconds until the domain ends; 0 gives a taken one back
   * @returns the number of the one taken; 0 for one set again; -EINVAL, -ENOSPC
   */
  set(id: number, seconds: number): number {
    if (id === 0) return this.#take(seconds);
    const timer = this.#timers[id - 1];
    if (timer === undefined || !this.#inUse[id - 1]) return -ERRNO.EINVAL;
    this.#inUse[id - 1] = seconds !== 0;
    if (seconds === 0) timer.cancel();
    else this.#arm(timer, seconds);
    return 0;
  }

  #take(seconds: number): number {
    const free = this.#inUse.indexOf(false);
    if (free < 0) return -ERRNO.ENOSPC;
    this.#inUse[free] = true;
    this.#arm(this.#timers[free]!, seconds);
    return free + 1;
  }

  /** A time beyond what the clock can count never comes. */
  #arm(timer: Timer, seconds: number): void {
    timer.cancel();
    const deadline = this.#clock.now + seconds * NS_PER_SECOND;
    if (deadline <= Number.MAX_SAFE_INTEGER) timer.armAt(deadline);
  }
}
