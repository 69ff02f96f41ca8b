/**
 * `deno task conformance`: every case of the folders named, in the tiers named.
 * Exit code 1 when a case fails that must pass, 2 for a command that makes no sense or files that
 * cannot be read.
 * @module
 */

import { runTool } from "../helpers/command.ts";
import { type ConformanceOptions, parseConformanceArgs } from "./args.ts";
import { findCaseFiles } from "./files.ts";
import { isGood, type Verdict } from "./judge.ts";
import { judgeAll } from "./pool.ts";
import { details, summary, tableHead, tableRow } from "./report.ts";

/** Judges; returns the exit code. */
export async function conformance(
  options: ConformanceOptions,
  print: (line: string) => void,
): Promise<number> {
  const files = await findCaseFiles(options.paths);
  const jobs = files.flatMap((file) => options.tiers.map((tier) => ({ file, tier })));
  const verdicts: Verdict[] = [];
  print(tableHead());
  await judgeAll(jobs, options.jobs, (verdict) => {
    verdicts.push(verdict);
    print(tableRow(verdict));
  });
  for (const verdict of verdicts) {
    const text = details(verdict);
    if (text) print(text);
  }
  print(summary(verdicts));
  return verdicts.every(isGood) ? 0 : 1;
}

if (import.meta.main) {
  Deno.exit(await runTool(() => parseConformanceArgs(Deno.args), conformance));
}
