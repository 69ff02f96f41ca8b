import { assertEquals } from "@std/assert";
import { DevicesTarget } from "./target.ts";

Deno.test("DevicesTarget.run() finds nothing in a case, and counts what it did", () => {
  const target = new DevicesTarget();
  assertEquals(target.run(3), undefined);
  assertEquals(target.counts["accesses"]! > 1000, true);
});

Deno.test("DevicesTarget.run() does the same again for the same seed", () => {
  const [first, second] = [new DevicesTarget(), new DevicesTarget()];
  for (const target of [first, second]) target.run(4);
  assertEquals(second.counts, first.counts);
});
