/**
 * Rings that a hostile frontend rewrites under the backend, indexes that run ahead, go back and wrap,
 * events and states that come in storms.
 */

import { assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../../core/types.ts";
import { BLKIF_OP, I386, X86_64 } from "../../../devices/xen/blkif.ts";
import { BlkifRequest } from "../../../devices/xen/blkif_request.ts";
import { BackRing, ringEntries, type RingView, SRING } from "../../../devices/xen/ring.ts";
import { dataGref, frameOf, HostileBench } from "../../helpers/hostile.ts";

const { READ, WRITE, FLUSH_DISKCACHE, INDIRECT } = BLKIF_OP;
const GREF = dataGref(0);
const OVERRUN = "req_prod claims more than the ring holds";
const RING_FRAME = 24;

/** Memory that another CPU changes between any two looks, which are counted. */
class RestlessPage implements RingView {
  readonly byteLength = PAGE_SIZE;
  readonly reads: Map<number, number> = new Map();
  readonly #next: (offset: number, look: number) => number;

  /** @param next what a look finds, the first being 0 */
  constructor(next: (offset: number, look: number) => number) {
    this.#next = next;
  }

  getUint32(offset: number): number {
    const look = this.reads.get(offset) ?? 0;
    this.reads.set(offset, look + 1);
    return this.#next(offset, look);
  }

  setUint32(): void {}
}

for (const [architecture, layout] of [["i386", I386], ["x86_64", X86_64]] as const) {
  Deno.test(`BlkifRequest.copyFrom() reads every word once, ${architecture}`, () => {
    const page = new RestlessPage((_, look) => look === 0 ? 0x00010000 : 0xffffffff);
    const request = new BlkifRequest(layout);
    request.copyFrom(page, SRING.RING);
    const looks = [...page.reads.values()];
    assertEquals(looks, new Array(layout.SIZE / 4).fill(1));
    for (let use = 0; use < 3; use++) assertEquals(request.operation, READ);
    assertEquals([...page.reads.values()], looks);
  });

  Deno.test(`BlkifRequest.copySegments() reads every byte once, ${architecture}`, () => {
    const reads = new Map<string, number>();
    const page = new Proxy(new Uint8Array(PAGE_SIZE), {
      get(target, key): unknown {
        if (!/^\d+$/.test(String(key))) return Reflect.get(target, key);
        const look = reads.get(String(key)) ?? 0;
        reads.set(String(key), look + 1);
        return look === 0 ? Number(key) % 8 === 5 ? 7 : 0 : 255;
      },
    });
    const request = new BlkifRequest(layout);
    const words = new Map<number, number>([[SRING.RING, INDIRECT | 200 << 16]]);
    request.copyFrom(new RestlessPage((offset) => words.get(offset) ?? 0), SRING.RING);
    request.copySegments(page);
    assertEquals(request.sectors, 200 * 8);
    for (let i = 0; i < 200; i++) assertEquals(request.end(i), PAGE_SIZE);
    assertEquals([...reads.values()], new Array(200 * 8).fill(1));
  });
}

Deno.test("BackRing.unconsumed() never grows beyond the ring while req_prod jumps", () => {
  const values = [3, 0xffffffff, 31, 32, 33, 0x80000000, 0];
  const page = new RestlessPage((offset, look) =>
    offset === SRING.REQ_PROD ? values[look % 7]! : 0
  );
  const ring = new BackRing(page, I386.SIZE);
  for (let i = 0; i < 1000; i++) {
    if (ring.unconsumed() > 0 && ring.outstanding < ring.entries) ring.takeRequest();
    assertEquals(ring.outstanding <= ring.entries, true);
    assertEquals(ring.unconsumed() <= ring.entries - ring.outstanding, true);
    if (i % 5 === 0 && ring.outstanding > 0) ring.nextResponse();
  }
});

Deno.test("BlkbackRing serves the request that it took, however the ring is rewritten meanwhile", () => {
  const bench = new HostileBench();
  const good = {
    operation: READ,
    id: 11,
    sector: 8n,
    segments: [{ gref: GREF, first: 2, last: 3 }],
  };
  const evil = {
    operation: WRITE,
    id: 12,
    sector: 10n ** 6n,
    segments: [{ gref: 300, last: 255 }],
  };
  bench.page(frameOf(GREF)).fill(0x11);
  bench.wrote(frameOf(GREF));
  const at = bench.put(good);
  bench.push();
  let taken = false;
  for (let step = 0; step < 300; step++) {
    taken ||= bench.mapped.length > 0;
    bench.write(at, taken ? evil : good);
    bench.world.pass(1_000);
    if (bench.ring.unconsumed() > 0) break;
  }
  const [answer] = bench.collect();
  assertEquals([answer?.id, answer?.operation, answer?.status], [11, READ, 0]);
  const expected = Uint8Array.from(
    { length: PAGE_SIZE },
    (_, i) => i >= 1024 && i < 2048 ? 0x5a : 0x11,
  );
  assertEquals(bench.page(frameOf(GREF)), expected);
  bench.assertUnharmed();
});

Deno.test("BlkbackRing serves the segments that it copied, however their page is rewritten", () => {
  const bench = new HostileBench();
  const page = dataGref(9);
  bench.writeSegments(page, [{ gref: GREF, first: 0, last: 0 }]);
  bench.put({ operation: INDIRECT, indirectOp: READ, count: 1, indirectGrefs: [page], id: 4 });
  bench.push();
  for (let step = 0, taken = false; step < 300 && bench.ring.unconsumed() === 0; step++) {
    taken ||= bench.mapped.includes(GREF);
    if (taken) bench.writeSegments(page, [{ gref: dataGref(5), first: 0, last: 255 }]);
    bench.world.pass(1_000);
  }
  assertEquals(bench.collect()[0]?.status, 0);
  assertEquals(bench.page(frameOf(GREF)).subarray(0, 512).every((byte) => byte === 0x5a), true);
  assertEquals(bench.page(frameOf(dataGref(5)))[0] === 0x5a, false);
  bench.assertUnharmed();
});

Deno.test("BlkbackRing fills the bytes of a response that mean nothing with zeros", () => {
  for (const layout of [I386, X86_64]) {
    const bench = new HostileBench({ layout });
    const id = 0x1eeeeeeeeeeeee; // lies where the response has its padding
    for (const operation of [FLUSH_DISKCACHE, 9]) {
      const answer = bench.request({ operation, id });
      assertEquals(answer?.pad.every((byte) => byte === 0), true);
      assertEquals(answer?.id, 0xeeeeeeee);
    }
    bench.assertUnharmed();
  }
});

// ---- indexes ------------------------------------------------------------------------------------

const AHEAD = [33, 64, 1000, 2 ** 31, 2 ** 32 - 1];
for (const [where, begin] of [["at 0", 0], ["before the wrap", 0xfffffff0]] as const) {
  for (const ahead of AHEAD) {
    Deno.test(`BlkbackRing stops for req_prod ${ahead} ahead, ${where}; a new ring is served`, () => {
      const bench = new HostileBench();
      bench.setState(5);
      bench.setState(6);
      bench.setState(1);
      bench.connect(begin);
      bench.put({ operation: READ, segments: [{ gref: GREF }] });
      bench.ring.page.setUint32(SRING.REQ_PROD, begin + ahead, true);
      bench.wrote(RING_FRAME);
      bench.world.send(bench.port);
      bench.world.pass(50_000_000);
      assertEquals(bench.ring.unconsumed(), 0);
      assertEquals(bench.refused, { [OVERRUN]: 1 });
      for (let i = 0; i < 5; i++) bench.world.send(bench.port);
      bench.world.pass(50_000_000);
      assertEquals(bench.refused, { [OVERRUN]: 1 });
      bench.reconnect();
      assertEquals(bench.request({ operation: READ, segments: [{ gref: GREF }] })?.status, 0);
      bench.assertUnharmed();
    });
  }
}

Deno.test("BlkbackRing does not start on a ring whose indexes cannot be", () => {
  const bench = new HostileBench();
  for (const [request, response] of [[33, 0], [0, 1], [5, 0xffffff00]] as const) {
    for (const state of [5, 6, 1]) bench.setState(state);
    bench.ring.initialise();
    bench.ring.page.setUint32(SRING.REQ_PROD, request, true);
    bench.ring.page.setUint32(SRING.RSP_PROD, response, true);
    bench.wrote(RING_FRAME);
    bench.setState(3);
    assertEquals(bench.backendState, "5");
    assertEquals(bench.world.watch.mapped.includes(111), false);
  }
  assertEquals(bench.refused, { connection: 3 });
  bench.setState(6);
  bench.setState(1);
  bench.connect();
  bench.assertUnharmed();
});

for (const [architecture, { SIZE }] of [["i386", I386], ["x86_64", X86_64]] as const) {
  for (const pages of [1, 2, 4, 8, 16]) {
    const entries = ringEntries(pages * PAGE_SIZE, SIZE);
    const view = (): DataView => new DataView(new ArrayBuffer(pages * PAGE_SIZE));

    Deno.test(`BackRing passes 2^32 with ${entries} entries, ${architecture}`, () => {
      const page = view();
      const begin = 2 ** 32 - entries - 3;
      for (const index of [SRING.REQ_PROD, SRING.RSP_PROD]) page.setUint32(index, begin, true);
      const ring = new BackRing(page, SIZE);
      ring.attach();
      const offsets = new Set<number>();
      for (let i = 0; i < 3 * entries; i++) {
        page.setUint32(SRING.REQ_PROD, begin + i + 1, true);
        assertEquals([ring.overrun, ring.unconsumed()], [false, 1]);
        offsets.add(ring.takeRequest());
        assertEquals(ring.unconsumed(), 0);
        ring.nextResponse();
        ring.pushResponses();
        assertEquals(page.getUint32(SRING.RSP_PROD, true), (begin + i + 1) % 2 ** 32);
      }
      assertEquals(offsets.size, entries);
    });

    Deno.test(`BackRing.overrun tells both sides of the wrap, ${entries} entries, ${architecture}`, () => {
      for (const begin of [2 ** 32 - 2, 2 ** 32 - entries, 1]) {
        const page = view();
        for (const index of [SRING.REQ_PROD, SRING.RSP_PROD]) page.setUint32(index, begin, true);
        const ring = new BackRing(page, SIZE);
        ring.attach();
        const rows = [[entries, false], [entries + 1, true], [-1, true], [0, false]] as const;
        for (const [ahead, overrun] of rows) {
          page.setUint32(SRING.REQ_PROD, begin + ahead, true);
          assertEquals(ring.overrun, overrun, `${begin} + ${ahead}`);
        }
      }
    });
  }
}

// ---- storms -------------------------------------------------------------------------------------

Deno.test("BlkbackRing takes ever less of dom0's time for events that tell of nothing", () => {
  const bench = new HostileBench();
  bench.world.pass(100_000_000);
  const before = bench.world.dom0Books.backend;
  for (let i = 0; i < 20_000; i++) {
    bench.world.send(bench.port);
    bench.world.pass(100_000);
  }
  const spent = bench.world.dom0Books.backend - before;
  assertEquals(spent < 2e9 * 0.001, true, `${spent} ns of 2 s`);
  bench.assertUnharmed();
});

Deno.test("BlkbackRing pauses after requests that make no sense, and serves the others", () => {
  const bench = new HostileBench();
  for (let i = 0; i < 10; i++) bench.put({ operation: READ, id: i, count: 200 });
  bench.put({ operation: READ, id: 10, segments: [{ gref: GREF }] });
  bench.push();
  bench.world.pass(5_000_000);
  assertEquals(bench.collect().length < 8, true);
  bench.world.pass(50_000_000);
  bench.collect();
  assertEquals(bench.answers.map(({ status }) => status), [...Array(10).fill(-1), 0]);
  bench.assertUnharmed();
});

Deno.test("Blkback survives a frontend that connects and closes in the middle of everything", () => {
  const bench = new HostileBench({ persistent: true });
  const { store } = bench.guest;
  const states = [3, 4, 5, 6, 1, 3, 0, 6, 2, 3, 1, 99, 3, 6, 1];
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < 5; i++) bench.put({ operation: READ, segments: [{ gref: dataGref(i) }] });
    bench.push();
    store.write(`${bench.home}/state`, states[round % states.length]!);
    store.pump();
    bench.world.pass(round % 3 === 0 ? 5_000 : 120_000);
    if (bench.ring.free < 6) bench.ring.initialise();
    bench.wrote(RING_FRAME);
  }
  bench.setState(6);
  assertEquals(bench.mapped, []);
  assertEquals(bench.world.watch.mapped.includes(111), false);
  bench.setState(1);
  bench.connect();
  assertEquals(bench.request({ operation: READ, segments: [{ gref: GREF }] })?.status, 0);
  bench.assertUnharmed();
});

Deno.test("Blkback lets go of everything when its domain is destroyed in the middle of everything", () => {
  for (let round = 0; round < 20; round++) {
    const bench = new HostileBench({ persistent: round % 2 === 0 });
    for (let i = 0; i < 20; i++) bench.put({ operation: WRITE, segments: [{ gref: dataGref(i) }] });
    bench.push();
    bench.world.pass(round * 7_000);
    bench.world.restart(); // looks whether a mapping outlives the domain
    assertEquals(bench.world.watch.mapped, []);
  }
});
