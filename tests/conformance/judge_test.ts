import { assertEquals } from "@std/assert";
import { isBinding, isGood, tooManyAlone, type Verdict } from "./judge.ts";
import { summary, tableHead, tableRow } from "./report.ts";

const VERDICT: Verdict = {
  file: { path: "/x/system/cases/far.jsonl.gz", name: "system/far", format: "system" },
  tier: 1,
  cases: 500,
  passed: 497,
  failed: 0,
  alone: 200,
  aloneFailed: 2,
  leftOut: { "a reason": 1 },
  seconds: 1.26,
  failures: [],
};

Deno.test("isBinding() is true for real hardware and for two executors", () => {
  const cases = { H: true, BH: true, BK: true, BQ: true, B: false };
  for (const [votes, binding] of Object.entries(cases)) assertEquals(isBinding(votes), binding);
});

Deno.test("tooManyAlone() allows one failure in a hundred", () => {
  assertEquals(tooManyAlone(VERDICT), false);
  assertEquals(tooManyAlone({ ...VERDICT, aloneFailed: 3 }), true);
  assertEquals(tooManyAlone({ ...VERDICT, alone: 0, aloneFailed: 0 }), false);
});

Deno.test("isGood() is false when one case fails that must pass", () => {
  assertEquals(isGood(VERDICT), true);
  assertEquals(isGood({ ...VERDICT, failed: 1 }), false);
  assertEquals(isGood({ ...VERDICT, aloneFailed: 3 }), false);
});

Deno.test("tableRow() puts each number under its heading", () => {
  assertEquals(tableHead(), headings);
  assertEquals(tableRow(VERDICT), row);
});

const headings =
  "file                 tier   cases  passed  failed  left out  Bochs alone  seconds";
const row = "system/far              1     500     497       0         1      198/200      1.3";

Deno.test("summary() counts each file in each tier as one test", () => {
  const lines = summary([VERDICT, { ...VERDICT, tier: 2, failed: 1, passed: 496 }]).split("\n");
  assertEquals(lines.at(-1), "FAILED | 1 passed | 1 failed");
  assertEquals(summary([VERDICT]).split("\n").at(-1), "ok | 1 passed | 0 failed");
});
