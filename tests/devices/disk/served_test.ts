import { assertEquals } from "@std/assert";
import { type BlockRequest, DOM0_COST } from "../../../core/types.ts";
import { ServedDisk } from "../../../devices/disk/served.ts";
import { FakeClock, FakeDom0, ManualDisk } from "../../helpers/disk.ts";

const COSTS = { kind: DOM0_COST.blockLayer, submit: 300, complete: 500 };

function bench() {
  const clock = new FakeClock();
  const dom0 = new FakeDom0(clock);
  const inner = new ManualDisk(64);
  const served = new ServedDisk(dom0, inner, COSTS);
  const log: string[] = [];
  const request = (name: string): BlockRequest => ({
    op: "read",
    sector: 1,
    segments: [new Uint8Array(512)],
    done: (status) => log.push(`${name} ${status} at ${clock.now}`),
  });
  return { clock, dom0, inner, served, log, request };
}

Deno.test("ServedDisk spends dom0's time before submitting and before done()", () => {
  const { clock, dom0, inner, served, log, request } = bench();
  served.submit(request("a"));
  assertEquals(inner.asked, []);
  clock.run();
  assertEquals([clock.now, inner.asked], [300, ["read 1 512"]]);
  inner.complete();
  clock.run();
  assertEquals(log, ["a ok at 800"]);
  assertEquals(dom0.books, { blockLayer: 800 });
});

Deno.test("ServedDisk keeps order and status when several requests are in flight", () => {
  const { clock, inner, served, log, request } = bench();
  for (const name of ["a", "b", "c"]) served.submit(request(name));
  clock.run();
  inner.complete();
  inner.complete("error");
  served.submit(request("d"));
  inner.complete();
  clock.run();
  inner.complete();
  clock.run();
  assertEquals(log.map((line) => line.split(" at ")[0]), ["a ok", "b error", "c ok", "d ok"]);
});

Deno.test("ServedDisk takes a request from inside done()", () => {
  const { clock, inner, served, log, request } = bench();
  const first = request("a");
  served.submit({ ...first, done: () => served.submit(request("b")) });
  for (let i = 0; i < 2; i++) {
    clock.run();
    inner.complete();
  }
  clock.run();
  assertEquals(log.length, 1);
});
