import { assertEquals, assertThrows } from "@std/assert";
import { MonitorError } from "../../../core/debug/monitor_error.ts";
import { refuseRest, takeOptions, wordsOf } from "../../../core/debug/words.ts";

const taken = (text: string) => {
  const { options, rest } = takeOptions(wordsOf(text), ["-f", "-p", "--force"]);
  return [[...options], rest];
};

Deno.test("takeOptions() finds options wherever they stand, and letters behind one dash", () => {
  assertEquals(taken(" a  -f b "), [["-f"], ["a", "b"]]);
  assertEquals(taken("-pf a --force"), [["-p", "-f", "--force"], ["a"]]);
  assertEquals(taken("- a-f"), [[], ["-", "a-f"]]);
});

Deno.test("takeOptions() refuses an option that is not known, and half of one that is", () => {
  for (const option of ["-z", "-fz", "--f", "--forces"]) {
    assertThrows(() => taken(`a ${option}`), MonitorError, `unsupported option ${option}`);
  }
});

Deno.test("refuseRest() lets nothing pass but nothing", () => {
  refuseRest("");
  const refusal = "extraneous characters at the end of line: b";
  assertThrows(() => refuseRest("b"), MonitorError, refusal);
});
