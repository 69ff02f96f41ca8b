/**
 * The host's event loop, for a machine that gives way to it and does not want to lose time.
 *
 * A timer of 0 ms takes two milliseconds. An immediate takes a few microseconds, but a loop that
 * always has something to do does not ask the system in every turn whether there is a key or a
 * signal: in {@link TURNS} of them it does, which take a fifth of a millisecond (Deno 2.9.6).
 * @module
 */

import { setImmediate } from "node:timers";

/** Turns of the loop within which everything that has happened is heard. */
const TURNS = 64;

/** Lets everything happen that is due. */
export async function giveWay(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}
