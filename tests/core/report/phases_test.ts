import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { DiskSums } from "../../../core/report/disk_sums.ts";
import { PhaseRecorder } from "../../../core/report/phases.ts";
import { counters, FakeSource, requestRecord } from "../../helpers/report.ts";

const page = (byte: number) => new Uint8Array(4096).fill(byte);

/** EBX and ECX as a request's end mark carries them. */
function data(gpa: number, length: number) {
  const regs = new Uint32Array(8);
  regs[3] = gpa;
  regs[1] = length;
  return { regs };
}

const none = data(0, 0);

function sha256(...parts: Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

Deno.test("PhaseRecorder.mark() takes counters at both ends of a phase", () => {
  const source = new FakeSource([page(1)]);
  const recorder = new PhaseRecorder(source);
  const before = source.current = counters({ instructions: 5 });
  recorder.mark(0x13, none);
  assertEquals(recorder.path, "ide-dma");
  const after = source.current = counters({ instructions: 9 });
  recorder.mark(0x23, none);
  assertEquals(recorder.path, undefined);
  assertEquals(recorder.phases, [{
    path: "ide-dma",
    before,
    after,
    requests: 0,
    bytes: 0,
    sha256: sha256(),
    latencies: [],
    disk: new DiskSums(),
  }]);
});

Deno.test("PhaseRecorder.mark() hashes data and measures latency when requests overlap", () => {
  const source = new FakeSource([page(1), page(2)]);
  const recorder = new PhaseRecorder(source);
  recorder.mark(0x11, none);
  source.now = 100;
  recorder.mark(0x40, none);
  source.now = 150;
  recorder.mark(0x5f, none);
  source.now = 400;
  recorder.mark(0x60, data(0, 512));
  source.now = 450;
  recorder.mark(0x7f, data(4096 + 512, 1024));
  recorder.mark(0x21, none);
  const [phase] = recorder.phases;
  assertEquals(phase?.latencies, [300, 300]);
  assertEquals([phase?.requests, phase?.bytes, recorder.requests], [2, 1536, 2]);
  assertEquals(phase?.sha256, sha256(page(1).subarray(0, 512), page(2).subarray(0, 1024)));
});

Deno.test("PhaseRecorder.mark() follows data over pages that lie apart on the host", () => {
  const recorder = new PhaseRecorder(new FakeSource([page(1), page(2), page(3)]));
  recorder.mark(0x14, none);
  recorder.mark(0x41, none);
  recorder.mark(0x61, data(4000, 4096 + 200));
  recorder.mark(0x24, none);
  const expected = sha256(page(1).subarray(4000), page(2), page(3).subarray(0, 104));
  assertEquals(recorder.phases[0]?.sha256, expected);
});

Deno.test("PhaseRecorder.mark() finds data by the guest's page tables", () => {
  const source = new FakeSource([page(1), page(2), page(3)]);
  source.mapped.set(7, 2).set(8, 0);
  const recorder = new PhaseRecorder(source);
  recorder.mark(0x14, none);
  recorder.mark(0x40, none);
  recorder.mark(0x60, data(7 * 4096 + 4000, 4096));
  recorder.mark(0x24, none);
  const expected = sha256(page(3).subarray(4000), page(1).subarray(0, 4000));
  assertEquals(recorder.phases[0]?.sha256, expected);
});

Deno.test("PhaseRecorder.request() takes what was submitted in a phase, even when that is over", () => {
  const source = new FakeSource([]);
  const recorder = new PhaseRecorder(source);
  const mark = (value: number, elapsedNs: number): void => {
    source.current = counters({ elapsedNs });
    recorder.mark(value, none);
  };
  recorder.request(requestRecord({ submitNs: 50 }));
  mark(0x13, 100);
  recorder.request(requestRecord({ submitNs: 99 }));
  recorder.request(requestRecord({ submitNs: 100 }));
  mark(0x23, 200);
  recorder.request(requestRecord({ submitNs: 150 }));
  recorder.request(requestRecord({ submitNs: 250 }));
  mark(0x14, 300);
  recorder.request(requestRecord({ submitNs: 190 }));
  recorder.request(requestRecord({ submitNs: 310, path: "pv" }));
  mark(0x24, 400);
  assertEquals(recorder.phases.map(({ disk }) => disk.record().byPath), [
    { "ide-dma": 3 },
    { pv: 1 },
  ]);
});

Deno.test("PhaseRecorder.mark() ignores POST codes", () => {
  const recorder = new PhaseRecorder(new FakeSource([]));
  for (const value of [0x00, 0x01, 0x10, 0x16, 0x1f, 0x20, 0x26, 0x80, 0xff]) {
    recorder.mark(value, none);
  }
  assertEquals([recorder.fault, recorder.phases.length, recorder.path], [undefined, 0, undefined]);
});

const faults: readonly [string, readonly number[]][] = [
  ["phase pv begins inside phase ide-pio", [0x11, 0x14]],
  ["phase pv ends but has not begun", [0x24]],
  ["phase ide-dma ends but has not begun", [0x11, 0x23]],
  ["phase ide-pio has no end mark", [0x11]],
  ["phase ide-pio ends while a request is open", [0x11, 0x40, 0x21]],
  ["request 2 begins outside a phase", [0x42]],
  ["request 2 begins twice", [0x11, 0x42, 0x42]],
  ["request 31 ends but has not begun", [0x11, 0x40, 0x7f]],
];
for (const [fault, marks] of faults) {
  Deno.test(`PhaseRecorder.fault says "${fault}"`, () => {
    const recorder = new PhaseRecorder(new FakeSource([page(0)]));
    for (const value of marks) recorder.mark(value, none);
    assertEquals(recorder.fault, fault);
  });
}

Deno.test("PhaseRecorder.fault stays when data lie outside RAM, and later marks are dropped", () => {
  for (const [gpa, length] of [[8192, 512], [4000, 8192], [0, 0xffffffff]] as const) {
    const recorder = new PhaseRecorder(new FakeSource([page(0), page(0)]));
    recorder.mark(0x11, none);
    recorder.mark(0x40, none);
    recorder.mark(0x60, data(gpa, length));
    recorder.mark(0x21, none);
    assertEquals(recorder.fault, "request 0 names data outside RAM");
    assertEquals(recorder.phases, []);
  }
});
