import { assertEquals } from "@std/assert";
import { MAX_PERSISTENT, PersistentPages } from "../../../devices/xen/persistent_pages.ts";
import { ManualDisk } from "../../helpers/disk.ts";
import { BlkfrontGuest, FakeGrants } from "../../helpers/xen.ts";

const SECOND = 1e9;
const PAGE = new Uint8Array(4096);

/** Pages on a clock in the test's hands, as many kept as asked. */
function kept(count: number) {
  const clock = { now: 0 };
  const grants = new FakeGrants();
  const pages = new PersistentPages(clock);
  const keep = (gref: number) => {
    grants.grant(gref, PAGE);
    const entry = pages.keep(gref, grants.map(gref, "write")!);
    if (entry === undefined) grants.unmap(gref);
    return entry;
  };
  const entries = Array.from({ length: count }, (_, i) => keep(i)!);
  return { clock, grants, pages, entries, keep };
}

Deno.test("PersistentPages.purge() unmaps what has not been used for 60 seconds", () => {
  const { clock, grants, pages, entries } = kept(3);
  entries.forEach((entry) => pages.giveBack(entry));
  clock.now = 59 * SECOND;
  pages.purge(grants);
  assertEquals(grants.totalMapped, 3);
  pages.giveBack(pages.take(1)!);
  pages.take(2);
  clock.now = 60 * SECOND;
  pages.purge(grants);
  assertEquals([0, 1, 2].map((gref) => grants.mapped(gref)), [0, 1, 1]);
  assertEquals([pages.take(0), pages.take(2)], [undefined, undefined]);
});

Deno.test("PersistentPages.purge() makes room among the least recently used when there was none", () => {
  const { clock, grants, pages, entries, keep } = kept(MAX_PERSISTENT);
  entries.forEach((entry, i) => {
    clock.now = MAX_PERSISTENT - i;
    if (i < MAX_PERSISTENT - 1) pages.giveBack(entry);
  });
  clock.now = SECOND;
  assertEquals(keep(5000), undefined);
  pages.purge(grants);
  assertEquals(grants.totalMapped, MAX_PERSISTENT - 52);
  assertEquals(grants.mapped(MAX_PERSISTENT - 1), 1, "in use");
  assertEquals(grants.mapped(MAX_PERSISTENT - 2), 0);
  assertEquals(keep(5000) !== undefined, true);
});

Deno.test("PersistentPages.purge() looks once in 100 ms", () => {
  const { clock, grants, pages, entries, keep } = kept(MAX_PERSISTENT);
  entries.forEach((entry) => pages.giveBack(entry));
  keep(5000);
  clock.now = 99e6;
  pages.purge(grants);
  assertEquals(grants.totalMapped, MAX_PERSISTENT);
  clock.now = 100e6;
  pages.purge(grants);
  assertEquals(grants.totalMapped, MAX_PERSISTENT - 52);
  clock.now = SECOND;
  pages.purge(grants);
  assertEquals(grants.totalMapped, MAX_PERSISTENT - 52, "there is room");
});

Deno.test("BlkbackRing lets go of pages that it has not used for long", () => {
  const disk = new ManualDisk(64);
  const guest = new BlkfrontGuest({ disk, persistent: true });
  guest.connect();
  const read = (gref: number): void => {
    guest.page(gref);
    guest.put(0, 1, 0, { gref });
    guest.push();
    guest.clock.run();
    disk.complete();
    guest.clock.run();
    guest.collect();
  };
  read(20);
  assertEquals(guest.grants.mapped(20), 1);
  guest.clock.now += 61 * SECOND;
  read(21);
  assertEquals([guest.grants.mapped(20), guest.grants.mapped(21)], [0, 1]);
  assertEquals(guest.errors, []);
});
