/**
 * `deno task conformance`: every case of the folders named, in the tiers named.
 * Exit code 1 when a case fails that must pass, 2 for a command that makes no sense.
 * @module
 */

import { processStreams, writeError, writeText } from "../../core/cli/output.ts";
import { UsageError } from "../../core/errors.ts";
import { builtTiers } from "../helpers/oracle.ts";
import { type ConformanceOptions, parseConformanceArgs } from "./args.ts";
import { findCaseFiles } from "./files.ts";
import { isGood, type Verdict } from "./judge.ts";
import { judgeAll } from "./pool.ts";
import { absentRow, details, summary, tableHead, tableRow } from "./report.ts";

/** Judges; returns the exit code. */
export async function conformance(
  options: ConformanceOptions,
  print: (line: string) => void,
): Promise<number> {
  const files = await findCaseFiles(options.paths);
  const tiers = options.tiers.filter((tier) => builtTiers().includes(tier));
  const jobs = files.flatMap((file) => tiers.map((tier) => ({ file, tier })));
  const verdicts: Verdict[] = [];
  print(tableHead());
  await judgeAll(jobs, options.jobs, (verdict) => {
    verdicts.push(verdict);
    print(tableRow(verdict));
  });
  for (const tier of options.tiers.filter((tier) => !tiers.includes(tier))) {
    print(absentRow("all", tier, "not built"));
  }
  for (const verdict of verdicts) {
    const text = await details(verdict);
    if (text) print(text);
  }
  print(summary(verdicts));
  return verdicts.every(isGood) ? 0 : 1;
}

/** The command; returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const streams = processStreams();
  try {
    const options = parseConformanceArgs(args);
    if (typeof options === "string") {
      writeText(streams.stdout, options);
      return 0;
    }
    return await conformance(options, (line) => writeText(streams.stdout, `${line}\n`));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    writeError(streams, error.message, error.hint);
    return error.exitCode;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
