import { assertEquals } from "@std/assert";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { MEDIA_PRESETS, TimedDisk } from "../../../devices/disk/timed.ts";
import { BLKIF_OP } from "../../../devices/xen/blkif.ts";
import { SRING } from "../../../devices/xen/ring.ts";
import { XENBUS_STATE } from "../../../devices/xen/xenbus.ts";
import { FakeClock, ManualDisk } from "../../helpers/disk.ts";
import { BlkfrontGuest, FRONTEND } from "../../helpers/xen.ts";

const GREF = 20;

/** A guest whose device is removed while three requests wait on its ring. */
function guestOfRemovedDevice(): BlkfrontGuest {
  const clock = new FakeClock();
  const image = new MemoryDisk(new Uint8Array(64 * 512));
  const disk = new TimedDisk(clock, image, MEDIA_PRESETS.ssd!, (error) => {
    throw error;
  });
  const guest = new BlkfrontGuest({ disk, clock });
  guest.connect();
  guest.page(GREF);
  guest.put(BLKIF_OP.READ, 1, 0, { gref: GREF, last: 20 }); // the worker pauses after it
  guest.push();
  clock.runTo(clock.now + 5_000);
  for (const id of [2, 3, 4]) guest.put(BLKIF_OP.READ, id, 0, { gref: GREF });
  guest.push();
  guest.store.remove(FRONTEND);
  clock.runTo(clock.now + 2_500);
  return guest;
}

for (
  const [name, requests] of [
    ["takes the requests back", 1],
    ["takes one request back", 3],
    ["takes back what has been served", 0],
    ["runs req_prod ahead", 100],
  ] as const
) {
  Deno.test(`BlkbackRing lets go of the ring of a removed device whose frontend ${name}`, () => {
    const guest = guestOfRemovedDevice();
    guest.ring.page.setUint32(SRING.REQ_PROD, requests, true);
    guest.clock.run();
    assertEquals(guest.grants.totalMapped, 0);
    assertEquals(guest.backend.state, XENBUS_STATE.CLOSED);
  });
}

Deno.test("BlkbackRing does not pause for a bad client whose device is removed", () => {
  const clock = new FakeClock();
  const disk = new ManualDisk(64);
  const guest = new BlkfrontGuest({ disk, clock });
  guest.connect();
  guest.page(GREF);
  guest.put(BLKIF_OP.READ, 1, 0, { gref: GREF });
  guest.put(BLKIF_OP.WRITE_BARRIER, 2, 0, { gref: 99 }); // not granted; waits for the read
  guest.put(BLKIF_OP.READ, 3, 0, { gref: GREF }); // waits for the barrier
  guest.push();
  clock.runTo(clock.now + 50_000);
  guest.store.remove(FRONTEND);
  clock.runTo(clock.now + 50_000);
  disk.complete();
  clock.runTo(clock.now + 10_000_000);
  assertEquals(guest.grants.totalMapped, 0);
  assertEquals(guest.backend.state, XENBUS_STATE.CLOSED);
});

Deno.test("BlkbackRing that pauses with nothing to do answers a frontend whose device is removed", () => {
  const clock = new FakeClock();
  const guest = new BlkfrontGuest({ disk: new ManualDisk(64), clock });
  guest.connect();
  guest.page(GREF);
  guest.put(BLKIF_OP.READ, 1, 0, { gref: GREF, last: 20 }); // the worker pauses after it
  guest.push();
  clock.runTo(clock.now + 5_000);
  guest.store.remove(FRONTEND);
  clock.runTo(clock.now + 50_000);
  guest.put(BLKIF_OP.READ, 2, 0, { gref: GREF });
  guest.push();
  clock.run();
  assertEquals(guest.collect().map(({ id }) => id), [1, 2]);
  assertEquals(guest.grants.totalMapped, 0);
  assertEquals(guest.backend.state, XENBUS_STATE.CLOSED);
});
