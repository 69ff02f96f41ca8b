import { assertEquals } from "@std/assert";
import { VectorSet } from "../../devices/vector_set.ts";

Deno.test("VectorSet.highest() is the highest vector of any word, -1 when there is none", () => {
  const set = new VectorSet();
  const seen = [set.highest()];
  for (const vector of [0, 31, 32, 0x5f, 0xff]) {
    set.add(vector);
    seen.push(set.highest());
  }
  for (const vector of [0xff, 0x5f]) {
    set.delete(vector);
    seen.push(set.highest());
  }
  assertEquals(seen, [-1, 0, 31, 32, 0x5f, 0xff, 0x5f, 32]);
  set.clear();
  assertEquals(set.highest(), -1);
});

Deno.test("VectorSet.word() shows 32 vectors, the lowest in bit 0", () => {
  const set = new VectorSet();
  for (const vector of [0x20, 0x21, 0x3f, 0x40]) set.add(vector);
  assertEquals([0, 1, 2].map((index) => set.word(index)), [0, 0x80000003, 1]);
  assertEquals([0x3f, 0x3e].map((vector) => set.has(vector)), [true, false]);
});
