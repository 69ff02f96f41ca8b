import { assertEquals } from "@std/assert";
import { Refusals } from "../../../../core/hypervisor/books/refusals.ts";

Deno.test("Refusals.counts has what happened, by disk and reason, keys sorted", () => {
  const refusals = new Refusals();
  assertEquals(refusals.counts, {});
  refusals.count("hdb", "no segments");
  refusals.count("hda", "no segments");
  refusals.count("hda", "connection");
  refusals.count("hda", "no segments");
  assertEquals(
    JSON.stringify(refusals.counts),
    '{"hda":{"connection":1,"no segments":2},"hdb":{"no segments":1}}',
  );
});
