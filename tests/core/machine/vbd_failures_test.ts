/**
 * The failure model of virtual disks on the real grant table, event channels and xenstore: whatever
 * ends, no page stays mapped, no channel bound, and the rest of the domain is as it was.
 */

import { assertEquals } from "@std/assert";
import { FRAMES, SETTLE, VbdFrontend, VbdWorld } from "../../helpers/vbd_world.ts";

/** Two disks at work: the second one's frontend is what must not be disturbed. */
function busyWorld() {
  const world = new VbdWorld();
  const [a, b] = [new VbdFrontend(world, "hda"), new VbdFrontend(world, "hdb")];
  world.memory.page(FRAMES.hda[1])!.fill(0xaa);
  world.memory.page(FRAMES.hdb[1])!.fill(0xbb);
  for (let id = 1; id <= 4; id++) {
    a.put(id, 8 * id);
    b.put(id, 8 * id);
  }
  world.settle(40_000); // the first requests are on their way
  return { world, a, b };
}

function assertServed({ world, b }: ReturnType<typeof busyWorld>): void {
  world.settle();
  assertEquals(b.collect(), ["1: 0", "2: 0", "3: 0", "4: 0"]);
  assertEquals([b.channel, world.state("hdb")], ["interdomain", "4"]);
  assertEquals(world.images.hdb.subarray(8 * 512, 40 * 512), new Uint8Array(32 * 512).fill(0xbb));
}

/** Nothing of hda is left in dom0; then nothing of hdb either. */
function assertLetGo({ world, a, b }: ReturnType<typeof busyWorld>): void {
  assertEquals(a.channel, "unbound");
  assertEquals(world.isBusy, true, "hdb is connected");
  for (const state of [5, 6]) b.setState(state);
  assertEquals([b.channel, world.isBusy], ["unbound", false]);
}

Deno.test("A disk removed by force under load answers all that it had, and nothing else is disturbed", () => {
  const busy = busyWorld();
  const { world, a } = busy;
  world.domain.vbds.detach("hda", true);
  world.settle();
  assertEquals(a.collect().map((text) => text.slice(0, 1)), ["1", "2", "3", "4"]);
  assertEquals([world.removed, world.state("hda")], [["hda"], undefined]);
  assertServed(busy);
  assertLetGo(busy);
});

Deno.test("A disk detached under load ends when its frontend closes", () => {
  const busy = busyWorld();
  const { world, a } = busy;
  world.domain.vbds.detach("hda", false);
  world.settle();
  assertEquals([world.removed, world.state("hda")], [[], "5"]);
  assertEquals(a.collect(), ["1: 0", "2: 0", "3: 0", "4: 0"]);
  a.setState(6);
  assertEquals([world.removed, world.state("hda")], [["hda"], undefined]);
  assertServed(busy);
  assertLetGo(busy);
});

Deno.test("A backend that dies under load goes on with the ring: all is answered once, and on disk", () => {
  const busy = busyWorld();
  const { world, a } = busy;
  for (let deaths = 0; deaths < 5; deaths++) {
    world.domain.vbds.restartDriver("hda", false);
    world.settle(deaths === 4 ? SETTLE : 300_000);
  }
  assertEquals(a.collect(), ["1: 0", "2: 0", "3: 0", "4: 0"]);
  assertEquals(world.images.hda.subarray(8 * 512, 40 * 512), new Uint8Array(32 * 512).fill(0xaa));
  assertEquals([a.channel, world.state("hda")], ["interdomain", "4"]);
  assertServed(busy);
  for (const state of [5, 6]) a.setState(state);
  assertLetGo(busy);
});

Deno.test("A frontend that dies under load is followed by one that resets the states", () => {
  const busy = busyWorld();
  const { world, a } = busy;
  for (const state of [5, 6]) a.setState(state);
  assertEquals([a.channel, world.state("hda")], ["unbound", "6"]);
  a.setState(1);
  assertEquals(world.state("hda"), "2");
  const next = new VbdFrontend(world, "hda");
  next.put(9, 0);
  world.settle();
  assertEquals(next.collect(), ["9: 0"]);
  assertServed(busy);
  for (const state of [5, 6]) next.setState(state);
  assertLetGo(busy);
});

Deno.test("A kernel that is started by kexec closes its predecessor's ports; the backend lets go all the same", () => {
  const busy = busyWorld();
  const { world, a } = busy;
  world.domain.xen.events.close(a.port);
  for (const state of [5, 6, 1]) a.setState(state);
  assertEquals([a.channel, world.state("hda")], [undefined, "2"]);
  const next = new VbdFrontend(world, "hda");
  next.put(9, 0);
  world.settle();
  assertEquals(next.collect(), ["9: 0"]);
});

Deno.test("A domain destroyed with requests in flight leaves no page mapped and no backend", () => {
  const { world, a, b } = busyWorld();
  world.domain.closeDevices();
  world.settle();
  assertEquals([a.channel, b.channel, world.isBusy], ["unbound", "unbound", false]);
  assertEquals([world.state("hda"), world.state("hdb")], ["6", "6"]);
  world.domain.end();
  assertEquals(world.store.client().list("/local/domain/0/backend/vbd"), []);
});

Deno.test("A domain destroyed while a backend is dead has none afterwards", () => {
  const { world, a } = busyWorld();
  world.domain.vbds.restartDriver("hda", false);
  world.domain.closeDevices();
  world.settle();
  assertEquals([a.channel, world.isBusy, world.state("hda")], ["unbound", false, "6"]);
});

/** What the books have of hda: sectors and bytes, in the order of submission. */
function bookedOf({ exits, requests }: VbdWorld): string[] {
  exits.finish();
  const ofDisk = requests.filter(({ disk }) => disk === "hda").sort((a, b) => a.id - b.id);
  return ofDisk.map(({ op, sector, bytes }) => `${op} ${sector}: ${bytes}`);
}

Deno.test("A request that a second driver serves is in the books once, from the guest's event on", () => {
  const { world, a } = busyWorld();
  const putAt = world.clock.now;
  world.domain.vbds.restartDriver("hda", false);
  world.settle();
  assertEquals(a.collect(), ["1: 0", "2: 0", "3: 0", "4: 0"]);
  assertEquals(bookedOf(world), [8, 16, 24, 32].map((sector) => `write ${sector}: 4096`));
  assertEquals(world.requests.filter(({ submitNs }) => submitNs > putAt), []);
});

Deno.test("What a closed ring has shown is not what the next one shows", () => {
  const world = new VbdWorld();
  const a = new VbdFrontend(world, "hda");
  for (let id = 1; id <= 4; id++) a.put(id, 8 * id);
  a.setState(6);
  a.setState(1);
  const next = new VbdFrontend(world, "hda");
  const putAt = world.clock.now;
  next.put(9, 40);
  world.settle();
  assertEquals(next.collect(), ["9: 0"]);
  assertEquals(bookedOf(world).at(-1), "write 40: 4096");
  assertEquals(world.requests.find(({ sector }) => sector === 40)?.submitNs, putAt);
});

Deno.test("A request that its backend refuses asks nothing of the disk and moves nothing, by the books", () => {
  const world = new VbdWorld();
  const a = new VbdFrontend(world, "hda");
  a.put(1, 1000);
  a.put(2, 8);
  world.settle();
  assertEquals(a.collect(), ["1: -1", "2: 0"]);
  assertEquals(bookedOf(world), ["other 1000: 0", "write 8: 4096"]);
});
