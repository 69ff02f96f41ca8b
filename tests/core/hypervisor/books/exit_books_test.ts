import { assertEquals, assertThrows } from "@std/assert";
import { InternalError } from "../../../../core/errors.ts";
import { EXIT } from "../../../../core/types.ts";
import { BooksBench, EXIT_NS } from "../../../helpers/exits.ts";

/** One 4 KiB read by libata in DMA mode, as it was read off real Xen. */
const ISSUE = "in1f7=50 out1f6=a0 in3f6=50 in1f7=50 out1f1=0 out1f2=8 out1f3=0 out1f4=0 out1f5=0 " +
  "out1f6=e0 in1f7=50 outc104=1000 inc100=8 outc100=8 out1f7=c8 in3f6=58 inc100=8 outc100=9!";
const COMPLETION = "inc102=4 inc100=9 outc100=8 in3f6=50 in3f6=50 in1f7=50 inc102=4 outc102=4";
const FLUSH = "in1f7=50 out1f6=a0 in3f6=50 in1f7=50 out1f6=e0 in1f7=50 out1f7=e7 in3f6=d0 " +
  "in3f6=50 in1f7=50 inc102=4 outc102=4";

Deno.test("ExitBooks ties the 26 accesses of a DMA command, its interrupt and the EOI to it", () => {
  const bench = new BooksBench();
  bench.ports(`in3fd=60 ${ISSUE}`).other(EXIT.HLT).complete();
  bench.books.interrupt(14);
  bench.ports(COMPLETION).lapic(0xb0).lapic(0x380).ports("out3f8=41");
  const { tied, none, byDevice } = bench.finish();
  assertEquals(bench.requests, [{
    ...{ id: 1, disk: "hda", path: "ide-dma", op: "read", code: 0xc8, command: "READ DMA" },
    ...{ sector: 24, bytes: 4096 },
    ...{ submitNs: 150, completeNs: 200, exits: 28, driverExits: 26, exitNs: 280, interrupts: 1 },
    exitsBy: {
      "ide command": 12,
      "ide control": 4,
      "ide bus master": 10,
      "local apic": 1,
      "EXTERNAL_INTERRUPT": 1,
    },
  }]);
  assertEquals(tied, { exits: 28, timeNs: 28 * EXIT_NS });
  assertEquals(none, { exits: 4, timeNs: 4 * EXIT_NS });
  const apic = byDevice.find(({ device }) => device === "local apic")!;
  assertEquals([apic.samples, apic.tied, apic.ranges], [2, 1, ["0xfee00000-0xfee00fff"]]);
});

Deno.test("ExitBooks takes a command for what it moves, though the disk's cache is flushed for it", () => {
  const bench = new BooksBench();
  bench.ports(ISSUE);
  bench.disk.submit({ op: "flush", sector: 32, segments: [], done: () => {} });
  bench.complete().ports(COMPLETION).finish();
  const [command] = bench.requests;
  assertEquals([command?.op, command?.sector, command?.bytes], ["read", 24, 4096]);
});

Deno.test("ExitBooks ties polls of Status to the command that they wait for, or precede", () => {
  const bench = new BooksBench();
  bench.ports(FLUSH).ports("in1f7=50 in3f6=50").ports(FLUSH).ports("in3f6=50");
  const { requests, none } = bench.finish();
  assertEquals(bench.requests.map(({ exits }) => exits), [12, 14]);
  assertEquals(requests.map(({ requests, exits }) => [requests, exits]), [
    [2, { min: 12, median: 12, max: 14 }],
  ]);
  assertEquals(none.exits, 1);
});

Deno.test("ExitBooks takes bus-master preparation before the task file for the next command's", () => {
  const bench = new BooksBench();
  bench.ports(FLUSH).ports("outc100=0 outc104=1000 outc100=8 out1f6=e0 out1f7=c8 outc100=9!");
  bench.complete().ports("outc100=8 outc102=4 in1f7=50");
  bench.finish();
  assertEquals(bench.requests.map(({ exits }) => exits), [12, 9]);
});

Deno.test("ExitBooks ties set-up to none when a reset or an empty position ends it", () => {
  const bench = new BooksBench();
  bench.ports("out1f2=55 out1f3=aa out3f6=4 out3f6=0 in1f7=50 out1f6=b0 out1f7=ec in1f7=0");
  const { tied, none } = bench.finish();
  assertEquals([tied.exits, none.exits, bench.requests], [0, 8, []]);
});

Deno.test("ExitBooks knows that registers of a byte do not change by a wider access", () => {
  const bench = new BooksBench();
  bench.ports("out1f6=a0 outw1f6=b0 out1f7=e7 outw3f6=4 in1f7=50");
  bench.finish();
  assertEquals(bench.requests.map(({ disk, exits }) => [disk, exits]), [["hda", 5]]);
});

Deno.test("ExitBooks gives an interrupt controller to none once the guest halts", () => {
  const bench = new BooksBench();
  bench.ports(FLUSH);
  bench.books.interrupt(14);
  bench.ports("out20=62").other(EXIT.HLT).ports("out21=fb");
  bench.books.interrupt(0);
  bench.ports("out20=60");
  bench.finish();
  assertEquals(bench.requests.map(({ exits }) => exits), [13]);
});

Deno.test("ExitBooks ties an event to the first request that it shows, an upcall to a response", () => {
  const bench = new BooksBench();
  const ring = bench.books.watchRing("hda");
  bench.other(EXIT.VMCALL, () => ring.event(2)).other(EXIT.VMCALL);
  for (const slot of [0, 1]) {
    const request = { operation: 1, dataOperation: 1, sector: 8 * slot, sectors: 8 };
    ring.taken(slot, request);
    ring.asked(slot, request);
  }
  ring.answered(0, true);
  ring.answered(1, false);
  bench.event(EXIT.EXTERNAL_INTERRUPT).books.upcall();
  const { requests, none } = bench.finish();
  assertEquals(
    bench.requests.map(({ id, exits, driverExits, interrupts }) => {
      return [id, exits, driverExits, interrupts];
    }),
    [[2, 0, 0, 0], [1, 2, 1, 1]],
  );
  assertEquals(requests.map(({ path, op, size }) => [path, op, size]), [["pv", "write", 4096]]);
  assertEquals(none.exits, 1);
});

Deno.test("ExitBooks.domainEnded() lets no upcall of the next domain be for a request of the last", () => {
  const bench = new BooksBench();
  const ring = bench.books.watchRing("hda");
  bench.other(EXIT.VMCALL, () => ring.event(1));
  ring.taken(0, { operation: 0, dataOperation: 0, sector: 0, sectors: 8 });
  ring.answered(0, true);
  bench.books.domainEnded();
  bench.event(EXIT.EXTERNAL_INTERRUPT).books.upcall();
  const { none } = bench.finish();
  assertEquals(bench.requests.map(({ exits, interrupts }) => [exits, interrupts]), [[1, 0]]);
  assertEquals(none.exits, 1);
});

Deno.test("ExitBooks.finish() ends what is under way", () => {
  const bench = new BooksBench();
  const ring = bench.books.watchRing("hda");
  bench.ports(ISSUE).other(EXIT.VMCALL, () => ring.event(1));
  bench.finish();
  assertEquals(bench.requests.map(({ path, exits }) => [path, exits]), [["ide-dma", 18], [
    "pv",
    1,
  ]]);
});

Deno.test("ExitBooks keeps the rows of a device that moves, and says where it has been", () => {
  const bench = new BooksBench();
  bench.ports("inc100=0 in5555=ff");
  bench.move("ide bus master", 0xd000);
  bench.ports("ind000=0 inc100=0");
  const { byDevice, sites } = bench.finish();
  assertEquals(byDevice.map(({ device, ranges, samples }) => [device, ranges, samples]), [
    [null, [], 2],
    ["ide bus master", ["0xc100-0xc107", "0xd000-0xd007"], 2],
  ]);
  assertEquals(sites!.map(({ device, samples }) => [device, samples]), [
    ["ide bus master", 2],
    [null, 1],
    [null, 1],
  ]);
});

Deno.test("ExitBooks does not follow a device that moves for ever", () => {
  const bench = new BooksBench();
  for (let base = 0x1000; base < 0x2000; base += 8) {
    bench.move("ide bus master", base);
    bench.ports(`in${base.toString(16)}=0`);
  }
  assertEquals(bench.books.rows.length, 1);
  assertEquals(bench.finish().byDevice[0]!.ranges.length, 16);
});

Deno.test("ExitBooks.assertClosed() throws when an exit is missing", () => {
  const bench = new BooksBench();
  bench.ports("in1f7=50");
  bench.books.finish();
  const books = { guest: 0, exit: 10, emulation: 0, ioreq: 0, device: 0, hypercall: 0 };
  const rest = { injection: 0, bios: 0, media: 0, idle: 0 };
  const counts = { total: 2, byReason: { IO_INSTRUCTION: 2 }, byPort: {} };
  assertThrows(
    () => bench.books.assertClosed(counts, { ...books, ...rest }),
    InternalError,
    "books of exits do not close: exits IO_INSTRUCTION: 2, found 1",
  );
});
