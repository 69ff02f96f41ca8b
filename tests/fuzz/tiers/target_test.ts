import { assertEquals } from "@std/assert";
import { TiersTarget } from "./target.ts";

Deno.test("TiersTarget.run() finds nothing in a case, and counts what it ran", () => {
  const target = new TiersTarget();
  assertEquals(target.run(7), undefined);
  assertEquals(target.counts["instructions"]! > 0, true);
});

Deno.test("TiersTarget.run() does the same again for the same seed", () => {
  const [first, second] = [new TiersTarget(), new TiersTarget()];
  for (const target of [first, second]) target.run(8);
  assertEquals(second.counts, first.counts);
});
