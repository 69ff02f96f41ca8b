/**
 * Judges one file of cases in one tier.
 *
 * Every native case binds, for a real CPU has executed it. A system case binds when real hardware
 * or two executors agree on it; where only Bochs vouches, one case in a hundred may differ.
 * @module
 */

import { dirname } from "@std/path";
import { readCases, readGzip, type Tier, unhex } from "../helpers/oracle.ts";
import { type NativeCase, NativeMachine } from "../helpers/oracle_native.ts";
import { type SystemCase, SystemMachine } from "../helpers/oracle_system.ts";
import { WRONG_CASES } from "./exceptions.ts";
import { type CaseFile, reading } from "./files.ts";

/** A case as the judge sees it, whatever its format. */
interface Judged {
  readonly id: number;
  readonly title: string;
  readonly bytes: string;
  /** The code segment is a 32-bit one. */
  readonly code32: boolean;
  /** It must pass. */
  readonly binding: boolean;
  /** What differs; empty when it passes. */
  run(): readonly string[];
  /** After a case that has thrown: the next ones run on another CPU. */
  renew(): void;
}

/** A case that failed. */
export interface Failure {
  readonly title: string;
  readonly bytes: string;
  readonly code32: boolean;
  readonly differences: readonly string[];
  readonly binding: boolean;
}

/** What came of a file in one tier. */
export interface Verdict {
  readonly file: CaseFile;
  readonly tier: Tier;
  readonly cases: number;
  readonly passed: number;
  /** Cases that had to pass and did not. */
  readonly failed: number;
  /** Cases that only Bochs vouches for. */
  readonly alone: number;
  readonly aloneFailed: number;
  /** Reasons of what was left out, each with its count. */
  readonly leftOut: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** The first failures, binding ones first. */
  readonly failures: readonly Failure[];
}

/** Share of the cases that only Bochs vouches for that must pass. */
export const ALONE_SHARE = 0.99;
/** Failures that a verdict keeps. */
export const SHOWN = 5;

/** Too few of the cases that only Bochs vouches for have passed. */
export function tooManyAlone({ alone, aloneFailed }: Verdict): boolean {
  return alone - aloneFailed < alone * ALONE_SHARE;
}

/** The file is as good as it must be. */
export function isGood(verdict: Verdict): boolean {
  return verdict.failed === 0 && !tooManyAlone(verdict);
}

/** Real hardware or two executors agree on the case. */
export function isBinding(votes: string): boolean {
  return votes.includes("H") || votes.length > 1;
}

/**
 * Runs every case of a file.
 * @param onCase told each case's line, counted from 1, before it runs
 * @throws {UsageError} when the file cannot be read
 */
export async function judge(
  file: CaseFile,
  tier: Tier,
  onCase: (line: number) => void = () => {},
): Promise<Verdict> {
  const cases = await openCases(file, tier);
  const started = performance.now();
  const leftOut: Record<string, number> = {};
  const failures: Failure[] = [];
  let passed = 0, alone = 0;
  for (const [n, c] of cases.entries()) {
    onCase(n + 1);
    const reason = reasonToLeaveOut(file, c);
    if (reason !== undefined) {
      leftOut[reason] = (leftOut[reason] ?? 0) + 1;
      continue;
    }
    if (!c.binding) alone++;
    const differences = outcome(c);
    if (differences.length === 0) passed++;
    else failures.push(failureOf(c, differences));
  }
  const binding = failures.filter((failure) => failure.binding);
  const others = failures.filter((failure) => !failure.binding);
  return {
    file,
    tier,
    cases: cases.length,
    passed,
    failed: binding.length,
    alone,
    aloneFailed: others.length,
    leftOut,
    seconds: (performance.now() - started) / 1000,
    failures: [...binding, ...others].slice(0, SHOWN),
  };
}

/** What differs. A case may not make the host throw. */
function outcome(c: Judged): readonly string[] {
  try {
    return c.run();
  } catch (error) {
    c.renew();
    const stack = error instanceof Error ? error.stack ?? error.message : String(error);
    return stack.split("\n", 3).map((line) => line.trim());
  }
}

function failureOf(c: Judged, differences: readonly string[]): Failure {
  const { title, bytes, code32, binding } = c;
  return { title, bytes, code32, differences, binding };
}

function reasonToLeaveOut(file: CaseFile, c: Judged): string | undefined {
  return WRONG_CASES.find((wrong) => wrong.file === file.name && wrong.case === c.id)?.reason;
}

function openCases(file: CaseFile, tier: Tier): Promise<Judged[]> {
  return file.format === "native" ? openNative(file, tier) : openSystem(file, tier);
}

async function openNative({ path }: CaseFile, tier: Tier): Promise<Judged[]> {
  const descriptors = await reading(path, async () => {
    const index = await Deno.readTextFile(`${dirname(path)}/index.json`);
    return unhex((JSON.parse(index) as { ldt: string }).ldt);
  });
  let machine = new NativeMachine(descriptors, tier);
  return reading(path, async () =>
    (await readCases<NativeCase>(path)).map((c, line) => ({
      id: line + 1,
      title: `line ${line + 1} ${c.k} ${c.c}`,
      bytes: c.b,
      code32: c.c.startsWith("p32"),
      binding: true,
      run: () => machine.run(c),
      renew: () => machine = new NativeMachine(descriptors, tier),
    })));
}

async function openSystem({ path }: CaseFile, tier: Tier): Promise<Judged[]> {
  const image = await reading(path, () => readGzip(`${dirname(path)}/image.bin.gz`));
  let machine = new SystemMachine(image, tier);
  return reading(path, async () =>
    (await readCases<SystemCase>(path)).map((c) => ({
      id: c.id,
      title: `${c.id} ${c.m} ring ${c.cpl} ${c.st} ${c.v}${c.d ? ` not ${c.d}` : ""}`,
      bytes: c.b,
      code32: (c.i.s[1]![3] & 0x4000) !== 0,
      binding: isBinding(c.v),
      run: () => machine.run(c),
      renew: () => machine = new SystemMachine(image, tier),
    })));
}
