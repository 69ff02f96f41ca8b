import { assertEquals } from "@std/assert";
import { CachedPages } from "../../../devices/disk/cached_pages.ts";

const CAPACITY = 65_536;

Deno.test("CachedPages.fill() has the least recently used page make room, none that is dirty", () => {
  const pages = new CachedPages();
  pages.write(1, 2);
  pages.fill(2, CAPACITY + 1);
  pages.read(2, 3);
  pages.fill(CAPACITY + 1, CAPACITY + 2);
  const has = [1, 2, 3, 4, CAPACITY + 1].map((page) => pages.has(page));
  assertEquals(has, [true, true, false, true, true]);
});

Deno.test("CachedPages.fill() leaves dirty what has been written while the medium was read", () => {
  const pages = new CachedPages();
  pages.write(4, 5);
  pages.fill(3, 6);
  assertEquals([pages.startOfDirty(), pages.clean(4)], [4, 5]);
  assertEquals([pages.hasDirty, pages.has(4)], [false, true]);
});

Deno.test("CachedPages has a writer write back from 20 percent to 10, 1280 KiB at a time", () => {
  const pages = new CachedPages();
  pages.write(0, 13_107);
  assertEquals(pages.isOverLimit, false);
  pages.write(20_000, 20_001);
  assertEquals(pages.isOverLimit, true);
  let runs = 0;
  for (; !pages.isRelieved; runs++) pages.clean(pages.startOfDirty());
  assertEquals(runs, Math.ceil((13_108 - 6553.6) / 320));
  pages.forget(0, 13_107);
  assertEquals([pages.startOfDirty(), pages.clean(20_000), pages.hasDirty], [
    20_000,
    20_001,
    false,
  ]);
});

Deno.test("CachedPages.endOfHole() ends at a page that is there, at the limit, or after 1280 KiB", () => {
  const pages = new CachedPages();
  pages.fill(10, 11);
  pages.write(500, 501);
  const ends = [[0, 600], [11, 20], [11, 600], [400, 600]].map(([start, limit]) =>
    pages.endOfHole(start!, limit!)
  );
  assertEquals(ends, [10, 20, 331, 500]);
});
