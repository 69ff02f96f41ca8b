/**
 * What the tests of the PC devices share: a clock that stops at every timer, and lines that remember.
 * @module
 */

import { VirtualClock } from "../../core/clock.ts";
import type { InterruptLine, Ns } from "../../core/types.ts";

/** Lets time pass up to `time`, firing each timer at its own deadline. */
export function runUntil(clock: VirtualClock, time: Ns): void {
  while (clock.nextDeadline <= time) {
    clock.advance(clock.nextDeadline - clock.now);
    clock.fireDue();
  }
  clock.advance(time - clock.now);
}

/** An interrupt line that counts its edges and, given a clock, notes when they rise. */
export class RecordingLine implements InterruptLine {
  readonly #clock: VirtualClock | undefined;
  asserted = false;
  readonly risesAt: Ns[] = [];

  constructor(clock?: VirtualClock) {
    this.#clock = clock;
  }

  set(asserted: boolean): void {
    if (asserted && !this.asserted) this.risesAt.push(this.#clock?.now ?? 0);
    this.asserted = asserted;
  }
}
