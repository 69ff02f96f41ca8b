/**
 * Judges files that the main thread sends, one after the other.
 * @module
 */

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import { UsageError } from "../../core/errors.ts";
import type { Tier } from "../helpers/oracle.ts";
import type { CaseFile } from "./files.ts";
import { judge, type Verdict } from "./judge.ts";

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

/** What the worker answers. */
export type Answer = { readonly verdict: Verdict } | { readonly unreadable: string };

async function answer({ file, tier }: Job, running: Uint32Array): Promise<Answer> {
  try {
    return { verdict: await judge(file, tier, (line) => Atomics.store(running, 0, line)) };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { unreadable: error.message };
  }
}

self.onmessage = async ({ data: { job, line } }: MessageEvent<Order>): Promise<void> => {
  self.postMessage(await answer(job, new Uint32Array(line)));
};
