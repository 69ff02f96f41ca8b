/**
 * `bench pv`: what a disk request costs in CPU time of the host over blkfront, under stock Linux
 * beside the same kernel's driver of the emulated disk, and under a guest that does nothing else.
 * @module
 */

import { join } from "@std/path";
import { formatTable, grouped } from "../report/table.ts";
import { readLinuxImage } from "./bench_boot.ts";
import { benchCommandLine, parseBenchLine } from "./bench_command.ts";
import { PV_TRAPRING, runHost } from "./bench_host.ts";
import { imageBytes } from "./bench_image.ts";
import type { Measurement } from "./bench_marks.ts";
import { PV_CASES, type PvCase } from "./bench_pv_cases.ts";
import { median, type Verdict, verdict } from "./bench_result.ts";
import { onHost } from "./files.ts";
import { parseCount } from "./units.ts";

/** What the user asked for. */
export interface PvBenchOptions {
  readonly kernel: string;
  readonly initrd: string;
  readonly rounds: number;
  readonly json: boolean;
}

/** One case: medians of all rounds. */
export interface PvResult {
  readonly name: string;
  readonly label: string;
  readonly unit: PvCase["unit"];
  readonly value: number;
  /** The smallest and the largest of the rounds. */
  readonly range: readonly [number, number];
  /** That the guest retires for a request. */
  readonly instructions: number;
  readonly target?: Verdict;
  /** Over another case, round by round. */
  readonly over?: { readonly name: string; readonly ratio: number; readonly target?: Verdict };
}

/** The whole benchmark, as `--json` prints it. */
export interface PvBenchRecord {
  readonly rounds: number;
  readonly results: readonly PvResult[];
}

const HINT =
  "deno task bench pv --kernel FILE --initrd FILE; deno task test:stock makes them, and " +
  "then no option is needed";
const PROGRAMS = join(import.meta.dirname!, "../../guests/bin");
const MIB = 1 << 20;

/**
 * Reads the arguments.
 * @param folder where the images are that are not named
 * @returns the help text, if that is what the user asked for
 * @throws {UsageError} when they make no sense
 */
export function parsePvArgs(args: readonly string[], folder: string): PvBenchOptions | string {
  const command = benchCommandLine("bench pv")
    .description("Measure disk requests over blkfront, in stock Linux and in a guest of our own.")
    .option("--kernel <file>", "Linux: bzImage or vmlinux", join(folder, "vmlinux"))
    .option("--initrd <file>", "has its drivers", join(folder, "initramfs.gz"))
    .option("--rounds <n>", "runs of each case, of which the median counts", "3")
    .option("--json", "one JSON object on standard output");
  const help = parseBenchLine(command, args, HINT);
  if (help !== undefined) return help;
  const { kernel, initrd, rounds, json } = command.opts<Record<string, string>>();
  return {
    kernel: kernel!,
    initrd: initrd!,
    rounds: parseCount("--rounds", rounds!),
    json: json !== undefined,
  };
}

/**
 * Measures all cases in turn, as often as wanted.
 * @param folder for the disk image
 * @throws {UsageError} when an image is missing
 */
export async function measurePv(options: PvBenchOptions, folder: string): Promise<PvBenchRecord> {
  const { kernel, initrd, rounds } = options;
  for (const path of [kernel, initrd]) readLinuxImage(path, HINT);
  const disk = makeDisk(folder);
  const runs: Measurement[][] = [];
  for (let round = 0; round < rounds; round++) {
    const measured: Measurement[] = [];
    for (const { name, boot } of PV_CASES) {
      const program = join(PROGRAMS, boot === undefined ? "diskcmp.bin" : "linuxcmp.bin");
      const files = boot === undefined ? [program] : [program, kernel, initrd];
      measured.push(...(await runHost(PV_TRAPRING, [name, disk, ...files])).measurements);
    }
    runs.push(measured);
  }
  return { rounds, results: pvResults(runs) };
}

/** What no other sector has, so that the image is no hole. */
function makeDisk(folder: string): string {
  const path = join(folder, "pv.img");
  onHost(`Cannot write ${path}`, () => {
    Deno.mkdirSync(folder, { recursive: true });
    Deno.writeFileSync(path, imageBytes(new Uint8Array(), true));
  });
  return path;
}

/** Medians, judged. */
export function pvResults(runs: readonly (readonly Measurement[])[]): PvResult[] {
  return PV_CASES.flatMap((each) => {
    const { name, label, unit, wanted, over } = each;
    const found = runs.map((run) => run.find((measured) => measured.name === name));
    const measured = found.flatMap((run) => run === undefined ? [] : [run]);
    if (measured.length === 0) return [];
    const rates = measured.map((run) => rateOf(each, run));
    const value = median(rates);
    return [{
      name,
      label,
      unit,
      value,
      range: [Math.min(...rates), Math.max(...rates)],
      instructions: median(measured.map(({ tsc, units }) => tsc / units)),
      ...(wanted === undefined ? {} : verdict({ of: "unit", value: wanted }, value, unit)),
      ...(over === undefined ? {} : { over: comparison(each, over, runs) }),
    }];
  });
}

function comparison(
  pvCase: PvCase,
  { name, ratio: wanted }: NonNullable<PvCase["over"]>,
  runs: readonly (readonly Measurement[])[],
): NonNullable<PvResult["over"]> {
  const seconds = (run: readonly Measurement[], wanted: string) => {
    const { cpuNs, units } = run.find((measured) => measured.name === wanted)!;
    return cpuNs / units;
  };
  const ratio = median(runs.map((run) => seconds(run, name) / seconds(run, pvCase.name)));
  const target = wanted === undefined ? {} : verdict({ of: "unit", value: wanted }, ratio, "x");
  return { name, ratio, ...target };
}

function rateOf({ unit, bs }: PvCase, { units, cpuNs }: Measurement): number {
  const requests = units * 1e9 / cpuNs;
  return unit === "IOPS" ? requests : requests * bs / MIB;
}

/** One row a case. */
export function formatPv({ rounds, results }: PvBenchRecord): string {
  const header = [
    "a second of CPU time",
    "VALUE",
    "MIN",
    "MAX",
    "UNIT",
    "WANTED",
    "x IDE",
    "WANTED",
    "INSTRUCTIONS",
  ];
  const rows = results.map(({ label, value, range, unit, target, over, instructions }) => [
    label,
    ...[value, ...range].map(whole),
    unit,
    target === undefined ? "" : `>= ${whole(target.value)}: ${judged(target)}`,
    over === undefined ? "" : over.ratio.toFixed(2),
    over?.target === undefined ? "" : `>= ${over.target.value}: ${judged(over.target)}`,
    whole(instructions),
  ]);
  return `${formatTable([header, ...rows])}medians of ${rounds} rounds; instructions a request\n`;
}

function whole(value: number): string {
  return grouped(Math.round(value));
}

function judged({ met }: Verdict): string {
  return met ? "met" : "NOT MET";
}
