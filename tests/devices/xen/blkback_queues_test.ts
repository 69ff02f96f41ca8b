import { assertEquals } from "@std/assert";
import { BLKIF_OP, I386, REQUEST, RESPONSE, SEGMENT } from "../../../devices/xen/blkif.ts";
import { FrontRing, SRING } from "../../../devices/xen/ring.ts";
import { ManualDisk } from "../../helpers/disk.ts";
import { BlkfrontGuest, PORT, RING_REF } from "../../helpers/xen.ts";

const SECOND_REF = 9;

/** A guest with two rings, the second in the test's hands. */
function twoQueues() {
  const disk = new ManualDisk(64);
  const guest = new BlkfrontGuest({ disk, ports: 2 });
  const page = guest.page(SECOND_REF);
  const second = new FrontRing(new DataView(page.buffer), I386.SIZE);
  second.initialise();
  guest.page(20);
  guest.page(21);
  guest.connect({
    "ring-ref": "garbage",
    "multi-queue-num-queues": "2",
    "queue-0/ring-ref": String(RING_REF),
    "queue-0/event-channel": String(PORT),
    "queue-1/ring-ref": String(SECOND_REF),
    "queue-1/event-channel": String(PORT + 1),
  });
  return { guest, disk, second };
}

function putRead(ring: FrontRing, id: number, sector: number, gref: number): void {
  const at = ring.nextRequest();
  ring.page.setUint8(at + REQUEST.OPERATION, BLKIF_OP.READ);
  ring.page.setUint8(at + REQUEST.NR_SEGMENTS, 1);
  ring.page.setUint32(at + I386.ID, id, true);
  ring.page.setUint32(at + I386.SECTOR_NUMBER, sector, true);
  ring.page.setUint32(at + I386.SEG + SEGMENT.GREF, gref, true);
  ring.page.setUint8(at + I386.SEG + SEGMENT.LAST_SECT, 7);
}

Deno.test("Blkback serves each of two queues on its ring and its event channel", () => {
  const { guest, disk, second } = twoQueues();
  assertEquals(guest.backendKey("state"), "4");
  guest.put(BLKIF_OP.READ, 1, 0, { gref: 20 });
  putRead(second, 2, 8, 21);
  assertEquals(second.pushRequests(), true);
  guest.kick(PORT + 1);
  guest.clock.run();
  assertEquals(disk.asked, ["read 8 4096"]);
  guest.push();
  guest.clock.run();
  disk.complete();
  disk.complete();
  guest.clock.run();
  assertEquals(guest.collect(), [{ id: 1, operation: BLKIF_OP.READ, status: 0 }]);
  assertEquals(second.unconsumed(), 1);
  assertEquals(second.page.getUint32(second.takeResponse() + RESPONSE.ID, true), 2);
});

Deno.test("Blkback stops a hostile queue and serves the other on", () => {
  const { guest, disk, second } = twoQueues();
  second.page.setUint32(SRING.REQ_PROD, 1000, true);
  guest.kick(PORT + 1);
  guest.clock.run();
  guest.put(BLKIF_OP.READ, 1, 0, { gref: 20 });
  guest.push();
  guest.clock.run();
  disk.complete();
  guest.clock.run();
  assertEquals(guest.collect().map(({ status }) => status), [0]);
  assertEquals([guest.errors.length, second.unconsumed()], [1, 0]);
});

Deno.test("Blkback lets go of all queues when the last request of any is answered", () => {
  const { guest, disk, second } = twoQueues();
  putRead(second, 2, 8, 21);
  second.pushRequests();
  guest.kick(PORT + 1);
  guest.clock.run();
  guest.setState(6);
  assertEquals([guest.backendKey("state"), guest.grants.mapped(SECOND_REF)], ["4", 1]);
  assertEquals(guest.grants.mapped(RING_REF), 0);
  disk.complete();
  guest.clock.run();
  assertEquals([guest.backendKey("state"), guest.grants.totalMapped], ["6", 0]);
  assertEquals(guest.bound, false);
});

Deno.test("A new driver goes on with each queue where the one that died has stopped", () => {
  const { guest, disk, second } = twoQueues();
  guest.put(BLKIF_OP.READ, 1, 0, { gref: 20 });
  putRead(second, 2, 8, 21);
  second.pushRequests();
  guest.push();
  guest.kick(PORT + 1);
  guest.clock.run();
  disk.complete();
  guest.clock.run();
  guest.crash(false, () => assertEquals([guest.grants.totalMapped, guest.bound], [0, false]));
  guest.clock.run();
  disk.complete();
  guest.clock.run();
  assertEquals(disk.asked, ["read 0 4096", "read 8 4096", "read 8 4096"]);
  disk.complete();
  guest.clock.run();
  assertEquals(guest.collect().map(({ id }) => id), [1]);
  assertEquals(second.page.getUint32(second.takeResponse() + RESPONSE.ID, true), 2);
  assertEquals(guest.backendKey("state"), "4");
});
