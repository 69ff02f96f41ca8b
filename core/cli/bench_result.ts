/**
 * Speeds of the benchmark's sections.
 * @module
 */

import { formatTable, grouped } from "../report/table.ts";
import type { Measurement } from "./bench_marks.ts";
import { type BenchMode, type BenchSection, type BenchSuite, MEAN_TARGET } from "./bench_suites.ts";

/** One section, measured. */
export interface SectionResult {
  readonly suite: string;
  readonly name: string;
  readonly unit: string;
  readonly rate: number;
  /** Rate over target. */
  readonly ofTarget?: number;
  readonly cpuNs: number;
  readonly units: number;
  readonly tsc: number;
  readonly check: string;
  /** What {@link check} must be. */
  readonly expected: string;
}

/** A whole benchmark, as `--json` prints it. */
export interface BenchRecord {
  readonly mode: BenchMode;
  readonly sections: readonly SectionResult[];
  /** By name, why. */
  readonly leftOut: Readonly<Record<string, string>>;
  /** Of the integer kernels, when they ran. */
  readonly geometricMeanMips?: number;
  readonly geometricMeanOfTarget?: number;
}

const NS_PER_SECOND = 1e9;
const MIB = 1 << 20;

/**
 * The speed of one section.
 * @returns in the section's unit
 */
export function rateOf({ unit, unitBytes = 1 }: BenchSection, measured: Measurement): number {
  const { units, tsc, cpuNs } = measured;
  const seconds = cpuNs / NS_PER_SECOND;
  switch (unit) {
    case "MIPS":
      return tsc / 1e6 / seconds;
    case "MiB/s":
      return units * unitBytes / MIB / seconds;
    case "IOPS":
      return units / seconds;
    case "ns/op":
      return cpuNs / units;
  }
}

/** Joins what a guest has measured with what is known of its sections; unknown ones are passed over. */
export function sectionResults(
  suite: BenchSuite,
  mode: BenchMode,
  measurements: readonly Measurement[],
): SectionResult[] {
  return suite.sections.flatMap((section) => {
    const measured = measurements.find(({ name }) => name === section.name);
    if (measured === undefined) return [];
    const rate = rateOf(section, measured);
    const { cpuNs, units, tsc } = measured;
    return [{
      suite: suite.name,
      name: section.name,
      unit: section.unit,
      rate,
      ...(section.target === undefined ? {} : { ofTarget: rate / section.target }),
      cpuNs,
      units,
      tsc,
      check: hex(measured.check),
      expected: hex(section.check[mode]),
    }];
  });
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}

/** Completes a record. */
export function buildBenchRecord(
  mode: BenchMode,
  suites: readonly BenchSuite[],
  sections: readonly SectionResult[],
): BenchRecord {
  const integer = new Set(
    suites.flatMap((suite) => suite.sections).filter((section) => section.integer)
      .map(({ name }) => name),
  );
  const rates = sections.filter(({ name }) => integer.has(name)).map(({ rate }) => rate);
  const mean = geometricMean(rates);
  return {
    mode,
    sections,
    leftOut: Object.assign({}, ...suites.map(({ leftOut }) => leftOut)),
    ...(rates.length === 0
      ? {}
      : { geometricMeanMips: mean, geometricMeanOfTarget: mean / MEAN_TARGET }),
  };
}

/** The n-th root of the product. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** A table with a line a section. */
export function formatBench(record: BenchRecord): string {
  const { sections, leftOut, geometricMeanMips, geometricMeanOfTarget } = record;
  const rows = sections.map((section) => [
    section.name,
    significant(section.rate),
    section.unit,
    (section.cpuNs / 1e6).toFixed(1),
    section.check === section.expected ? "ok" : `${section.check}, not ${section.expected}`,
    ratio(section.ofTarget),
  ]);
  if (geometricMeanMips !== undefined) {
    rows.push([
      "geometric mean, integer",
      significant(geometricMeanMips),
      "MIPS",
      "",
      "",
      ratio(geometricMeanOfTarget),
    ]);
  }
  const header = ["SECTION", "SPEED", "UNIT", "CPU ms", "CHECK", "x TARGET"];
  const notes = Object.entries(leftOut).map(([name, why]) => `${name}: left out, ${why}\n`);
  return formatTable([header, ...rows]) + notes.join("");
}

function ratio(value: number | undefined): string {
  return value === undefined ? "" : value.toFixed(2);
}

/** Three significant digits, or all before the point. */
function significant(value: number): string {
  return value >= 100 ? grouped(Math.round(value)) : value.toPrecision(3);
}
