/**
 * A line on a terminal that tells how far the run has come.
 * @module
 */

import type { Counters } from "../machine/config.ts";
import { duration } from "../report/table.ts";

/** What the line shows. */
export interface ProgressState {
  readonly counters: Counters;
  /** Work units done, of the total. */
  readonly done: number;
  /** What is being done; empty for nothing to say. */
  readonly label: string;
}

/** Shows progress, or nothing. */
export interface Progress {
  /** The terminal line is taken: nothing else may be written until {@link stop}. */
  readonly shown: boolean;
  /** Called often; asks for the state only when the line is due. */
  update(state: () => ProgressState): void;
  /** Clears the line. */
  stop(): void;
}

/** No progress display. */
export const NO_PROGRESS: Progress = { shown: false, update: () => {}, stop: () => {} };

const INTERVAL_MS = 100;

/** The part of cli-progress in use; the package has no types. */
interface Bar {
  start(total: number, startValue: number, payload: Payload): void;
  update(value: number, payload: Payload): void;
  stop(): void;
}

interface Payload {
  readonly label: string;
  readonly virtual: string;
  readonly mips: string;
  readonly exits: string;
}

const START: Payload = { label: "", virtual: "0 ns", mips: "0", exits: "0" };
const FIGURES = "{virtual} virtual  {mips} MIPS  {exits} exits/s";

/**
 * Takes the bottom line of standard error.
 * @param total work units of the whole run, `undefined` when nobody knows
 */
export async function openProgress(total: number | undefined): Promise<Progress> {
  const { default: progress } = await import("cli-progress");
  const bar: Bar = new progress.SingleBar({
    format: total === undefined ? FIGURES : `{bar} {value}/{total} {label}  ${FIGURES}`,
    barsize: 24,
    clearOnComplete: true,
    hideCursor: false,
    gracefulExit: false,
  }, progress.Presets.shades_classic);
  bar.start(total ?? 1, 0, START);
  return new BarProgress(bar);
}

/** Turns counters into rates, at most ten times a second of the host. */
class BarProgress implements Progress {
  readonly shown = true;
  readonly #bar: Bar;
  #at: number = performance.now();
  #instructions = 0;
  #exits = 0;

  constructor(bar: Bar) {
    this.#bar = bar;
  }

  update(state: () => ProgressState): void {
    const elapsed = performance.now() - this.#at;
    if (elapsed < INTERVAL_MS) return;
    const { counters, done, label } = state();
    const { instructions, exits: { total } } = counters;
    this.#bar.update(done, {
      label,
      virtual: duration(counters.elapsedNs),
      mips: ((instructions - this.#instructions) / elapsed / 1000).toFixed(1),
      exits: ((total - this.#exits) * 1000 / elapsed).toFixed(0),
    });
    this.#at += elapsed;
    this.#instructions = instructions;
    this.#exits = total;
  }

  stop(): void {
    this.#bar.stop();
  }
}
