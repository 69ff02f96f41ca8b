/**
 * The benchmark as tables: one for each suite, one of the process.
 * @module
 */

import { formatTable, grouped } from "../report/table.ts";
import {
  type BenchRecord,
  isCost,
  type MeanResult,
  type ProcessResult,
  type SectionResult,
  type SuiteResult,
  type Verdict,
} from "./bench_result.ts";

/** All of a record. Speeds are per second of CPU time. */
export function formatBench({ suites, process, notes }: BenchRecord): string {
  const tables = suites.map(suiteTable);
  if (process.length > 0) tables.push(processTable(process));
  if (notes.length > 0) tables.push(notes.map((note) => `${note}\n`).join(""));
  return tables.join("\n");
}

/** Shows its cells in tables where some row has them. */
type Column = (...cells: string[]) => string[];

function column(shown: boolean): Column {
  return (...cells) => shown ? cells : [];
}

function suiteTable({ name, sections, mean }: SuiteResult): string {
  const counted = column(sections.some(({ instructions }) => instructions !== undefined));
  const against = column(sections.some(({ v86 }) => v86 !== undefined));
  const header = [
    name,
    ...counted("INSTRUCTIONS"),
    "CPU ms",
    "SPEED",
    ...against("v86"),
    "UNIT",
    ...against("x v86"),
    "WANTED",
    "CHECK",
  ];
  const rows = sections.map((section) => sectionRow(section, counted, against));
  if (mean !== undefined) rows.push(meanRow(mean, counted, against));
  return formatTable([header, ...rows]);
}

function sectionRow(section: SectionResult, counted: Column, against: Column): string[] {
  const { name, unit, rate, cpuNs, instructions, v86, speedup, target, faults } = section;
  return [
    name,
    ...counted(instructions === undefined ? "" : grouped(instructions)),
    (cpuNs / 1e6).toFixed(1),
    significant(rate),
    ...against(v86 === undefined ? "" : significant(v86.rate)),
    unit,
    ...against(ratio(speedup)),
    wanted(target, unit),
    faults.length === 0 ? "ok" : faults.join("; "),
  ];
}

function meanRow(mean: MeanResult, counted: Column, against: Column): string[] {
  const { mips, v86Mips, speedup, target } = mean;
  return [
    "geometric mean, integer",
    ...counted(""),
    "",
    significant(mips),
    ...against(v86Mips === undefined ? "" : significant(v86Mips)),
    "MIPS",
    ...against(ratio(speedup)),
    wanted(target, "MIPS"),
    "",
  ];
}

function processTable(rows: readonly ProcessResult[]): string {
  const cells = rows.map(({ name, unit, value, target }) => [
    name,
    significant(value),
    unit,
    wanted(target, unit),
  ]);
  return formatTable([["process", "VALUE", "UNIT", "WANTED"], ...cells]);
}

/** `>= 1.00 x v86: met`. */
function wanted(target: Verdict | undefined, unit: string): string {
  if (target === undefined) return "";
  const { of, value, met } = target;
  const limit = of === "v86"
    ? `>= ${value.toFixed(2)} x v86`
    : `${isCost(unit) ? "<=" : ">="} ${value} ${unit}`;
  return `${limit}: ${met ? "met" : "NOT MET"}`;
}

function ratio(value: number | undefined): string {
  return value === undefined ? "" : value.toFixed(2);
}

/** Three significant digits, or all before the point. */
function significant(value: number): string {
  return value >= 100 ? grouped(Math.round(value)) : value.toPrecision(3);
}
