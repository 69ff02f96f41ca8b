import { assertEquals } from "@std/assert";
import type { BenchRecord, SectionResult, SuiteResult } from "../../../core/cli/bench_result.ts";
import { formatBench } from "../../../core/cli/bench_table.ts";

const SIEVE: SectionResult = {
  name: "sieve",
  unit: "MIPS",
  rate: 1234.5,
  cpuNs: 98_760_000,
  units: 20,
  instructions: 1_234_567,
  faults: [],
};

function format(suite: Partial<SuiteResult>, record: Partial<BenchRecord> = {}): string[] {
  const text = formatBench({
    mode: "full",
    rounds: 1,
    suites: [{ name: "cpu", sections: [SIEVE], ...suite }],
    process: [],
    notes: [],
    ...record,
  });
  return text.split("\n").map((line) => line.replace(/ {2,}/g, "  "));
}

Deno.test("formatBench() has no columns for v86 when it did not run", () => {
  assertEquals(format({ mean: { mips: 1234.5 } }), [
    "cpu  INSTRUCTIONS  CPU ms  SPEED  UNIT  WANTED  CHECK",
    "sieve  1,234,567  98.8  1,235  MIPS  ok",
    "geometric mean, integer  1,235  MIPS",
    "",
  ]);
});

Deno.test("formatBench() shows v86's speed, the ratio and whether it is enough", () => {
  const compared = {
    ...SIEVE,
    v86: { rate: 617, cpuNs: 1 },
    speedup: 2,
    target: { of: "v86", value: 1, met: true },
  } as const;
  const mean = {
    mips: 1234.5,
    v86Mips: 617,
    speedup: 1.995,
    target: { of: "v86", value: 2, met: false },
  } as const;
  assertEquals(format({ sections: [compared], mean }), [
    "cpu  INSTRUCTIONS  CPU ms  SPEED  v86  UNIT  x v86  WANTED  CHECK",
    "sieve  1,234,567  98.8  1,235  617  MIPS  2.00  >= 1.00 x v86: met  ok",
    "geometric mean, integer  1,235  617  MIPS  2.00  >= 2.00 x v86: NOT MET",
    "",
  ]);
});

Deno.test("formatBench() shows limits in the unit, and what is wrong", () => {
  const port: SectionResult = {
    name: "in_1f7",
    unit: "ns/op",
    rate: 33.25,
    cpuNs: 5e6,
    units: 1,
    target: { of: "unit", value: 30, met: false },
    faults: ["check 00000000, not 00000050", "v86: check 00000001, not 00000050"],
  };
  assertEquals(
    format({ sections: [port] }).slice(0, 2).join("\n"),
    "cpu  CPU ms  SPEED  UNIT  WANTED  CHECK\n" +
      "in_1f7  5.0  33.3  ns/op  <= 30 ns/op: NOT MET  " +
      "check 00000000, not 00000050; v86: check 00000001, not 00000050",
  );
});

Deno.test("formatBench() puts the process and the notes behind the suites", () => {
  const process = [
    { name: "start", unit: "ms", value: 99.5, target: { of: "unit", value: 150, met: true } },
  ] as const;
  assertEquals(format({}, { process, notes: ["v86: not compared, why"] }).slice(2), [
    "",
    "process  VALUE  UNIT  WANTED",
    "start  99.5  ms  <= 150 ms: met",
    "",
    "v86: not compared, why",
    "",
  ]);
});
