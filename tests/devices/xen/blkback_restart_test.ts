/**
 * The failure model of a block backend: drivers and frontends that die, devices that go away, with
 * requests on the ring.
 */

import { assertEquals, assertThrows } from "@std/assert";
import { InternalError } from "../../../core/errors.ts";
import { BLKIF_OP } from "../../../devices/xen/blkif.ts";
import { SRING } from "../../../devices/xen/ring.ts";
import { ManualDisk } from "../../helpers/disk.ts";
import { BACKEND, BlkfrontGuest, FRONTEND } from "../../helpers/xen.ts";

const { READ, WRITE } = BLKIF_OP;

/** A connected frontend that has put some writes on its ring, and told the backend. */
function busyGuest(writes: number, options: { persistent?: boolean; readOnly?: boolean } = {}) {
  const disk = new ManualDisk(64, options.readOnly);
  const guest = new BlkfrontGuest({ disk, persistent: options.persistent ?? false });
  guest.connect();
  guest.setState(4);
  for (let id = 1; id <= writes; id++) {
    guest.page(20 + id);
    guest.put(WRITE, id, 8 * (id - 1), { gref: 20 + id });
  }
  guest.push();
  guest.clock.run();
  return { disk, guest };
}

/** The disk does all that it has been asked, and all that follows from it. */
function finish({ disk, guest }: ReturnType<typeof busyGuest>): void {
  while (disk.pending.length > 0) {
    disk.complete();
    guest.clock.run();
  }
}

const answered = (guest: BlkfrontGuest) => guest.collect().map(({ id, status }) => [id, status]);
const asked = (...sectors: number[]) => sectors.map((sector) => `write ${sector} 4096`);

// ---- the driver dies ---------------------------------------------------------------------------

for (const persistent of [false, true]) {
  Deno.test(`A new driver serves what has no response, nothing else (persistent: ${persistent})`, () => {
    const busy = busyGuest(3, { persistent });
    const { disk, guest } = busy;
    disk.complete();
    guest.clock.run();
    assertEquals(answered(guest), [[1, 0]]);
    guest.crash();
    finish(busy);
    assertEquals(disk.asked, asked(0, 8, 16, 8, 16));
    assertEquals(answered(guest), [[2, 0], [3, 0]]);
    assertEquals([guest.backendKey("state"), guest.bound], ["4", true]);
    guest.page(30);
    guest.put(WRITE, 4, 24, { gref: 30 });
    guest.push();
    guest.clock.run();
    finish(busy);
    assertEquals(answered(guest), [[4, 0]]);
  });
}

Deno.test("A driver that has died answers nothing, and holds pages until the disk is done with them", () => {
  const { disk, guest } = busyGuest(2);
  const buried: number[] = [];
  guest.crash(false, () => buried.push(guest.grants.totalMapped));
  guest.clock.run();
  assertEquals([guest.grants.mapped(21), guest.grants.mapped(22), guest.bound], [1, 1, false]);
  disk.complete();
  guest.clock.run();
  assertEquals([guest.grants.mapped(21), buried], [1, []]);
  disk.complete();
  guest.clock.run();
  assertEquals(buried, [0]);
  assertEquals(guest.ring.page.getUint32(SRING.RSP_PROD, true), 0);
});

Deno.test("A driver dies between any two of its steps, and no request is lost or answered twice", () => {
  for (let steps = 0; steps < 40; steps++) {
    const busy = busyGuest(0);
    const { disk, guest } = busy;
    for (const id of [1, 2, 3, 4]) {
      guest.page(20 + id);
      guest.put(id % 2 === 0 ? READ : WRITE, id, 8 * id, { gref: 20 + id });
    }
    guest.push();
    for (let i = 0; i < steps && (guest.clock.step() || disk.pending.length > 0); i++) {
      if (i % 7 === 6 && disk.pending.length > 0) disk.complete();
    }
    guest.crash(false, () => assertEquals(guest.grants.totalMapped, 0));
    guest.clock.run();
    finish(busy);
    assertEquals(answered(guest), [[1, 0], [2, 0], [3, 0], [4, 0]], `${steps} steps`);
  }
});

Deno.test("Responses leave in the order of requests, so that a ring tells what has been answered", () => {
  const { disk, guest } = busyGuest(1);
  guest.put(WRITE, 2, 1000, { gref: 21 }); // refused at once
  guest.push();
  guest.clock.run();
  assertEquals(answered(guest), []);
  disk.complete();
  guest.clock.run();
  assertEquals(answered(guest), [[1, 0], [2, -1]]);
});

Deno.test("A driver that starts afresh has its frontend close and connect again", () => {
  const busy = busyGuest(2);
  const { guest } = busy;
  guest.crash(true);
  finish(busy);
  assertEquals(guest.backendKey("state"), "5");
  assertEquals([guest.grants.totalMapped, guest.bound, answered(guest)], [0, false, []]);
  const states = [5, 6, 1].map((state) => {
    guest.setState(state);
    return guest.backendKey("state");
  });
  assertEquals(states, ["5", "6", "2"]);
  guest.ring.initialise();
  guest.connect();
  guest.put(WRITE, 1, 0, { gref: 21 });
  guest.push();
  guest.clock.run();
  finish(busy);
  assertEquals([guest.backendKey("state"), answered(guest)], ["4", [[1, 0]]]);
});

Deno.test("A driver that starts afresh waits for a frontend that is not connected as any does", () => {
  const guest = new BlkfrontGuest({ disk: new ManualDisk(64) });
  guest.crash(true);
  guest.clock.run();
  assertEquals(guest.backendKey("state"), "2");
  guest.connect();
  assertEquals(guest.backendKey("state"), "4");
});

Deno.test("A new driver refuses a ring whose indexes cannot be, and lets go of it", () => {
  const { guest } = busyGuest(0);
  guest.crash();
  guest.ring.page.setUint32(SRING.RSP_PROD, 1, true);
  guest.clock.run();
  assertEquals(guest.backendKey("state"), "5");
  assertEquals([guest.grants.totalMapped, guest.bound], [0, false]);
});

Deno.test("Blkback cannot crash twice", () => {
  const { guest } = busyGuest(1);
  const { backend } = guest;
  backend.crash(() => {});
  assertThrows(() => backend.crash(() => {}), InternalError);
});

// ---- the frontend dies -------------------------------------------------------------------------

Deno.test("A frontend that starts again in a new kernel resets the states and has a new ring", () => {
  const busy = busyGuest(2, { persistent: true });
  const { disk, guest } = busy;
  guest.setState(5);
  guest.setState(6);
  assertEquals(guest.backendKey("state"), "5"); // the disk is not done with its pages
  finish(busy);
  assertEquals(guest.backendKey("state"), "6");
  assertEquals([guest.grants.totalMapped, guest.bound], [0, false]);
  guest.setState(1);
  assertEquals(guest.backendKey("state"), "2");
  guest.ringPage.fill(0);
  guest.ring.initialise();
  guest.answers.length = 0;
  guest.connect();
  guest.put(WRITE, 9, 40, { gref: 21 });
  guest.push();
  guest.clock.run();
  finish(busy);
  assertEquals(answered(guest), [[9, 0]]);
  assertEquals(disk.asked, asked(0, 8, 40));
});

for (const [next, state] of [["1", "2"], ["3", "4"]] as const) {
  Deno.test(`A frontend that goes on to ${next} before the backend has closed need not close again`, () => {
    const busy = busyGuest(2);
    const { guest } = busy;
    guest.setState(6);
    guest.setState(next);
    finish(busy);
    assertEquals([guest.backendKey("state"), answered(guest)], [state, [[1, 0], [2, 0]]]);
    guest.connect();
    guest.put(WRITE, 3, 40, { gref: 21 });
    guest.push();
    guest.clock.run();
    finish(busy);
    assertEquals([guest.backendKey("state"), answered(guest)], ["4", [[3, 0]]]);
  });
}

Deno.test("A frontend that starts again without closing is left alone, as by Linux", () => {
  const busy = busyGuest(1);
  const { guest } = busy;
  guest.setState(1);
  guest.setState(3);
  assertEquals([guest.backendKey("state"), guest.bound], ["4", true]);
  finish(busy);
  assertEquals(answered(guest), [[1, 0]]);
});

Deno.test("What a frontend left on its ring when it closed is neither served nor answered", () => {
  const { disk, guest } = busyGuest(0);
  guest.put(WRITE, 1, 0, { gref: 21 });
  guest.ring.pushRequests();
  guest.setState(6);
  assertEquals([guest.backendKey("state"), disk.asked, answered(guest)], ["6", [], []]);
});

// ---- the device goes away ----------------------------------------------------------------------

/** How a device goes away. */
const REMOVALS: Readonly<Record<string, (guest: BlkfrontGuest) => void>> = {
  "its frontend is removed by force, or with its domain": (guest) => guest.store.remove(FRONTEND),
  "the toolstack takes it offline and the frontend closes": (guest) => {
    guest.store.write(`${BACKEND}/online`, "0");
    guest.store.write(`${BACKEND}/state`, "5");
    guest.store.write(`${FRONTEND}/state`, "6");
  },
};

for (const [why, remove] of Object.entries(REMOVALS)) {
  Deno.test(`A device that goes away finishes what it began and refuses the rest: ${why}`, () => {
    const busy = busyGuest(2, { persistent: true });
    const { disk, guest } = busy;
    for (const id of [3, 4]) guest.put(READ, id, 0, { gref: 21 });
    guest.ring.pushRequests(); // without an event: nobody has looked
    remove(guest);
    guest.clock.run();
    assertEquals([guest.gone, guest.grants.mapped(21)], [0, 1]);
    finish(busy);
    assertEquals(answered(guest), [[1, 0], [2, 0], [3, -1], [4, -1]]);
    assertEquals(disk.asked, asked(0, 8));
    assertEquals([guest.gone, guest.backendKey("state"), guest.store.watchCount], [1, "6", 0]);
    assertEquals([guest.grants.totalMapped, guest.bound], [0, false]);
    remove(guest);
    guest.clock.run();
    assertEquals(guest.gone, 1);
  });
}

Deno.test("A device that goes away refuses requests until its frontend can know", () => {
  const { disk, guest } = busyGuest(0);
  guest.store.remove(FRONTEND);
  guest.clock.runTo(guest.clock.now + 2e6);
  for (const id of [1, 2]) {
    guest.put(WRITE, id, 0, { gref: 21 });
    guest.push();
    guest.clock.runTo(guest.clock.now + 2e6);
  }
  guest.clock.run();
  assertEquals([answered(guest), disk.asked], [[[1, -1], [2, -1]], []]);
  assertEquals([guest.gone, guest.grants.totalMapped, guest.bound], [1, 0, false]);
});

Deno.test("A device that goes away leaves requests alone that come later", () => {
  const busy = busyGuest(1);
  const { guest } = busy;
  guest.store.remove(FRONTEND);
  guest.clock.run();
  guest.put(WRITE, 2, 0, { gref: 21 });
  guest.push();
  guest.clock.run();
  finish(busy);
  assertEquals([answered(guest), guest.gone], [[[1, 0]], 1]);
});

Deno.test("A device whose driver is dead goes away when the disk is done, and no driver starts", () => {
  const { disk, guest } = busyGuest(1);
  guest.backend.crash(() => guest.gone++);
  guest.store.remove(FRONTEND);
  guest.clock.run();
  assertEquals(guest.gone, 0);
  disk.complete();
  guest.clock.run();
  assertEquals([guest.gone, guest.grants.totalMapped, guest.bound], [1, 0, false]);
});

Deno.test("Closing again what has been closed does nothing", () => {
  const { guest } = busyGuest(0, { persistent: true });
  for (const state of [5, 6, 6, 5, 6]) guest.setState(state);
  assertEquals([guest.grants.totalMapped, guest.bound], [0, false]);
  guest.setState(1);
  guest.connect();
  for (const state of [6, 1, 6, 1]) guest.setState(state);
  guest.connect();
  assertEquals([guest.backendKey("state"), guest.bound], ["4", true]);
});
