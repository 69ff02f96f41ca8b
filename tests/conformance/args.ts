/**
 * Arguments of `deno task conformance`.
 * @module
 */

import { fromFileUrl, resolve } from "@std/path";
import { Command } from "commander";
import { UsageError } from "../../core/errors.ts";
import { parseInto } from "../helpers/command.ts";
import type { Tier } from "../helpers/oracle.ts";

/** What the user asked for. */
export interface ConformanceOptions {
  /** Absolute paths of folders with case files, or of single files. */
  readonly paths: readonly string[];
  readonly tiers: readonly Tier[];
  /** Files that are judged at the same time. */
  readonly jobs: number;
}

/** A command that works. */
export const HINT = "deno task conformance [DIR ...] [--tier 1|2|both] [--jobs N]";

/** Folders that are judged unless others are named, beside the checkout. */
export const DEFAULT_FOLDERS: readonly string[] = ["native", "system/cases"].map((name) =>
  fromFileUrl(new URL(`../../../shared/oracles/${name}`, import.meta.url))
);

const TIERS: Readonly<Record<string, readonly Tier[]>> = { 1: [1], 2: [2], both: [1, 2] };
const MAX_JOBS = 64;

/**
 * Reads the arguments.
 * @returns the help text, if that is what the user asked for
 * @throws {UsageError} when they make no sense
 */
export function parseConformanceArgs(args: readonly string[]): ConformanceOptions | string {
  const command = new Command("conformance")
    .description("Judge the CPU by every case of the folders named.")
    .argument("[DIR...]", "folders of cases, or case files; ../shared/oracles unless given")
    .option("--tier <1|2|both>", "interpreted, compiled, or both", "both")
    .option("--jobs <N>", "files at the same time", "2")
    .option("-C <DIR>", "folder that the others are relative to", ".");
  const help = parseInto(command, args, HINT);
  if (help !== undefined) return help;
  const options = command.opts<{ tier: string; jobs: string; C: string }>();
  return {
    paths: command.args.length
      ? command.args.map((path) => resolve(options.C, path))
      : DEFAULT_FOLDERS,
    tiers: tiersOf(options.tier),
    jobs: jobsOf(options.jobs),
  };
}

function tiersOf(text: string): readonly Tier[] {
  const tiers = Object.hasOwn(TIERS, text) ? TIERS[text] : undefined;
  if (!tiers) throw new UsageError(`Cannot judge tier "${text}": there are 1, 2 and both`, HINT);
  return tiers;
}

function jobsOf(text: string): number {
  const jobs = Number(text);
  if (!/^\d+$/.test(text) || jobs < 1 || jobs > MAX_JOBS) {
    throw new UsageError(`Cannot use --jobs "${text}": want 1 to ${MAX_JOBS}`, HINT);
  }
  return jobs;
}
