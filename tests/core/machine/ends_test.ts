import { assertEquals } from "@std/assert";
import { instructionLimit, timeLimit } from "../../../core/machine/ends.ts";

Deno.test("instructionLimit() counts one instruction as one", () => {
  assertEquals(instructionLimit(1, 1).message, "Stopped after 1 instruction: the limit is 1");
  assertEquals(instructionLimit(12, 10).message, "Stopped after 12 instructions: the limit is 10");
});

Deno.test("timeLimit() tells times in seconds without an exponent", () => {
  const rows = [
    [688, 100, "0.000000688 s of virtual time: the limit is 0.0000001 s"],
    [2_000_000_000, 2_000_000_000, "2 s of virtual time: the limit is 2 s"],
    [10_000_000_001, 10_000_000_000, "10.000000001 s of virtual time: the limit is 10 s"],
  ] as const;
  for (const [now, limit, text] of rows) {
    assertEquals(timeLimit(now, limit).message, `Stopped at ${text}`);
  }
});
