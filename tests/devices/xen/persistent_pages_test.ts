import { assertEquals } from "@std/assert";
import { MAX_PERSISTENT, PersistentPages } from "../../../devices/xen/persistent_pages.ts";
import { ManualDisk } from "../../helpers/disk.ts";
import { BlkfrontGuest, FakeGrants } from "../../helpers/xen.ts";
import { HandClock } from "../../helpers/xen_guest.ts";

const SECOND = 1e9;
const PAGE = new Uint8Array(4096);

/** Pages on a clock in the test's hands, as many kept as asked. */
function kept(count: number) {
  const clock = new HandClock();
  const grants = new FakeGrants();
  const errors: string[] = [];
  let looks = 0;
  const pages = new PersistentPages({
    clock,
    grants,
    errors: { guestError: (_source, text) => errors.push(text) },
    post: (task) => {
      looks++;
      task();
    },
  });
  const keep = (gref: number) => {
    grants.grant(gref, PAGE);
    const entry = pages.keep(gref, grants.map(gref, "write")!);
    if (entry === undefined) grants.unmap(gref);
    return entry;
  };
  const entries = Array.from({ length: count }, (_, i) => keep(i)!);
  return { clock, grants, errors, pages, entries, keep, looks: () => looks };
}

Deno.test("PersistentPages unmaps what has not been used for 60 seconds, and not what is in use", () => {
  const { clock, grants, pages, entries, looks } = kept(3);
  entries.forEach((entry) => pages.giveBack(entry));
  clock.moveTo(59 * SECOND);
  assertEquals(grants.totalMapped, 3);
  pages.giveBack(pages.take(1)!);
  pages.take(2);
  clock.moveTo(60 * SECOND);
  const mapped = () => [0, 1, 2].map((gref) => grants.mapped(gref));
  assertEquals(mapped(), [0, 1, 1]);
  clock.moveTo(119 * SECOND);
  assertEquals(mapped(), [0, 0, 1]);
  assertEquals([looks(), clock.armed], [2, 0], "no look that finds nothing");
  pages.giveBack(entries[2]!);
  clock.moveTo(179 * SECOND);
  assertEquals([grants.totalMapped, clock.armed], [0, 0]);
});

Deno.test("PersistentPages.take() tells of a grant that another segment has", () => {
  const { pages, entries, errors } = kept(1);
  assertEquals([pages.take(0), pages.take(7)], [undefined, undefined]);
  assertEquals(errors, ["requesting a grant already in use: 0"]);
  pages.giveBack(entries[0]!);
  assertEquals(pages.take(0), entries[0]);
});

Deno.test("PersistentPages.look() makes room among the least recently used when there was none", () => {
  const { clock, grants, pages, entries, keep } = kept(MAX_PERSISTENT);
  entries.forEach((entry, i) => {
    clock.now = MAX_PERSISTENT - i;
    if (i < MAX_PERSISTENT - 1) pages.giveBack(entry);
  });
  clock.now = SECOND;
  assertEquals(keep(5000), undefined);
  pages.look();
  assertEquals(grants.totalMapped, MAX_PERSISTENT - 52);
  assertEquals(grants.mapped(MAX_PERSISTENT - 1), 1, "in use");
  assertEquals(grants.mapped(MAX_PERSISTENT - 2), 0);
  assertEquals(keep(5000) !== undefined, true);
});

Deno.test("PersistentPages looks once in 100 ms, by itself if the worker does not", () => {
  const { clock, grants, pages, entries, keep } = kept(MAX_PERSISTENT);
  entries.forEach((entry) => pages.giveBack(entry));
  keep(5000);
  clock.now = 99e6;
  pages.look();
  assertEquals(grants.totalMapped, MAX_PERSISTENT);
  clock.moveTo(100e6);
  assertEquals(grants.totalMapped, MAX_PERSISTENT - 52);
  clock.now = SECOND;
  pages.look();
  assertEquals(grants.totalMapped, MAX_PERSISTENT - 52, "there is room");
});

/** A guest that has read through one page, which is kept. */
function read(): BlkfrontGuest {
  const disk = new ManualDisk(64);
  const guest = new BlkfrontGuest({ disk, persistent: true });
  guest.connect();
  guest.page(20);
  guest.put(0, 1, 0, { gref: 20 });
  guest.push();
  while (disk.pending.length === 0) guest.clock.step();
  disk.complete();
  guest.clock.runTo(guest.clock.now + SECOND);
  guest.collect();
  return guest;
}

Deno.test("BlkbackRing lets go of pages that it has not used for long, without work to wake it", () => {
  const guest = read();
  assertEquals(guest.grants.mapped(20), 1);
  guest.clock.runTo(60 * SECOND);
  assertEquals(guest.grants.mapped(20), 1);
  guest.clock.runTo(61 * SECOND);
  assertEquals(guest.grants.mapped(20), 0);
  assertEquals([guest.clock.step(), guest.errors.length], [false, 0], "and sleeps");
});

Deno.test("BlkbackRing leaves no timer behind when its frontend closes", () => {
  const guest = read();
  guest.setState(6);
  assertEquals([guest.grants.totalMapped, guest.clock.step()], [0, false]);
});
