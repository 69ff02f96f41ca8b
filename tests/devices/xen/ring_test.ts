import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { I386 } from "../../../devices/xen/blkif.ts";
import { BackRing, FrontRing, ringEntries, SRING } from "../../../devices/xen/ring.ts";

function ringPair(start = 0) {
  const page = new DataView(new ArrayBuffer(4096));
  const front = new FrontRing(page, I386.SIZE);
  const back = new BackRing(page, I386.SIZE);
  front.initialise(start);
  back.attach();
  return { page, front, back };
}

Deno.test("ringEntries() is the largest power of two behind the header", () => {
  const sizes = [[4096, 108], [4096, 112], [8192, 108], [65536, 112], [4096, 12]] as const;
  assertEquals(sizes.map(([page, entry]) => ringEntries(page, entry)), [32, 32, 64, 512, 256]);
});

Deno.test("FrontRing.pushRequests() wants an event only while the backend sleeps", () => {
  const { front, back } = ringPair();
  front.nextRequest();
  assertEquals(front.pushRequests(), true);
  front.nextRequest();
  assertEquals(front.pushRequests(), false);
  back.takeRequest();
  back.takeRequest();
  front.nextRequest();
  assertEquals(front.pushRequests(), false);
  back.takeRequest();
  assertEquals(back.finalCheck(), false);
  front.nextRequest();
  assertEquals(front.pushRequests(), true);
});

Deno.test("FrontRing.pushRequests() wants an event when req_event lies in the batch", () => {
  for (const [event, wanted] of [[0, false], [1, true], [3, true], [4, false]] as const) {
    const { page, front } = ringPair();
    for (let i = 0; i < 3; i++) front.nextRequest();
    page.setUint32(SRING.REQ_EVENT, event, true);
    assertEquals(front.pushRequests(), wanted, `req_event ${event}`);
  }
});

Deno.test("BackRing.pushResponses() wants an event only after the frontend's final check", () => {
  const { front, back } = ringPair();
  for (let i = 0; i < 3; i++) front.nextRequest();
  front.pushRequests();
  for (let i = 0; i < 3; i++) back.takeRequest();
  back.nextResponse();
  assertEquals(back.pushResponses(), true);
  back.nextResponse();
  assertEquals(back.pushResponses(), false);
  front.takeResponse();
  front.takeResponse();
  assertEquals(front.finalCheck(), false);
  back.nextResponse();
  assertEquals(back.pushResponses(), true);
});

Deno.test("BackRing.finalCheck() sees a request that came before req_event was written", () => {
  const { page, front, back } = ringPair();
  front.nextRequest();
  front.pushRequests();
  assertEquals(back.finalCheck(), true);
  back.takeRequest();
  assertEquals(back.finalCheck(), false);
  assertEquals(page.getUint32(SRING.REQ_EVENT, true), 2);
});

Deno.test("BackRing.finalCheck() sees a request that comes while req_event is written", () => {
  const { page, front, back } = ringPair();
  const setUint32 = page.setUint32.bind(page);
  page.setUint32 = (at, value, littleEndian) => {
    setUint32(at, value, littleEndian);
    if (at !== SRING.REQ_EVENT) return;
    page.setUint32 = setUint32;
    front.nextRequest();
    front.pushRequests();
  };
  assertEquals(back.finalCheck(), true);
});

Deno.test("BackRing.overrun tells producers that are too far ahead or have gone back", () => {
  const { page, front, back } = ringPair();
  for (let i = 0; i < 32; i++) front.nextRequest();
  front.pushRequests();
  assertEquals(back.overrun, false);
  page.setUint32(SRING.REQ_PROD, 33, true);
  assertEquals(back.overrun, true);
  assertEquals(back.unconsumed(), 32);
  page.setUint32(SRING.REQ_PROD, 3, true);
  for (let i = 0; i < 3; i++) back.takeRequest();
  page.setUint32(SRING.REQ_PROD, 1, true);
  assertEquals(back.overrun, true);
});

Deno.test("BackRing.attach() serves again what has no response", () => {
  const { page, front, back } = ringPair();
  for (let i = 0; i < 4; i++) front.nextRequest();
  front.pushRequests();
  for (let i = 0; i < 3; i++) back.takeRequest();
  back.nextResponse();
  back.pushResponses();
  const second = new BackRing(page, I386.SIZE);
  second.attach();
  assertEquals(second.unconsumed(), 3);
  assertEquals(second.takeRequest(), SRING.RING + I386.SIZE);
});

Deno.test("FrontRing.overrun tells a backend that answers what was not asked", () => {
  const { page, front } = ringPair();
  front.nextRequest();
  front.pushRequests();
  page.setUint32(SRING.RSP_PROD, 2, true);
  assertEquals(front.overrun, true);
});

Deno.test("FrontRing and BackRing lose no request, response or event, across the wrap too", () => {
  const start = fc.constantFrom(0, 0xffff_fff0, 0xffff_ffff);
  const steps = fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 32 })), { maxLength: 80 });
  fc.assert(
    fc.property(start, steps, (index, list) => {
      const { page, front, back } = ringPair(index);
      let [backAwake, frontAwake] = [false, false];
      let [put, got, next] = [0, 0, 0];
      const produce = (n: number): void => {
        for (let i = 0; i < Math.min(n, front.free); i++) {
          page.setUint32(front.nextRequest() + 4, put++, true);
        }
        backAwake = front.pushRequests() || backAwake;
      };
      const consume = (n: number): void => {
        for (let i = 0; backAwake && i < n && back.unconsumed() > 0; i++) {
          assertEquals(page.getUint32(back.takeRequest() + 4, true), next++);
        }
        if (backAwake && back.unconsumed() === 0) backAwake = back.finalCheck();
      };
      const answer = (n: number): void => {
        for (let i = 0; i < n && back.outstanding > 0; i++) {
          back.nextResponse();
          frontAwake = back.pushResponses() || frontAwake;
        }
      };
      const collect = (): void => {
        if (!frontAwake) return;
        do {
          for (; front.unconsumed() > 0; got++) front.takeResponse();
        } while (front.finalCheck());
        frontAwake = false;
      };
      for (const [what, n] of list) [produce, consume, answer, collect][what]!(n);
      for (let i = 0; i < 3; i++) {
        consume(64);
        answer(64);
        collect();
      }
      assertEquals([next, got], [put, put]);
      assertEquals(back.overrun || front.overrun, false);
    }),
    { numRuns: 300, seed: 11 },
  );
});
