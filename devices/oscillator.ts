/**
 * Ticks of an oscillator since power-on, and back: a device that computes its count from the clock
 * does not drift. Whole seconds go apart, so that the products stay exact.
 * @module
 */

import type { Ns } from "../core/types.ts";

const NS_PER_SECOND = 1_000_000_000;

/** Ticks that a time has seen. */
export function ticksIn(time: Ns, hz: number): number {
  const rest = time % NS_PER_SECOND;
  return (time - rest) / NS_PER_SECOND * hz + Math.floor(rest * hz / NS_PER_SECOND);
}

/** The first nanosecond of a tick. */
export function timeOfTick(tick: number, hz: number): Ns {
  const rest = tick % hz;
  return (tick - rest) / hz * NS_PER_SECOND + Math.ceil(rest * NS_PER_SECOND / hz);
}
