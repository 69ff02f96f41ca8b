import { assertEquals, assertThrows } from "@std/assert";
import { stableJson } from "../../../core/report/json.ts";
import { buildRunRecord, type RunInputs } from "../../../core/report/run.ts";
import { runJsonSchema, runSchema } from "../../../core/report/run_schema.ts";
import { counters, exitReport } from "../../helpers/report.ts";

const inputs: RunInputs = {
  cpu: "i686",
  cost: "xen-4.17",
  media: "ssd",
  ramBytes: 1 << 25,
  guest: { path: "g.bin", sha256: "a".repeat(64) },
  disks: [{ path: "a.img", sectors: 8, backend: "phy" }],
};
const result = {
  reason: "guest-exit",
  code: 33,
  counters: counters(),
  exits: exitReport(),
} as const;
const names = {
  nameAt: (address: number) => address < 0xf8000000 ? "ata_sff_tf_load" : undefined,
};

Deno.test("buildRunRecord() joins exits of a function, and keeps addresses of none", () => {
  const { functions } = buildRunRecord(inputs, result, names).exits;
  const io = { name: "ata_sff_tf_load", reason: "IO_INSTRUCTION" };
  assertEquals(functions, [
    { ...io, device: "ide command", samples: 30, timeNs: 60_000 },
    { ...io, device: null, samples: 4, timeNs: 8000 },
    { name: "0xf8000000", reason: "HLT", device: null, samples: 2, timeNs: 2000 },
  ]);
  assertEquals(buildRunRecord(inputs, result).exits.functions, null);
});

Deno.test("runSchema accepts what buildRunRecord() builds and refuses unknown keys", () => {
  const record = buildRunRecord(inputs, result, names);
  assertEquals(runSchema.parse(JSON.parse(stableJson(record))), record);
  assertThrows(() => runSchema.parse({ ...record, extra: 1 }));
  assertThrows(() => runSchema.parse({ ...record, exits: { ...record.exits, tied: 1 } }));
});

const published = new URL("../../../core/report/run.schema.json", import.meta.url);
const readable = Deno.permissions.querySync({ name: "read", path: published }).state === "granted";

Deno.test({
  name: "runJsonSchema() is what run.schema.json holds",
  ignore: !readable,
  fn() {
    assertEquals(Deno.readTextFileSync(published), stableJson(runJsonSchema()));
  },
});
