import { assertEquals } from "@std/assert";
import { LateEoi } from "../../../devices/xen/late_eoi.ts";
import { ManualDisk } from "../../helpers/disk.ts";
import { BlkfrontGuest } from "../../helpers/xen.ts";
import { HandClock } from "../../helpers/xen_guest.ts";

const MS = 1e6;

/** A channel whose events are all spurious, or none is. */
function channel(spurious: boolean) {
  const clock = new HandClock();
  const served: number[] = [];
  const eoi: LateEoi = new LateEoi(clock, () => {
    served.push(clock.now / MS);
    eoi.end(spurious);
  });
  return { clock, served, eoi };
}

Deno.test("LateEoi serves every event at once that tells of something", () => {
  const { clock, served, eoi } = channel(false);
  for (let i = 0; i < 5; i++) eoi.arrive();
  assertEquals([served, clock.armed], [[0, 0, 0, 0, 0], 0]);
});

Deno.test("LateEoi forgives one spurious event, then doubles the delay up to a second", () => {
  const { clock, served, eoi } = channel(true);
  for (let ms = 0; ms < 5000; ms++) {
    clock.moveTo(ms * MS);
    eoi.arrive();
  }
  const delays = served.slice(1).map((ms, i) => ms - served[i]!);
  assertEquals(delays, [1, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1000, 1000]);
});

Deno.test("LateEoi.close() drops what has been kept", () => {
  const { clock, served, eoi } = channel(true);
  for (let i = 0; i < 3; i++) eoi.arrive();
  eoi.close();
  clock.moveTo(5000 * MS);
  assertEquals(served.length, 2);
});

Deno.test("BlkbackRing lets an event storm cost dom0 little, and serves what comes with it", () => {
  const guest = new BlkfrontGuest({ disk: new ManualDisk(64) });
  guest.connect();
  const before = guest.dom0.books.backend!;
  const start = guest.clock.now;
  for (let us = 0; us < 100_000; us += 10) {
    guest.clock.runTo(start + us * 1000);
    guest.kick();
  }
  assertEquals(guest.dom0.books.backend! - before, 6 * 2000, "wake-ups at 0, 0, 4, 12, 28, 60 ms");
  guest.page(20);
  guest.put(0, 1, 0, { gref: 20 });
  guest.push();
  guest.clock.runTo(start + 130e6);
  assertEquals(guest.ring.page.getUint32(4, true), 2, "taken when the channel is unmasked");
  assertEquals(guest.errors, []);
});

Deno.test("BlkbackRing sleeps a millisecond after each request that makes no sense", () => {
  const guest = new BlkfrontGuest({ disk: new ManualDisk(64) });
  guest.connect();
  for (let i = 0; i < 10; i++) guest.put(0, i, 64, { gref: 20 });
  guest.push();
  const start = guest.clock.now;
  guest.clock.runTo(start + 0.9e6);
  assertEquals(guest.collect().length, 1);
  guest.clock.runTo(start + 4.9e6);
  assertEquals(guest.collect().length, 4);
  guest.clock.run();
  assertEquals(guest.collect().length, 5);
  guest.put(9, 1, 0);
  guest.put(9, 2, 0);
  guest.push();
  guest.clock.runTo(guest.clock.now + 0.9e6);
  assertEquals(guest.collect().length, 2, "what is not supported is no offence");
  for (const id of [1, 2]) guest.putDiscard(id, 64, 8n); // past the end
  guest.push();
  guest.clock.runTo(guest.clock.now + 0.9e6);
  assertEquals(guest.collect().length, 2, "dispatch_discard_io() of Linux does not sleep");
});
