/**
 * Port reads that nobody need be asked again: the host has said of the last exit that the same read
 * gets the same answer, in the same time, until something else happens. They are counted here and
 * told together. A guest that polls a status spends most of its exits so.
 * @module
 */

import type { VcpuHost, VmExit } from "../types.ts";
import { REC } from "./record.ts";
import { AT, type CpuState, CS } from "./state.ts";

const { BUDGET, RECORD } = AT;
const { LEFT, PC } = REC;

/** Repetitions whose times are kept, a power of two. */
const KEPT = 16;
const NONE = -1;

/** The repetitions of one exit. */
export class Polls {
  /** What the port answers. */
  value = 0;
  #port = NONE;
  #how = 0;
  #record = 0;
  #pc = 0;
  #base = 0;
  #ns = 0;
  #times = 0;
  /** What was left of the budget at the last few, by number modulo {@link KEPT}. */
  readonly #budgets = new Int32Array(KEPT);

  /**
   * The instruction at hand has made that exit, and may repeat it.
   * @param how as the instruction says it: size and form
   */
  begin(state: CpuState, { port, value, steady }: VmExit, how: number): void {
    this.value = value;
    this.#port = port;
    this.#how = how;
    this.#record = state.get(RECORD);
    this.#pc = state.get(this.#record + PC);
    this.#base = state.segmentBase(CS);
    this.#ns = steady;
  }

  /** Repeats the exit, if the instruction at hand does and the budget has room for it. */
  again(state: CpuState, port: number, how: number): boolean {
    if (port !== this.#port || how !== this.#how) return false;
    const record = this.#record;
    if (state.get(RECORD) !== record || state.get(record + PC) !== this.#pc) return false;
    if (state.segmentBase(CS) !== this.#base) return false;
    const budget = state.get(BUDGET);
    if (budget < this.#ns) return false;
    state.set(BUDGET, budget - this.#ns);
    this.#budgets[this.#times++ & (KEPT - 1)] = budget + state.bytes[record + LEFT]!;
    return true;
  }

  /**
   * Something else happens: tells the host.
   * @param granted the budget when the host was told last
   * @returns what the repetitions have taken off the budget
   */
  end(host: VcpuHost, granted: number): number {
    this.#port = NONE;
    const times = this.#times;
    if (times === 0) return 0;
    this.#times = 0;
    const spent = this.#budgets;
    for (let n = 0; n < KEPT; n++) spent[n] = granted - spent[n]!;
    host.repeated!(times, spent);
    return times * this.#ns;
  }
}
