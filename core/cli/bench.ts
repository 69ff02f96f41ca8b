/**
 * `bench`: how fast the CPU and the two ways of the emulated disk are, in CPU time of the host, and
 * how fast v86 is on the same guests in the same run. `bench boot` and `bench pv` are in files of
 * their own.
 * @module
 */

import { join } from "@std/path";
import { EXIT_CODE, UsageError } from "../errors.ts";
import { stableJson } from "../report/json.ts";
import { formatBoot, measureBoot, newestImages, parseBootArgs } from "./bench_boot.ts";
import { benchCommandLine, parseBenchLine } from "./bench_command.ts";
import { formatPv, measurePv, parsePvArgs } from "./bench_pv.ts";
import { runHost, TRAPRING, V86 } from "./bench_host.ts";
import { makeImage } from "./bench_image.ts";
import { measureProcess } from "./bench_process.ts";
import { type BenchRecord, type Rounds, suiteResult } from "./bench_result.ts";
import { BENCH_SUITES, type BenchMode, type BenchSuite } from "./bench_suites.ts";
import { formatBench } from "./bench_table.ts";
import { reportFailure } from "./failure.ts";
import { processStreams, type Streams, writeError, writeText } from "./output.ts";
import { parseCount } from "./units.ts";

/** What the user asked for. */
export interface BenchOptions {
  readonly suites: readonly BenchSuite[];
  readonly mode: BenchMode;
  /** How often each guest runs on each emulator. */
  readonly rounds: number;
  readonly json: boolean;
}

/** What must be installed before v86 can be compared. */
interface Missing {
  readonly missing: string | undefined;
}

const PROJECT = join(import.meta.dirname!, "../..");
const SOURCES = join(PROJECT, "../shared/bench/guests");
/** As far as the task's write permission goes. */
const FOLDER = join(PROJECT, "out/bench");
const DEFAULT_ROUNDS = "3";
const HINT = "deno task bench [cpu|disk|boot|pv] [--quick] [--rounds N] [--json]";

/**
 * Reads the arguments.
 * @returns the help text, if that is what the user asked for
 * @throws {UsageError} when they make no sense
 */
export function parseBenchArgs(args: readonly string[]): BenchOptions | string {
  const guests = [...new Set(BENCH_SUITES.map(({ guest }) => guest))];
  const command = benchCommandLine("bench")
    .description("Measure the speed of the CPU and of the emulated disk.")
    .argument("[suite]", `${guests.join(" or ")}, both unless given; or boot, pv: see boot --help`)
    .option("--quick", "about a quarter of the work")
    .option("--rounds <n>", "runs of each guest, of which the median counts", DEFAULT_ROUNDS)
    .option("--json", "one JSON object on standard output");
  const help = parseBenchLine(command, args, HINT);
  if (help !== undefined) return help;
  const [wanted] = command.args;
  const suites = BENCH_SUITES.filter(({ guest }) => wanted === undefined || guest === wanted);
  if (suites.length === 0) throw new UsageError(`Cannot find benchmark "${wanted}"`, HINT);
  const { quick, rounds, json } = command.opts<{ quick?: true; rounds: string; json?: true }>();
  return {
    suites,
    mode: quick ? "quick" : "full",
    rounds: parseCount("--rounds", rounds),
    json: json === true,
  };
}

/**
 * Runs the benchmark.
 * @returns the exit code: 1 when a guest computes something wrong
 */
export async function benchCommand(args: readonly string[], streams: Streams): Promise<number> {
  const [name, ...rest] = args;
  if (name === "boot") return await bootCommand(rest, streams);
  if (name === "pv") return await pvCommand(rest, streams);
  const options = parseBenchArgs(args);
  if (typeof options === "string") {
    writeText(streams.stdout, options);
    return EXIT_CODE.POWER_OFF;
  }
  const record = await bench(options);
  writeText(streams.stdout, options.json ? stableJson(record) : formatBench(record));
  const wrong = record.suites.flatMap(({ name, sections }) =>
    sections.filter(({ faults }) => faults.length > 0).map((section) => `${name} ${section.name}`)
  );
  if (wrong.length === 0) return EXIT_CODE.POWER_OFF;
  writeError(streams, `Wrong results: ${wrong.join(", ")}`);
  return EXIT_CODE.GUEST_CRASH;
}

async function bootCommand(args: readonly string[], streams: Streams): Promise<number> {
  const options = parseBootArgs(args, newestImages(stockFolder()));
  if (typeof options === "string") {
    writeText(streams.stdout, options);
    return EXIT_CODE.POWER_OFF;
  }
  const record = await measureBoot(options, FOLDER);
  writeText(streams.stdout, options.json ? stableJson(record) : formatBoot(record));
  return EXIT_CODE.POWER_OFF;
}

async function pvCommand(args: readonly string[], streams: Streams): Promise<number> {
  const options = parsePvArgs(args, newestImages(stockFolder()));
  if (typeof options === "string") {
    writeText(streams.stdout, options);
    return EXIT_CODE.POWER_OFF;
  }
  const record = await measurePv(options, FOLDER);
  writeText(streams.stdout, options.json ? stableJson(record) : formatPv(record));
  return EXIT_CODE.POWER_OFF;
}

/** Where `deno task test:stock` keeps its images. */
function stockFolder(): string {
  const home = Deno.env.get("XDG_CACHE_HOME") || join(Deno.env.get("HOME") ?? "/tmp", ".cache");
  return join(home, "trapring", "stock");
}

async function bench(options: BenchOptions): Promise<BenchRecord> {
  const { mode, rounds, suites } = options;
  const results = [];
  const notes = new Set<string>();
  for (const suite of suites) {
    const { missing, ...measured } = await measure(suite, options);
    results.push(suiteResult(suite, mode, measured));
    if (missing !== undefined) notes.add(`v86: not compared, not installed; ${missing}`);
  }
  const cpu = suites.some(({ guest }) => guest === "cpu");
  const process = cpu ? await measureProcess(FOLDER) : [];
  return { mode, rounds, suites: results, process, notes: [...notes] };
}

/** Runs the emulators in turn. */
async function measure(suite: BenchSuite, options: BenchOptions): Promise<Rounds & Missing> {
  const { guest, patterned, peer } = suite;
  const defines = suite.defines[options.mode];
  const image = makeImage(FOLDER, { sources: SOURCES, name: guest, defines }, patterned);
  const trapring = [];
  const v86 = [];
  let missing: string | undefined;
  for (let round = 0; round < options.rounds; round++) {
    trapring.push((await runHost(TRAPRING, [image])).measurements);
    if (!peer || missing !== undefined) continue;
    const report = await runHost(V86, [image]);
    missing = report.missing;
    if (missing === undefined) v86.push(report.measurements);
  }
  return { trapring, v86, missing };
}

async function main(): Promise<number> {
  const streams = processStreams();
  try {
    return await benchCommand(Deno.args, streams);
  } catch (error) {
    return reportFailure(error, streams);
  }
}

if (import.meta.main) Deno.exit(await main());
