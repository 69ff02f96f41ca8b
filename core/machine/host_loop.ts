/**
 * How a machine shares its host: it runs for a stretch, then lets the event loop turn.
 *
 * Nothing here shows to the guest or in the books, save when somebody types.
 * @module
 */

import type { Ns } from "../types.ts";
import { LONGEST_WAIT_MS, Pace } from "./pace.ts";

/** Host time of a stretch: alone, and with a user who waits for an echo. */
const STRETCH_MS = 50;
const PACED_STRETCH_MS = 20;

/**
 * Virtual time between two looks at the host's clock. A guest that computes takes a millisecond of
 * the host's or some for the shortest; one that does nothing but exits has run through it at once.
 */
export const SHORTEST_SLICE: Ns = 1_000_000;
const LONGEST_SLICE: Ns = 16_000_000;
/** Host time of a slice that a longer one may follow. */
const QUICK_SLICE_MS = 0.1;

/** What the loop tells and asks whoever owns the run, about every 50 ms of host time. */
export interface RunHooks {
  /** Time to look at what has happened. */
  readonly onSlice?: () => void;
  /** True ends the run with reason `interrupted`. */
  readonly interrupted?: () => boolean;
  /** True while the machine is to stand still, its clock included. */
  readonly paused?: () => boolean;
  /** True while virtual time is not to run faster than the host's: see `pace.ts`. */
  readonly paced?: () => boolean;
  /** True while input may come: a guest that waits for nothing else has not crashed then. */
  readonly listening?: () => boolean;
  /** Lets the event loop turn. A timer unless given, which takes a tenth of an interactive run. */
  readonly giveWay?: () => Promise<void>;
}

/** The machine as its loop sees it. */
export interface Sliced {
  readonly now: Ns;
  /** When a sleeping guest is woken at the latest; `undefined` while it runs. */
  readonly sleepsUntil: Ns | undefined;
  /** Nothing more will happen. */
  readonly hasEnded: boolean;
  /** Lets that much virtual time pass, or a little more. */
  runSlice(length: Ns): void;
}

/** The loop of one machine. */
export class HostLoop {
  readonly #pace: Pace = new Pace();
  #horizon: Ns = Infinity;
  #listening = false;
  #wake: () => void = () => {};

  /** A sleeping guest is not carried beyond this virtual time. */
  get horizon(): Ns {
    return this.#horizon;
  }

  /** Runs until the machine ends, or its owner interrupts it: true then. */
  async run(machine: Sliced, hooks: RunHooks): Promise<boolean> {
    while (!machine.hasEnded) {
      if (hooks.interrupted?.()) return true;
      const paused = hooks.paused?.() === true;
      const paced = hooks.paced?.() === true;
      this.#listening = hooks.listening?.() === true;
      this.#horizon = paced ? this.#pace.horizon(machine.now) : Infinity;
      if (!paused) this.#stretch(machine, paced ? PACED_STRETCH_MS : STRETCH_MS);
      hooks.onSlice?.();
      const ms = paused ? LONGEST_WAIT_MS : this.#waitMs(machine, paced);
      await (ms === 0 && hooks.giveWay ? hooks.giveWay() : this.#wait(ms));
    }
    return false;
  }

  /** Something has been typed. */
  wake(): void {
    this.#wake();
  }

  /**
   * The guest waits for input and for nothing else.
   * @returns whether any may come; virtual time stands still until it does
   */
  awaitInput(now: Ns): boolean {
    if (this.#listening) this.#horizon = now;
    return this.#listening;
  }

  #stretch(machine: Sliced, ms: number): void {
    let now = performance.now();
    const endsAt = now + ms;
    let slice = SHORTEST_SLICE;
    while (this.#isFree(machine) && now < endsAt) {
      const began = now;
      machine.runSlice(slice);
      now = performance.now();
      slice = now - began > QUICK_SLICE_MS ? SHORTEST_SLICE : Math.min(2 * slice, LONGEST_SLICE);
    }
  }

  #isFree({ hasEnded, now }: Sliced): boolean {
    return !hasEnded && now < this.#horizon;
  }

  /** How long the machine has nothing to do, unless something is typed. */
  #waitMs(machine: Sliced, paced: boolean): number {
    if (this.#isFree(machine) || machine.hasEnded) return 0;
    if (!paced) return LONGEST_WAIT_MS;
    return this.#pace.waitFor(machine.sleepsUntil ?? machine.now, machine.now);
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
