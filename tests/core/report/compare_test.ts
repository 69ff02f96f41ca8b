import { assertEquals, assertThrows } from "@std/assert";
import { InternalError } from "../../../core/errors.ts";
import { buildCompareRecord, buildPathRecord } from "../../../core/report/compare.ts";
import { counters, phase } from "../../helpers/report.ts";
import { inputs } from "../../helpers/compare_inputs.ts";
import { DiskSums } from "../../../core/report/disk_sums.ts";

const NO_REQUESTS = new DiskSums().record();

Deno.test("buildPathRecord() subtracts the snapshots and drops what did not happen", () => {
  const books = counters().books;
  const record = buildPathRecord(phase({
    elapsedNs: 0,
    before: counters({
      elapsedNs: 100,
      instructions: 10,
      books: { ...books, guest: 60, exit: 40 },
      exits: { total: 3, byReason: { HLT: 1, IO_INSTRUCTION: 2 }, byPort: { "0x1f7:in": 2 } },
      hypercalls: { total: 1, byName: { sched_op: 1 } },
      grants: { map: 1, unmap: 1, copy: 0 },
    }),
    after: counters({
      elapsedNs: 1100,
      instructions: 210,
      books: { ...books, guest: 260, exit: 640, media: 200 },
      dom0Books: { ...counters().dom0Books, ioreq: 55 },
      exits: {
        total: 8,
        byReason: { HLT: 1, IO_INSTRUCTION: 6, VMCALL: 1 },
        byPort: { "0x1f0:in": 1, "0x1f7:in": 5 },
      },
      portItems: 261,
      ioreqs: 6,
      hypercalls: { total: 3, byName: { event_channel_op: 2, sched_op: 1 } },
      events: { sent: 2, suppressed: 1 },
      grants: { map: 4, unmap: 3, copy: 2 },
      interrupts: 7,
    }),
    requests: 2,
    latencies: [400, 500],
  }));
  assertEquals(record, {
    path: "ide-pio",
    requests: 2,
    bytes: 1024,
    sha256: "0".repeat(64),
    elapsedNs: 1000,
    instructions: 200,
    exits: {
      total: 5,
      byReason: { IO_INSTRUCTION: 4, VMCALL: 1 },
      byPort: { "0x1f0:in": 1, "0x1f7:in": 3 },
    },
    portItems: 261,
    ioreqs: 6,
    hypercalls: { total: 2, byName: { event_channel_op: 2 } },
    events: { sent: 2, suppressed: 1 },
    grants: { map: 3, unmap: 2, copy: 2 },
    interrupts: 7,
    disk: NO_REQUESTS,
    books: { ...books, guest: 200, exit: 600, media: 200 },
    dom0Books: { ...counters().dom0Books, ioreq: 55 },
    latencyNs: { mean: 450, p50: 400, p99: 500 },
    iops: 2_000_000,
    bandwidth: 1_024_000_000,
  });
});

Deno.test("buildPathRecord() throws when the books do not close", () => {
  const open = phase({ elapsedNs: 100, after: counters({ elapsedNs: 100 }) });
  assertThrows(
    () => buildPathRecord(open),
    InternalError,
    "The books of ide-pio do not close: they hold 0 ns, elapsed are 100 ns",
  );
});

Deno.test("buildPathRecord() takes percentiles by nearest rank, in any order of arrival", () => {
  const latencies = Array.from({ length: 200 }, (_, i) => ((i * 7) % 200) + 1);
  const { latencyNs } = buildPathRecord(phase({ elapsedNs: 1000, requests: 200, latencies }));
  assertEquals(latencyNs, { mean: 101, p50: 100, p99: 198 });
});

Deno.test("buildPathRecord() has zeros for a phase without requests or time", () => {
  const record = buildPathRecord(phase({ elapsedNs: 0, requests: 0 }));
  assertEquals([record.iops, record.bandwidth], [0, 0]);
  assertEquals(record.latencyNs, { mean: 0, p50: 0, p99: 0 });
});

Deno.test("buildCompareRecord() sees when a path moved other data", () => {
  const same = [phase({ elapsedNs: 10 }), phase({ elapsedNs: 20, path: "pv" })];
  assertEquals(buildCompareRecord(inputs, same).sameData, true);
  const hash = phase({ elapsedNs: 20, path: "pv", sha256: "1".repeat(64) });
  assertEquals(buildCompareRecord(inputs, [same[0]!, hash]).sameData, false);
  const fewer = phase({ elapsedNs: 20, path: "pv", requests: 1 });
  assertEquals(buildCompareRecord(inputs, [same[0]!, fewer]).sameData, false);
});
