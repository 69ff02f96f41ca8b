import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { Measurement } from "../../../core/cli/bench_marks.ts";
import {
  geometricMean,
  median,
  rateOf,
  type SectionResult,
  suiteResult,
  verdict,
} from "../../../core/cli/bench_result.ts";
import type { BenchSection } from "../../../core/cli/bench_suites.ts";
import { measured, suiteOf } from "../../helpers/bench.ts";

const ZERO = { full: 0, quick: 0 };
const TEN = { full: 10, quick: 5 };

/** Counts ten instructions in full, five in quick mode. */
const KERNEL: BenchSection = {
  name: "kernel",
  unit: "MIPS",
  integer: true,
  target: { of: "v86", value: 1 },
  check: { full: 0xf, quick: 0xa },
  instructions: TEN,
};

function kernel(cpuNs: number, part: Partial<Measurement> = {}): Measurement {
  return measured("kernel", { check: 0xf, tsc: 10, cpuNs, ...part });
}

function judge(trapring: Measurement[], v86: Measurement[] = []): SectionResult {
  const rounds = { trapring: trapring.map((run) => [run]), v86: v86.map((run) => [run]) };
  return suiteResult(suiteOf(KERNEL), "full", rounds).sections[0]!;
}

Deno.test("rateOf() relates work to CPU seconds in the section's unit", () => {
  const half = { instructions: 50_000_000, units: 2 << 20, cpuNs: 500_000_000 };
  assertEquals(rateOf({ unit: "MIPS" }, half), 100);
  assertEquals(rateOf({ unit: "MiB/s", unitBytes: 1 }, half), 4);
  assertEquals(rateOf({ unit: "IOPS" }, half), 4 << 20);
  assertAlmostEquals(rateOf({ unit: "ns/op" }, half), 238.4, 0.1);
});

Deno.test("geometricMean() is the root of the product", () => {
  assertAlmostEquals(geometricMean([2, 8]), 4);
  assertAlmostEquals(geometricMean([100, 100, 100]), 100);
});

Deno.test("median() is the middle by value, of two the mean", () => {
  assertEquals(median([30, 4, 100]), 30);
  assertEquals(median([30, 4, 100, 40]), 35);
});

Deno.test("suiteResult() takes the median of the rounds, of v86's apart", () => {
  const { cpuNs, rate, v86, speedup } = judge(
    [kernel(100), kernel(900), kernel(200)],
    [kernel(500, { tsc: 77 }), kernel(300, { tsc: 78 })],
  );
  assertEquals(cpuNs, 200);
  assertAlmostEquals(rate, 50);
  assertEquals(v86!.cpuNs, 400);
  assertAlmostEquals(v86!.rate, 25, undefined, "v86's TSC counts no instructions: ours does");
  assertEquals(speedup, 2);
});

Deno.test("suiteResult() judges speed over v86 only where v86 ran", () => {
  const target = { of: "v86", value: 1 } as const;
  assertEquals(judge([kernel(100)]).target, undefined);
  assertEquals(judge([kernel(100)], [kernel(100)]).target, { ...target, met: true });
  assertEquals(judge([kernel(101)], [kernel(100)]).target, { ...target, met: false });
});

Deno.test("suiteResult() finds wrong results and counts in any round, of v86 the results", () => {
  assertEquals(judge([kernel(1)], [kernel(1, { tsc: 0 })]).faults, []);
  const runs = [kernel(1), ...[1, 2].map((ns) => kernel(ns, { tsc: 11 }))];
  runs.push(kernel(1, { check: 0xabc }));
  assertEquals(judge(runs, [kernel(1, { check: 0xe })]).faults, [
    "instructions 11, not 10",
    "check 00000abc, not 0000000f",
    "v86: check 0000000e, not 0000000f",
  ]);
});

Deno.test("suiteResult() expects the results of the mode", () => {
  const right = [[measured("kernel", { check: 0xa, tsc: 5 })]];
  const { sections } = suiteResult(suiteOf(KERNEL), "quick", { trapring: right, v86: [] });
  assertEquals(sections[0]!.faults, []);
});

Deno.test("suiteResult() passes over sections that no round has", () => {
  const rounds = { trapring: [[measured("other")]], v86: [] };
  assertEquals(suiteResult(suiteOf(KERNEL), "full", rounds), { name: "cpu", sections: [] });
});

Deno.test("suiteResult() means integer kernels, and judges the mean by v86's", () => {
  const suite = suiteOf(
    KERNEL,
    { ...KERNEL, name: "other" },
    { name: "fill", unit: "MIPS", check: ZERO, instructions: TEN },
  );
  const run = (first: number, second: number) => [
    kernel(first),
    { ...kernel(second), name: "other" },
    measured("fill", { tsc: 10, cpuNs: 1 }),
  ];
  const alone = suiteResult(suite, "full", { trapring: [run(100, 400)], v86: [] });
  assertAlmostEquals(alone.mean!.mips, 50);
  assertEquals(Object.keys(alone.mean!), ["mips"]);
  const { mean } = suiteResult(suite, "full", { trapring: [run(100, 400)], v86: [run(500, 400)] });
  assertAlmostEquals(mean!.speedup!, Math.sqrt(5));
  assertAlmostEquals(mean!.v86Mips!, 50 / Math.sqrt(5));
  assertEquals(mean!.target, { of: "v86", value: 2, met: true });
});

Deno.test("verdict() wants costs small and speeds large", () => {
  const limit = { of: "unit", value: 30 } as const;
  const met = (value: number, unit: string) => verdict(limit, value, unit).target?.met;
  assertEquals([met(30, "ns/op"), met(31, "ns/op")], [true, false]);
  assertEquals([met(30, "MiB/s"), met(29, "MiB/s")], [true, false]);
  assertEquals([met(31, "ms"), met(31, "MiB")], [false, false]);
  assertEquals(verdict(undefined, 1, "ms"), {});
});
