import { assertEquals } from "@std/assert";
import { XenTarget } from "./target.ts";

Deno.test("XenTarget.run() finds nothing in a case, and counts what it did", () => {
  const target = new XenTarget();
  assertEquals(target.run(3), undefined);
  assertEquals(target.counts["steps"], 10_000);
  assertEquals(target.counts["requests accepted"]! > 100, true);
  assertEquals(target.counts["requests refused"]! > 10, true);
});

Deno.test("XenTarget.run() does the same again for the same seed", () => {
  const [first, second] = [new XenTarget(), new XenTarget()];
  for (const target of [first, second]) target.run(4);
  assertEquals(second.counts, first.counts);
});
