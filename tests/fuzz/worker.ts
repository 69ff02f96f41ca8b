/**
 * Runs cases until one goes wrong or the time is over. Before each case it writes the case's number
 * where the main thread can see it, even if the case never ends.
 * @module
 */

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import type { FuzzOptions } from "./args.ts";
import type { Finding } from "./target.ts";
import { TARGETS } from "./targets.ts";

/** What the main thread sends. */
export interface FuzzJob {
  readonly options: FuzzOptions;
  readonly seed: number;
  /** One word: cases begun. The time of a case runs from there. */
  readonly begun: SharedArrayBuffer;
}

/** What the worker answers. */
export interface FuzzResult {
  /** Cases that were run. */
  readonly cases: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly finding: Finding | undefined;
}

function work({ options, seed, begun }: FuzzJob): FuzzResult {
  const target = TARGETS[options.target]!();
  const counter = new Uint32Array(begun);
  const end = performance.now() + (options.milliseconds ?? 0);
  let cases = 0;
  let finding: Finding | undefined;
  do {
    Atomics.store(counter, 0, cases + 1);
    finding = target.run((seed + cases) >>> 0);
    cases++;
  } while (!finding && performance.now() < end);
  return { cases, counts: target.counts, finding };
}

self.onmessage = ({ data }: MessageEvent<FuzzJob>): void => self.postMessage(work(data));
