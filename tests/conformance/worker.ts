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

self.onmessage = async ({ data }: MessageEvent<Job>): Promise<void> => {
  self.postMessage(await judge(data.file, data.tier));
};
