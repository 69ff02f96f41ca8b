/**
 * `bench boot`: CPU time from the start of the process to `/init` of a stock Linux kernel, and the
 * speed of reads inside it, beside QEMU's and v86's.
 * @module
 */

import { join } from "@std/path";
import { UsageError } from "../errors.ts";
import { formatTable, grouped } from "../report/table.ts";
import { benchCommandLine, parseBenchLine } from "./bench_command.ts";
import { BOOT_TRAPRING, runHost, V86 } from "./bench_host.ts";
import { benchInitrd, DD_DISK_BYTES, DD_SECTIONS, INIT_SECTION } from "./bench_initrd.ts";
import type { Measurement } from "./bench_marks.ts";
import { type LinuxBoot, measureQemu } from "./bench_qemu.ts";
import { isCost, median, type Verdict, verdict } from "./bench_result.ts";
import type { Target } from "./bench_suites.ts";
import { onHost, readIfThere } from "./files.ts";
import { parseCount } from "./units.ts";

/** What the user asked for. */
export interface BootBenchOptions {
  /** An ELF kernel with a PVH note. */
  readonly vmlinux: string;
  /** A bzImage of the same kernel. */
  readonly vmlinuz: string;
  readonly initrd: string;
  readonly rounds: number;
  readonly json: boolean;
}

/** One measure of one emulator: the median of all rounds. */
export interface BootResult {
  /** Emulator and kernel. */
  readonly name: string;
  readonly measure: string;
  readonly unit: "s" | "MiB/s" | "IOPS";
  readonly value: number;
  /** The last, if it is of trapring and there is one. */
  readonly target?: Verdict;
}

/** The whole benchmark, as `--json` prints it. */
export interface BootBenchRecord {
  readonly append: string;
  readonly rounds: number;
  readonly results: readonly BootResult[];
  /** What was not measured, and why. */
  readonly notes: readonly string[];
}

/** An emulator with a kernel. */
interface Contender {
  readonly name: string;
  readonly measure: (linux: LinuxBoot) => Promise<readonly Measurement[] | Missing>;
  readonly kernel: "vmlinux" | "vmlinuz";
  readonly targets: Readonly<Partial<Record<string, Target>>>;
}

/** The line that says what must be installed. */
type Missing = string;

const APPEND = "console=ttyS0 quiet panic=-1 tsc=reliable mitigations=off cryptomgr.notests";
const HINT = "deno task bench boot --vmlinux FILE --kernel FILE --initrd FILE; " +
  "deno task test:stock makes them, and then no option is needed";
const MIB = 1 << 20;

const DD_TARGETS = { dd_128k: atLeast(200), dd_4k: atLeast(3000) } as const;
const V86_NAME = "v86, bzImage";

const CONTENDERS: readonly Contender[] = [
  {
    name: "trapring, vmlinux by PVH",
    kernel: "vmlinux",
    measure: measureTrapring,
    targets: { [INIT_SECTION]: { of: "unit", value: 4 }, ...DD_TARGETS },
  },
  {
    name: "trapring, bzImage",
    kernel: "vmlinuz",
    measure: measureTrapring,
    targets: { [INIT_SECTION]: { of: "v86", value: 2 }, ...DD_TARGETS },
  },
  {
    name: "QEMU TCG, bzImage",
    kernel: "vmlinuz",
    measure: async (linux) =>
      await measureQemu(linux) ??
        "QEMU: not compared, not installed; apt-get install qemu-system-x86",
    targets: {},
  },
  { name: V86_NAME, kernel: "vmlinuz", measure: measureV86, targets: {} },
];

function atLeast(value: number): Target {
  return { of: "unit", value };
}

/**
 * The folder of Linux's images that was made last: one for each state of the scripts that make them.
 * @param folder where `deno task test:stock` keeps what it has made
 */
export function newestImages(folder: string): string {
  const madeAt = (path: string): number => Deno.statSync(path).mtime?.getTime() ?? 0;
  const found = entries(folder).filter(({ name, isDirectory }) =>
    isDirectory && name.startsWith("linux-")
  ).map(({ name }) => join(folder, name)).sort((a, b) => madeAt(b) - madeAt(a));
  return found[0] ?? join(folder, "linux");
}

function entries(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return [];
  }
}

/**
 * Reads the arguments.
 * @param folder where the images are that are not named
 * @returns the help text, if that is what the user asked for
 * @throws {UsageError} when they make no sense
 */
export function parseBootArgs(args: readonly string[], folder: string): BootBenchOptions | string {
  const command = benchCommandLine("bench boot")
    .description("Measure how long stock Linux takes to /init, and its reads from an IDE disk.")
    .option("--vmlinux <file>", "ELF kernel with a PVH note", join(folder, "vmlinux"))
    .option("--kernel <file>", "bzImage of the same kernel", join(folder, "vmlinuz"))
    .option("--initrd <file>", "as make-initramfs.sh builds it", join(folder, "initramfs.gz"))
    .option("--rounds <n>", "runs of each emulator, of which the median counts", "1")
    .option("--json", "one JSON object on standard output");
  const help = parseBenchLine(command, args, HINT);
  if (help !== undefined) return help;
  const { vmlinux, kernel, initrd, rounds, json } = command.opts<Record<string, string>>();
  return {
    vmlinux: vmlinux!,
    vmlinuz: kernel!,
    initrd: initrd!,
    rounds: parseCount("--rounds", rounds!),
    json: json !== undefined,
  };
}

/**
 * Measures all emulators in turn.
 * @param folder for the files that are made
 * @throws {UsageError} when an image is missing
 */
export async function measureBoot(
  options: BootBenchOptions,
  folder: string,
): Promise<BootBenchRecord> {
  const { vmlinux, vmlinuz, rounds } = options;
  for (const file of [vmlinux, vmlinuz]) readLinuxImage(file, HINT);
  const files = makeFiles(readLinuxImage(options.initrd, HINT), folder);
  const runs = new Map<string, (readonly Measurement[])[]>(
    CONTENDERS.map(({ name }) => [name, []]),
  );
  const notes = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    for (const { name, kernel, measure } of CONTENDERS) {
      const measured = await measure({ ...files, kernel: options[kernel], append: APPEND });
      if (typeof measured === "string") notes.add(measured);
      else runs.get(name)!.push(measured);
    }
  }
  return { append: APPEND, rounds, results: bootResults(runs), notes: [...notes] };
}

/** Medians, judged. */
export function bootResults(
  runs: ReadonlyMap<string, readonly (readonly Measurement[])[]>,
): BootResult[] {
  const valueOf = (name: string, measure: string): number | undefined => {
    const found = runs.get(name)!.flatMap((run) => run.filter((each) => each.name === measure));
    return found.length === 0 ? undefined : median(found.map(rateOf));
  };
  return CONTENDERS.flatMap(({ name, targets }) =>
    [INIT_SECTION, ...DD_SECTIONS.map((section) => section.name)].flatMap((measure) => {
      const value = valueOf(name, measure);
      if (value === undefined) return [];
      const peer = valueOf(V86_NAME, measure);
      const unit = unitOf(measure);
      const speedup = peer === undefined ? undefined : unit === "s" ? peer / value : value / peer;
      return [{ name, measure, unit, value, ...verdict(targets[measure], value, unit, speedup) }];
    })
  );
}

function unitOf(measure: string): BootResult["unit"] {
  return measure === INIT_SECTION ? "s" : measure === "dd_4k" ? "IOPS" : "MiB/s";
}

/** In the measure's unit. */
function rateOf({ name, units, cpuNs }: Measurement): number {
  const seconds = cpuNs / 1e9;
  switch (unitOf(name)) {
    case "s":
      return seconds;
    case "IOPS":
      return units / seconds;
    case "MiB/s":
      return units * DD_SECTIONS[0].bytes / MIB / seconds;
  }
}

const LABELS: Readonly<Record<string, string>> = {
  [INIT_SECTION]: "CPU s from start to /init",
  dd_128k: "dd O_DIRECT 128 KiB, MiB a CPU s",
  dd_4k: "dd O_DIRECT 4 KiB, reads a CPU s",
};

/** One block a measure, one row an emulator. */
export function formatBoot({ append, results, notes }: BootBenchRecord): string {
  const blocks = Object.entries(LABELS).map(([measure, label]) =>
    formatTable([
      [label, "VALUE", "WANTED"],
      ...results.filter((result) => result.measure === measure).map(row),
    ])
  );
  const lines = [`Linux command line: ${append}`, ...notes].map((line) => `${line}\n`);
  return [...blocks, lines.join("")].join("\n");
}

function row({ name, unit, value, target }: BootResult): string[] {
  const shown = unit === "s" ? value.toFixed(2) : grouped(Math.round(value));
  if (target === undefined) return [name, shown, ""];
  const { of, value: limit, met } = target;
  const wanted = of === "v86" ? `${limit} x v86` : `${isCost(unit) ? "<=" : ">="} ${limit}`;
  return [name, shown, `${wanted}: ${met ? "met" : "NOT MET"}`];
}

async function measureTrapring(linux: LinuxBoot): Promise<readonly Measurement[]> {
  return (await runHost(BOOT_TRAPRING, linuxArgs(linux))).measurements;
}

async function measureV86(linux: LinuxBoot): Promise<readonly Measurement[] | Missing> {
  const { measurements, missing } = await runHost(V86, linuxArgs(linux));
  return missing === undefined ? measurements : `v86: not compared, not installed; ${missing}`;
}

function linuxArgs({ kernel, initrd, disk, append }: LinuxBoot): string[] {
  return [kernel, initrd, disk, append];
}

function makeFiles(initrd: Uint8Array, folder: string): Pick<LinuxBoot, "initrd" | "disk"> {
  const files = { initrd: join(folder, "initrd.gz"), disk: join(folder, "linux.img") };
  onHost(`Cannot write the benchmark's files to ${folder}`, () => {
    Deno.mkdirSync(folder, { recursive: true });
    Deno.writeFileSync(files.initrd, benchInitrd(initrd));
    Deno.writeFileSync(files.disk, new Uint8Array(DD_DISK_BYTES));
  });
  return files;
}

/**
 * Reads a kernel or its RAM disk.
 * @param hint what to do when there is no such file
 * @throws {UsageError} when it cannot be read
 */
export function readLinuxImage(path: string, hint: string): Uint8Array {
  const image = readIfThere(path);
  if (image !== undefined) return image;
  throw new UsageError(`Cannot boot Linux: there is no "${path}"`, hint);
}
