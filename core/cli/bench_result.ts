/**
 * Speeds of the benchmark's sections, and what they are held against.
 * @module
 */

import type { Measurement } from "./bench_marks.ts";
import {
  type BenchMode,
  type BenchSection,
  type BenchSuite,
  MEAN_TARGET,
  type Target,
} from "./bench_suites.ts";

/** What the emulators have measured, round by round; a section may be in none. */
export interface Rounds {
  readonly trapring: readonly (readonly Measurement[])[];
  /** None where v86 did not run. */
  readonly v86: readonly (readonly Measurement[])[];
}

/** A target, judged. */
export interface Verdict extends Target {
  readonly met: boolean;
}

/** One section, measured: medians of all rounds. */
export interface SectionResult {
  readonly name: string;
  readonly unit: string;
  readonly rate: number;
  readonly cpuNs: number;
  readonly units: number;
  /** Retired in the section; only of those that MIPS are given for. */
  readonly instructions?: number;
  readonly v86?: { readonly rate: number; readonly cpuNs: number };
  /** Over v86: CPU time of v86 for the same work, by ours. */
  readonly speedup?: number;
  readonly target?: Verdict;
  /** What was computed or counted wrong. */
  readonly faults: readonly string[];
}

/** One suite, measured. */
export interface SuiteResult {
  readonly name: string;
  readonly sections: readonly SectionResult[];
  /** Of the integer kernels, if there are any. */
  readonly mean?: MeanResult;
}

/** Geometric means. */
export interface MeanResult {
  readonly mips: number;
  readonly v86Mips?: number;
  readonly speedup?: number;
  readonly target?: Verdict;
}

/** A property of the process, not of a guest. */
export interface ProcessResult {
  readonly name: string;
  readonly unit: "ms" | "MiB";
  readonly value: number;
  readonly target: Verdict;
}

/** A whole benchmark, as `--json` prints it. */
export interface BenchRecord {
  readonly mode: BenchMode;
  readonly rounds: number;
  readonly suites: readonly SuiteResult[];
  readonly process: readonly ProcessResult[];
  /** What was not measured, and why. */
  readonly notes: readonly string[];
}

const NS_PER_SECOND = 1e9;
const MIB = 1 << 20;

/** Joins what the rounds have measured with what is known of the suite's sections. */
export function suiteResult(suite: BenchSuite, mode: BenchMode, rounds: Rounds): SuiteResult {
  const sections = suite.sections.flatMap((section) => {
    const result = sectionResult(section, mode, rounds);
    return result === undefined ? [] : [{ section, result }];
  });
  const integers = sections.filter(({ section }) => section.integer).map(({ result }) => result);
  return {
    name: suite.name,
    sections: sections.map(({ result }) => result),
    ...(integers.length === 0 ? {} : { mean: meanOf(integers) }),
  };
}

function sectionResult(
  section: BenchSection,
  mode: BenchMode,
  rounds: Rounds,
): SectionResult | undefined {
  const runs = runsOf(section, rounds.trapring);
  const [first] = runs;
  if (first === undefined) return undefined;
  const peerRuns = runsOf(section, rounds.v86);
  const { units, tsc } = first;
  const cpuNs = medianCpuNs(runs);
  const rate = rateOf(section, { units, instructions: tsc, cpuNs });
  const faults = [
    ...runs.flatMap((run) => faultsOf(section, mode, run)),
    ...peerRuns.flatMap(({ check }) => wrong("v86: check", hex(check), hex(section.check[mode]))),
  ];
  const known = section.instructions === undefined ? {} : { instructions: tsc };
  const result = {
    name: section.name,
    unit: section.unit,
    rate,
    cpuNs,
    units,
    ...known,
    faults: [...new Set(faults)],
  };
  if (peerRuns.length === 0) return { ...result, ...verdict(section.target, rate, section.unit) };
  const peerNs = medianCpuNs(peerRuns);
  const v86 = { rate: rateOf(section, { units, instructions: tsc, cpuNs: peerNs }), cpuNs: peerNs };
  const speedup = peerNs / cpuNs;
  return { ...result, v86, speedup, ...verdict(section.target, rate, section.unit, speedup) };
}

function runsOf(
  { name }: BenchSection,
  rounds: readonly (readonly Measurement[])[],
): readonly Measurement[] {
  return rounds.flatMap((round) => round.filter((measured) => measured.name === name));
}

function medianCpuNs(runs: readonly Measurement[]): number {
  return median(runs.map(({ cpuNs }) => cpuNs));
}

function faultsOf(section: BenchSection, mode: BenchMode, run: Measurement): readonly string[] {
  const faults = wrong("check", hex(run.check), hex(section.check[mode]));
  if (section.instructions === undefined) return faults;
  return [...faults, ...wrong("instructions", run.tsc, section.instructions[mode])];
}

function wrong<T>(what: string, got: T, wanted: T): readonly string[] {
  return got === wanted ? [] : [`${what} ${got}, not ${wanted}`];
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}

/** What a section did, and what it took. */
export interface Work {
  readonly units: number;
  readonly instructions: number;
  readonly cpuNs: number;
}

/**
 * The speed of one section.
 * @returns in the section's unit
 */
export function rateOf(
  { unit, unitBytes = 1 }: Pick<BenchSection, "unit" | "unitBytes">,
  { units, instructions, cpuNs }: Work,
): number {
  const seconds = cpuNs / NS_PER_SECOND;
  switch (unit) {
    case "MIPS":
      return instructions / 1e6 / seconds;
    case "MiB/s":
      return units * unitBytes / MIB / seconds;
    case "IOPS":
      return units / seconds;
    case "ns/op":
      return cpuNs / units;
  }
}

function meanOf(integers: readonly SectionResult[]): MeanResult {
  const mips = geometricMean(integers.map(({ rate }) => rate));
  const peers = integers.flatMap(({ v86 }) => v86 === undefined ? [] : [v86.rate]);
  if (peers.length !== integers.length) return { mips };
  const v86Mips = geometricMean(peers);
  const speedup = mips / v86Mips;
  return { mips, v86Mips, speedup, ...verdict(MEAN_TARGET, mips, "MIPS", speedup) };
}

/**
 * Judges a value.
 * @param speedup over v86, if that is known
 * @returns nothing if there is no target, or none that can be judged
 */
export function verdict(
  target: Target | undefined,
  value: number,
  unit: string,
  speedup?: number,
): { readonly target?: Verdict } {
  if (target === undefined) return {};
  const got = target.of === "v86" ? speedup : value;
  if (got === undefined) return {};
  const met = target.of === "unit" && isCost(unit) ? got <= target.value : got >= target.value;
  return { target: { ...target, met } };
}

/** Of such units less is better. */
export function isCost(unit: string): boolean {
  return unit === "ns/op" || unit === "ms" || unit === "s" || unit === "MiB";
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** The n-th root of the product. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
