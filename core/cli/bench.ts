/**
 * `bench`: how fast the CPU and the two ways of the emulated disk are, in CPU time of the host.
 *
 * The guests are booted in this process, the way `run` boots a disk image: a child's marks would
 * come through a buffered pipe, later than the work they mark. CPU time is that of all threads, since
 * V8 compiles and collects garbage in threads of its own.
 * @module
 */

import process from "node:process";
import { join } from "@std/path";
import { Command, CommanderError } from "commander";
import { EXIT_CODE, GuestPanic, ImageError, UsageError } from "../errors.ts";
import { loadGuest } from "../load/detect.ts";
import { bootMachine, type Machine } from "../machine/machine.ts";
import { costPresets, DEFAULT_COST, mediaPresets, openDisk } from "../machine/storage.ts";
import { stableJson } from "../report/json.ts";
import { makeImage } from "./bench_image.ts";
import { MarkReader, type Measurement } from "./bench_marks.ts";
import { buildBenchRecord, formatBench, sectionResults } from "./bench_result.ts";
import { BENCH_SUITES, type BenchMode, type BenchSuite } from "./bench_suites.ts";
import { readGuest } from "./files.ts";
import { processStreams, type Streams, writeError, writeText } from "./output.ts";

/** What the user asked for. */
export interface BenchOptions {
  readonly suites: readonly BenchSuite[];
  readonly mode: BenchMode;
  readonly json: boolean;
}

const PROJECT = join(import.meta.dirname!, "../..");
const SOURCES = join(PROJECT, "../shared/bench/guests");
/** As far as the task's write permission goes. */
const IMAGE_FOLDER = join(PROJECT, "out/bench");
/** The guests' heap ends below it. */
const RAM_BYTES = 64 << 20;
/** The image is in the page cache; a slower disk would only have the guest poll longer. */
const MEDIA = "ramdisk";
const HINT = "deno task bench [cpu|disk] [--quick] [--json]";

/**
 * Reads the arguments.
 * @returns the help text, if that is what the user asked for
 * @throws {UsageError} when they make no sense
 */
export function parseBenchArgs(args: readonly string[]): BenchOptions | string {
  const names = BENCH_SUITES.map(({ name }) => name);
  let help = "";
  const command = new Command("bench")
    .description("Measure the speed of the CPU and of the emulated disk.")
    .argument("[suite]", `${names.join(" or ")}; both unless given`)
    .option("--quick", "about a quarter of the work")
    .option("--json", "one JSON object on standard output")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => help += text,
      writeErr: () => {},
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  try {
    command.parse([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return help;
    throw new UsageError(error.message.replace(/^error: /, ""), HINT);
  }
  const [wanted] = command.args;
  const suites = BENCH_SUITES.filter(({ name }) => wanted === undefined || name === wanted);
  if (suites.length === 0) throw new UsageError(`Cannot find benchmark "${wanted}"`, HINT);
  const { quick, json } = command.opts<{ quick?: true; json?: true }>();
  return { suites, mode: quick ? "quick" : "full", json: json === true };
}

/**
 * Runs the benchmark.
 * @returns the exit code: 1 when a guest computes something wrong
 */
export async function benchCommand(args: readonly string[], streams: Streams): Promise<number> {
  const options = parseBenchArgs(args);
  if (typeof options === "string") {
    writeText(streams.stdout, options);
    return EXIT_CODE.POWER_OFF;
  }
  const { suites, mode, json } = options;
  const sections = [];
  for (const suite of suites) {
    sections.push(...sectionResults(suite, mode, await measure(suite, mode)));
  }
  const record = buildBenchRecord(mode, suites, sections);
  writeText(streams.stdout, json ? stableJson(record) : formatBench(record));
  const wrong = sections.filter(({ check, expected }) => check !== expected);
  if (wrong.length === 0) return EXIT_CODE.POWER_OFF;
  writeError(streams, `Wrong check values: ${wrong.map(({ name }) => name).join(", ")}`);
  return EXIT_CODE.GUEST_CRASH;
}

async function measure(suite: BenchSuite, mode: BenchMode): Promise<readonly Measurement[]> {
  const { name, patterned } = suite;
  const defines = suite.defines[mode];
  const image = makeImage(IMAGE_FOLDER, { sources: SOURCES, name, defines }, patterned);
  const marks = new MarkReader(cpuNs);
  const machine = boot(image, (byte) => marks.push(byte));
  try {
    const { message, reason } = await machine.run();
    if (marks.done) return marks.measurements;
    const said = [...marks.messages, message ?? `it ended with ${reason}`].join("; ");
    throw new GuestPanic(`Benchmark guest "${name}" did not come to its end: ${said}`);
  } finally {
    machine.close();
  }
}

/** Boots a disk image as `run IMAGE -m 64 --media ramdisk -snapshot` does. */
function boot(path: string, onSerialByte: (byte: number) => void): Machine {
  const { bytes } = readGuest(path, path, RAM_BYTES);
  return bootMachine({
    ramBytes: RAM_BYTES,
    guest: loadGuest(bytes, { name: path, ramBytes: RAM_BYTES }),
    disks: [{
      backend: openDisk(path, { readOnly: false, snapshot: true }),
      media: mediaPresets()[MEDIA]!,
    }],
    cost: costPresets()[DEFAULT_COST]!,
    onSerialByte,
  });
}

/** CPU time that all threads of this process have used. */
function cpuNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

async function main(): Promise<number> {
  const streams = processStreams();
  try {
    return await benchCommand(Deno.args, streams);
  } catch (error) {
    if (error instanceof UsageError || error instanceof ImageError) {
      writeError(streams, error.message, error.hint);
    } else if (error instanceof GuestPanic) writeError(streams, error.message);
    else throw error;
    return error.exitCode;
  }
}

if (import.meta.main) Deno.exit(await main());
