/**
 * The timer of a local APIC: counts the bus clock down, divided, once or over and over. The count
 * is computed from the virtual clock when somebody looks.
 * Source: Intel SDM vol. 3, §10.5.4. The bus clock is Xen's: APIC_BUS_CYCLE_NS of
 * xen/arch/x86/include/asm/hvm/vlapic.h.
 * @module
 */

import type { Clock, Ns, Timer } from "../core/types.ts";

/** 100 MHz. */
const BUS_CYCLE: Ns = 10;

/** Divisors by bits 3, 1 and 0 of the divide configuration register. */
const DIVISORS: readonly number[] = [2, 4, 8, 16, 32, 64, 128, 1];
const DIVIDE_BITS = 0x0b;

/** Bus clocks for each step down, by the divide configuration register. */
export function timerDivisor(divide: number): number {
  return DIVISORS[divide >> 1 & 4 | divide & 3]!;
}

/** The counter. What an expiry means is up to its APIC. */
export class LapicTimer {
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #expired: () => void;
  /** Starts again by itself. */
  periodic = false;
  #divide = 0;
  #initial = 0;
  /** When the count comes to 0; `undefined` while it does not run. */
  #endsAt: Ns | undefined;

  /** @param expired the count has come to 0 */
  constructor(clock: Clock, expired: () => void) {
    this.#clock = clock;
    this.#timer = clock.timer("local APIC", () => this.#fire());
    this.#expired = expired;
  }

  /** The divide configuration register. */
  get divide(): number {
    return this.#divide;
  }

  /** The count goes on from where it is, at the new pace. */
  set divide(value: number) {
    const left = this.count;
    this.#divide = value & DIVIDE_BITS;
    if (this.#endsAt !== undefined) this.#run(this.#clock.now + left * this.#unit);
  }

  /** The initial count register. */
  get initial(): number {
    return this.#initial;
  }

  /** Starts the count, or with 0 stops it. */
  set initial(count: number) {
    this.#initial = count;
    if (count === 0) this.#stop();
    else this.#run(this.#clock.now + count * this.#unit);
  }

  /** The current count register. */
  get count(): number {
    if (this.#endsAt === undefined) return 0;
    const left = this.#endsAt - this.#clock.now;
    if (left > 0) return Math.ceil(left / this.#unit);
    return this.periodic ? Math.ceil((this.#nextEnd() - this.#clock.now) / this.#unit) : 0;
  }

  /** Stops it and forgets its settings. */
  reset(): void {
    this.periodic = false;
    this.#divide = this.#initial = 0;
    this.#stop();
  }

  get #unit(): Ns {
    return BUS_CYCLE * timerDivisor(this.#divide);
  }

  #run(endsAt: Ns): void {
    this.#endsAt = endsAt;
    this.#timer.armAt(endsAt);
  }

  #stop(): void {
    this.#endsAt = undefined;
    this.#timer.cancel();
  }

  /** Of the periods that end unseen during one long exit, the last counts: they are one request. */
  #fire(): void {
    if (this.periodic) this.#run(this.#nextEnd());
    else this.#endsAt = undefined;
    this.#expired();
  }

  /** The first end of a period that is still to come. */
  #nextEnd(): Ns {
    const period = this.#initial * this.#unit;
    const late = this.#clock.now - this.#endsAt!;
    return this.#endsAt! + (Math.floor(late / period) + 1) * period;
  }
}
