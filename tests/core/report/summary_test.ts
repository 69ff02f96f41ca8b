import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { buildCompareRecord } from "../../../core/report/compare.ts";
import { DiskSums } from "../../../core/report/disk_sums.ts";
import { formatFunctions } from "../../../core/report/exits.ts";
import { buildRunRecord } from "../../../core/report/run.ts";
import { formatCompare, formatRun } from "../../../core/report/summary.ts";
import { inputs } from "../../helpers/compare_inputs.ts";
import { counters, exitReport, phase, requestRecord } from "../../helpers/report.ts";

const ide = phase({
  elapsedNs: 400_000,
  after: counters({
    elapsedNs: 400_000,
    instructions: 1000,
    books: { ...counters().books, guest: 100_000, media: 300_000 },
    exits: { total: 36, byReason: { HLT: 2, IO_INSTRUCTION: 34 }, byPort: { "0x1f7:in": 34 } },
    portItems: 4096,
  }),
});
const pv = phase({
  path: "pv",
  elapsedNs: 200_000,
  after: counters({
    elapsedNs: 200_000,
    books: { ...counters().books, guest: 200_000 },
    exits: { total: 2, byReason: { VMCALL: 2 }, byPort: {} },
    grants: { map: 2, unmap: 2, copy: 0 },
  }),
});

function cells(table: string, label: string): string[] | undefined {
  const line = table.split("\n").find((text) => text.trim().startsWith(label));
  return line?.trim().slice(label.length).trim().split(/\s{2,}/);
}

Deno.test("formatCompare() has one column a path and the cost of one request in each", () => {
  const table = formatCompare(buildCompareRecord(inputs, [ide, pv]));
  assertEquals(cells(table, "requests"), ["2", "2"]);
  assertEquals(cells(table, "IOPS"), ["5,000", "10,000"]);
  assertEquals(cells(table, "MB/s"), ["2.56", "5.12"]);
  assertEquals(cells(table, "latency p99, us"), ["200.00", "100.00"]);
  assertEquals(cells(table, "VM exits"), ["18.00", "1.00"]);
  assertEquals(cells(table, "IO_INSTRUCTION"), ["17.00", "0.00"]);
  assertEquals(cells(table, "VMCALL"), ["0.00", "1.00"]);
  assertEquals(cells(table, "port accesses"), ["2048.00", "0.00"]);
  assertEquals(cells(table, "grant maps"), ["0.00", "1.00"]);
  assertEquals(cells(table, "waiting for media"), ["150.00", "0.00"]);
  assertEquals(cells(table, "elapsed"), ["200.00", "100.00"]);
  assertEquals(cells(table, "speed relative to ide-pio"), ["1.00x", "2.00x"]);
  assertMatch(table, /\nsame data: yes\n$/);
});

Deno.test("formatCompare() ties exits to the disk's requests, and names hypercalls", () => {
  const disk = new DiskSums();
  for (const _ of [1, 2, 3, 4]) disk.add(requestRecord());
  const after = counters({
    ...pv.after,
    hypercalls: { total: 2, byName: { event_channel_op: 2 } },
  });
  const table = formatCompare(buildCompareRecord(inputs, [{ ...ide, disk }, { ...pv, after }]));
  assertEquals(cells(table, "disk requests"), ["2.00", "0.00"]);
  assertEquals(cells(table, "VM exits that served them"), ["56.00", "0.00"]);
  assertEquals(cells(table, "pic master"), ["4.00", "0.00"]);
  assertEquals(cells(table, "of those, the driver's own"), ["52.00", "0.00"]);
  assertEquals(cells(table, "event_channel_op"), ["0.00", "1.00"]);
});

Deno.test("formatCompare() says what a kernel was told", () => {
  const record = buildCompareRecord({ ...inputs, append: "quiet" }, [ide, pv]);
  assertMatch(formatCompare(record), /\nkernel guests\/bin\/diskcmp.bin: quiet\n/);
  assertEquals(formatCompare(buildCompareRecord(inputs, [ide])).includes("kernel "), false);
});

Deno.test("formatCompare() says so when the data differ", () => {
  const other = { ...pv, sha256: "1".repeat(64) };
  assertMatch(formatCompare(buildCompareRecord(inputs, [ide, other])), /\nsame data: no\n$/);
});

Deno.test("formatRun() lists exits by number and only the books in use", () => {
  const record = buildRunRecord(
    {
      cpu: "i686",
      cost: "xen-4.17",
      media: "ssd",
      ramBytes: 1 << 25,
      guest: { path: "g.bin", sha256: "a".repeat(64) },
      disks: [],
    },
    { reason: "guest-exit", code: 33, counters: ide.after, exits: exitReport() },
  );
  const text = formatRun(record);
  const [first = ""] = text.split("\n");
  assertEquals(
    first,
    "guest exited with code 33 after 400.00 us of virtual time: 1,000 instructions, 36 VM exits",
  );
  assertEquals(cells(text, "IO_INSTRUCTION"), [
    ...["34", "94.44%", "97.14%", "1.00", "3.00", "2.00", "26"],
  ]);
  assertEquals(cells(text, "ide command 0x01f0-0x01f7"), [
    ...["30", "83.33%", "85.71%", "1.00", "3.00", "2.00", "26"],
  ]);
  assertEquals(cells(text, "unclaimed"), ["4", "11.11%", "11.43%", "2.00", "2.00", "2.00"]);
  assertEquals(cells(text, "HLT"), ["2", "5.56%", "2.86%", "1.00", "1.00", "1.00"]);
  assertEquals(cells(text, "hda ide-dma read c8h"), [
    ...["4,096", "1", "26/26/26", "26/26/26", "52.00", "9.00"],
  ]);
  assertStringIncludes(text, "26 of 36 VM exits served these requests");
  assertEquals(cells(text, "waiting for media"), ["300,000", "75.00%"]);
  assertEquals(text.includes("BIOS"), false);
  assertEquals(text.indexOf("IO_INSTRUCTION") < text.indexOf("HLT"), true);
});

Deno.test("formatFunctions() says how many functions have no room", () => {
  const { sites: _, ...exits } = exitReport();
  const each = { reason: "HLT", device: null, samples: 1, timeNs: 1000 };
  const functions = Array.from({ length: 22 }, (_, i) => ({ ...each, name: `f${i}` }));
  const text = formatFunctions({ ...exits, functions });
  assertEquals(text.split("\n").slice(-2), ["and 2 functions more", ""]);
  assertEquals(
    formatFunctions({ ...exits, functions: functions.slice(2) }).includes("more"),
    false,
  );
});

Deno.test("formatRun() lists what backends have refused, by disk and reason", () => {
  const refusals = { hda: { "no segments": 1200 }, hdb: { connection: 2, "no segments": 1 } };
  const record = buildRunRecord(
    { cpu: "i686", cost: "xen-4.17", media: "ssd", ramBytes: 1, guest: inputs.guest, disks: [] },
    { reason: "power-off", code: 0, counters: counters({ refusals }), exits: exitReport() },
  );
  const text = formatRun(record);
  assertEquals(cells(text, "hda: no segments"), ["1,200"]);
  assertEquals(cells(text, "hdb: connection"), ["2"]);
  assertEquals(cells(text, "hdb: no segments"), ["1"]);
});

Deno.test("formatRun() says how often the guest started again, if it did", () => {
  const end = (restarts: number) => {
    const record = buildRunRecord(
      { cpu: "i686", cost: "xen-4.17", media: "ssd", ramBytes: 1, guest: inputs.guest, disks: [] },
      { reason: "power-off", code: 0, counters: counters({ restarts }), exits: exitReport() },
    );
    return formatRun(record).split("\n")[0]!;
  };
  assertEquals(end(0).includes("restart"), false);
  assertStringIncludes(end(1), ", 1 restart");
  assertStringIncludes(end(2), ", 2 restarts");
});

Deno.test("formatRun() says what stands behind the disks, and what dom0 did for it, unless usual", () => {
  const text = (backend: "phy" | "file" | null) => {
    const disks = [{ path: "a.img", sectors: 2048, backend }];
    const dom0Books = { ...counters({}).dom0Books, loop: 2500, pageCache: 500 };
    const given = { ...counters({ dom0Books }), elapsedNs: 10_000 };
    return formatRun(buildRunRecord(
      { cpu: "i686", cost: "xen-4.17", media: "ssd", ramBytes: 1, guest: inputs.guest, disks },
      { reason: "power-off", code: 0, counters: given, exits: exitReport() },
    ));
  };
  assertEquals(cells(text("file"), "loop device"), ["2,500", "25.00%"]);
  assertEquals(cells(text("file"), "page cache"), ["500", "5.00%"]);
  assertEquals(cells(text("file"), "a.img"), ["2,048", "file"]);
  for (const usual of ["phy", null] as const) {
    assertEquals(text(usual).includes("DOM0 MEANWHILE"), false);
  }
});
