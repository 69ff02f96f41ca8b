import { assertEquals } from "@std/assert";
import { stableJson } from "../../../core/report/json.ts";

Deno.test("stableJson() sorts keys at every depth and keeps the order of arrays", () => {
  const value = { b: [{ z: 1, a: 2 }, 3, 1], a: { "0x1f7:in": 1, "0x1f0:out": 2 } };
  const other = { a: { "0x1f0:out": 2, "0x1f7:in": 1 }, b: [{ a: 2, z: 1 }, 3, 1] };
  assertEquals(stableJson(value), stableJson(other));
  assertEquals(stableJson({ b: 1, a: null }), '{\n  "a": null,\n  "b": 1\n}\n');
});
