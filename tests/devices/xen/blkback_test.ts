import { assertEquals } from "@std/assert";
import { MEDIA_PRESETS, TimedDisk } from "../../../devices/disk/timed.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { SRING } from "../../../devices/xen/ring.ts";
import { FakeClock, ManualDisk, pattern } from "../../helpers/disk.ts";
import { BACKEND, BlkfrontGuest, FRONTEND, PORT, RING_REF } from "../../helpers/xen.ts";

const IMAGE = pattern(64 * 512);

function memoryGuest(options: { persistent?: boolean; mode?: "r" | "w" } = {}): BlkfrontGuest {
  const clock = new FakeClock();
  const disk = new TimedDisk(clock, new MemoryDisk(IMAGE.slice()), MEDIA_PRESETS.ramdisk, () => {});
  return new BlkfrontGuest({ ...options, disk, clock });
}

function assertServes(guest: BlkfrontGuest): void {
  const page = guest.page(90);
  assertEquals(guest.read(8, { gref: 90 }).status, 0);
  assertEquals(page, IMAGE.subarray(8 * 512, 16 * 512));
}

Deno.test("Blkback waits in InitWait with the keys a frontend reads first", () => {
  const guest = memoryGuest();
  assertEquals(guest.backendKey("state"), "2");
  assertEquals(guest.backendKey("multi-queue-max-queues"), "4");
  assertEquals(guest.backendKey("max-ring-page-order"), "4");
  assertEquals(guest.backendKey("max-ring-pages"), "16");
  assertEquals(guest.backendKey("feature-max-indirect-segments"), "256");
  assertEquals(guest.backendKey("feature-persistent"), undefined);
  assertEquals(guest.errors, []);
});

Deno.test("Blkback publishes the disk and connects when the frontend is Initialised", () => {
  const guest = memoryGuest({ persistent: true });
  guest.connect();
  const keys = [
    "state",
    "sectors",
    "sector-size",
    "info",
    "feature-flush-cache",
    "feature-persistent",
  ];
  assertEquals(keys.map((key) => guest.backendKey(key)), ["4", "64", "512", "0", "1", "1"]);
  guest.setState(4);
  assertEquals(guest.backendKey("state"), "4");
  assertServes(guest);
});

Deno.test("Blkback publishes read-only when mode or disk says so", () => {
  const byMode = memoryGuest({ mode: "r" });
  byMode.connect();
  assertEquals(byMode.backendKey("info"), "4");
  const byDisk = new BlkfrontGuest({ disk: new ManualDisk(64, true) });
  byDisk.connect();
  assertEquals(byDisk.backendKey("info"), "4");
});

Deno.test("Blkback reacts in dom0's time, not inside the guest's write", () => {
  const guest = memoryGuest();
  guest.store.write(`${FRONTEND}/state`, "5");
  assertEquals(guest.backendKey("state"), "2");
  guest.clock.run();
  assertEquals(guest.backendKey("state"), "5");
});

Deno.test("Blkback takes an absent protocol for i386 and ring-ref0 for a ring of order 0", () => {
  const guest = memoryGuest();
  guest.connect({
    protocol: undefined,
    "ring-ref": undefined,
    "ring-ref0": String(RING_REF),
    "ring-page-order": "0",
    "feature-persistent": undefined,
  });
  assertEquals(guest.backendKey("state"), "4");
  assertServes(guest);
});

Deno.test("Blkback offers only what it is told to", () => {
  const offers = { persistent: false, indirect: false, ringPages: 1, queues: 1 };
  const guest = new BlkfrontGuest({ disk: new ManualDisk(64), offers });
  guest.connect();
  const keys = [
    "max-ring-page-order",
    "max-ring-pages",
    "multi-queue-max-queues",
    "feature-persistent",
    "feature-max-indirect-segments",
  ];
  assertEquals(keys.map((key) => guest.backendKey(key)), ["0", "1", "1", "0", undefined]);
  const segments = [{ gref: 20 }];
  guest.putIndirect(0, 1, 0, { gref: 19, page: guest.page(19), segments });
  assertEquals(guest.serve(), { id: 1, operation: 0, status: -2 });
  const late = new BlkfrontGuest({ disk: new ManualDisk(64), offers });
  late.connect({ "ring-page-order": "1" });
  assertEquals(late.backendKey("state"), "5");
});

const HOSTILE: readonly (readonly [string, Record<string, string>])[] = [
  ["protocol of another machine", { protocol: "arm-abi" }],
  ["protocol nobody knows", { protocol: "" }],
  ["ring-ref that is no number", { "ring-ref": "-1" }],
  ["ring-ref above 32 bits", { "ring-ref": "4294967296" }],
  ["ring-ref that is not granted", { "ring-ref": "999" }],
  ["event-channel that is no number", { "event-channel": "5 " }],
  ["event-channel that is not bound to dom0", { "event-channel": "6" }],
  ["no queue", { "multi-queue-num-queues": "0" }],
  ["five queues", { "multi-queue-num-queues": "5" }],
  ["two queues without their keys", { "multi-queue-num-queues": "2" }],
  ["second queue whose event channel is the first's", {
    "multi-queue-num-queues": "2",
    "queue-0/ring-ref": String(RING_REF),
    "queue-0/event-channel": String(PORT),
    "queue-1/ring-ref": String(RING_REF),
    "queue-1/event-channel": String(PORT),
  }],
  ["ring of two pages with one grant", { "ring-page-order": "1" }],
  ["ring of 32 pages", { "ring-page-order": "5" }],
  ["ring of 2^32 pages", { "ring-page-order": "4294967295" }],
  ["ring of three pages", { "num-ring-pages": "3" }],
  ["ring of no pages", { "num-ring-pages": "0" }],
  ["ring whose second page is not granted", {
    "ring-page-order": "1",
    "ring-ref0": String(RING_REF),
    "ring-ref1": "999",
  }],
];

for (const [what, keys] of HOSTILE) {
  Deno.test(`Blkback goes to Closing and lives on after a ${what}`, () => {
    const guest = memoryGuest();
    guest.connect(keys);
    assertEquals(guest.backendKey("state"), "5");
    assertEquals([guest.grants.totalMapped, guest.bound], [0, false]);
    const error = guest.store.read("/local/domain/0/error/backend/vbd/1/768/error");
    const told = guest.errors.filter((text) => text.startsWith("blkback"));
    assertEquals(told, [`blkback: vbd 768: ${error}`]);
    guest.setState(6);
    guest.setState(1);
    for (const key of Object.keys(keys)) guest.store.remove(`${FRONTEND}/${key}`);
    guest.connect();
    assertEquals(guest.backendKey("state"), "4");
    assertServes(guest);
  });
}

Deno.test("Blkback refuses a ring whose indexes cannot be", () => {
  const guest = memoryGuest();
  guest.ring.page.setUint32(SRING.REQ_PROD, 33, true);
  guest.connect();
  assertEquals(guest.backendKey("state"), "5");
  assertEquals([guest.grants.totalMapped, guest.bound], [0, false]);
});

Deno.test("Blkback goes to Closing when the frontend's state is garbage", () => {
  for (const state of ["7", "9", "banana", "-1", ""]) {
    const guest = memoryGuest();
    guest.setState(state);
    assertEquals(guest.backendKey("state"), "5", state);
    assertEquals(guest.errors.length, 1);
  }
});

Deno.test("Blkback serves requests that wait in the ring when it connects", () => {
  const guest = memoryGuest();
  const page = guest.page(20);
  guest.put(0, 1, 0, { gref: 20 });
  guest.ring.pushRequests();
  guest.connect();
  assertEquals(guest.collect(), [{ id: 1, operation: 0, status: 0 }]);
  assertEquals(page, IMAGE.subarray(0, 4096));
});

Deno.test("Blkback lets go of everything through 5 and 6, and starts again from 1", () => {
  const guest = memoryGuest({ persistent: true });
  guest.connect();
  assertServes(guest);
  assertEquals(guest.grants.totalMapped, 2);
  const states = [5, 6].map((state) => {
    guest.setState(state);
    return guest.backendKey("state");
  });
  assertEquals(states, ["5", "6"]);
  assertEquals([guest.grants.totalMapped, guest.bound], [0, false]);
  guest.setState(1);
  assertEquals(guest.backendKey("state"), "2");
  guest.ring.initialise();
  guest.connect();
  assertEquals(guest.backendKey("state"), "4");
  assertServes(guest);
});

Deno.test("Blkback unmaps pages in flight only when the disk is done with them", () => {
  const disk = new ManualDisk(64);
  const guest = new BlkfrontGuest({ disk });
  guest.connect();
  guest.page(20);
  guest.put(0, 1, 0, { gref: 20 });
  guest.push();
  guest.clock.run();
  guest.setState(5);
  guest.put(0, 2, 0, { gref: 20 });
  guest.ring.pushRequests();
  guest.setState(6);
  assertEquals([guest.backendKey("state"), guest.grants.mapped(20)], ["5", 1]);
  guest.kick();
  guest.clock.run();
  disk.complete();
  guest.clock.run();
  assertEquals([guest.backendKey("state"), guest.grants.totalMapped], ["6", 0]);
  assertEquals(disk.asked.length, 1);
});

Deno.test("Blkback is gone for good when the frontend's node is, or when it closes while offline", () => {
  const removed = memoryGuest();
  removed.connect();
  removed.store.remove(FRONTEND);
  removed.clock.run();
  const offline = memoryGuest();
  offline.connect();
  offline.store.write(`${BACKEND}/online`, "0");
  offline.setState(6);
  for (const guest of [removed, offline]) {
    assertEquals([guest.backendKey("state"), guest.store.watchCount], ["6", 0]);
    assertEquals([guest.grants.totalMapped, guest.bound], [0, false]);
    guest.connect();
    assertEquals(guest.backendKey("state"), "6");
  }
});

Deno.test("Blkback writes no state into a directory that the toolstack has removed", () => {
  const guest = memoryGuest();
  guest.store.remove(BACKEND);
  guest.setState(5);
  assertEquals(guest.store.list(BACKEND), []);
});

Deno.test("Blkback binds the port the frontend names", () => {
  const guest = memoryGuest();
  guest.connect({ "event-channel": String(PORT) });
  assertEquals(guest.bound, true);
});
