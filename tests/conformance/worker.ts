/**
 * Judges files that the main thread sends, one after the other.
 * @module
 */

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import type { Tier } from "../helpers/oracle.ts";
import type { CaseFile } from "./files.ts";
import { judge } from "./judge.ts";

/** A file to judge. */
export interface Job {
  readonly file: CaseFile;
  readonly tier: Tier;
}

/** What the main thread sends. */
export interface Order {
  readonly job: Job;
  /** One word: the line of the case that runs. */
  readonly line: SharedArrayBuffer;
}

self.onmessage = async ({ data: { job, line } }: MessageEvent<Order>): Promise<void> => {
  const running = new Uint32Array(line);
  self.postMessage(await judge(job.file, job.tier, (n) => Atomics.store(running, 0, n)));
};
