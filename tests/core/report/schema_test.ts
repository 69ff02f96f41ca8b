import { assertEquals, assertThrows } from "@std/assert";
import { buildCompareRecord } from "../../../core/report/compare.ts";
import { stableJson } from "../../../core/report/json.ts";
import { compareJsonSchema, compareSchema } from "../../../core/report/schema.ts";
import { inputs } from "../../helpers/compare_inputs.ts";
import { phase } from "../../helpers/report.ts";

const record = buildCompareRecord(inputs, [
  phase({ elapsedNs: 1000 }),
  phase({ elapsedNs: 500, path: "pv" }),
]);

Deno.test("compareSchema accepts what buildCompareRecord() builds", () => {
  assertEquals(compareSchema.parse(JSON.parse(stableJson(record))), record);
});

Deno.test("compareSchema refuses unknown and missing keys and open enumerations", () => {
  const [first] = record.paths;
  assertThrows(() => compareSchema.parse({ ...record, extra: 1 }));
  assertThrows(() => compareSchema.parse({ ...record, disk: undefined }));
  assertThrows(() => compareSchema.parse({ ...record, paths: [{ ...first, path: "nvme" }] }));
  assertThrows(() => compareSchema.parse({ ...record, paths: [{ ...first, books: {} }] }));
});

Deno.test("compareJsonSchema() names every key of a path", () => {
  const schema = compareJsonSchema() as {
    properties: { paths: { items: { required: string[] } } };
  };
  assertEquals(schema.properties.paths.items.required.sort(), Object.keys(record.paths[0]!).sort());
});

const published = new URL("../../../core/report/compare.schema.json", import.meta.url);
const readable = Deno.permissions.querySync({ name: "read", path: published }).state === "granted";

Deno.test({
  name: "compareJsonSchema() is what compare.schema.json holds",
  ignore: !readable,
  fn() {
    assertEquals(Deno.readTextFileSync(published), stableJson(compareJsonSchema()));
  },
});
