import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { BlockRequest, Disk } from "../../../core/types.ts";
import { FaultyDisk } from "../../../devices/disk/faulty.ts";
import { MEDIA_PRESETS } from "../../../devices/disk/media.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { PageCacheDisk } from "../../../devices/disk/page_cache.ts";
import { TimedDisk } from "../../../devices/disk/timed.ts";
import { FakeClock, FakeDom0, pattern } from "../../helpers/disk.ts";

const SECTORS = 8 * 1024 + 4; // the last page is half a page
const IMAGE = pattern(SECTORS * 512);
const COPY = 500;
const SECOND = 1e9;

/** A page cache over an SSD, and what it asks of it. */
function bench(wrap: (disk: Disk) => Disk = (disk) => disk, threads = 1) {
  const clock = new FakeClock();
  const dom0 = new FakeDom0(clock);
  const image = new MemoryDisk(IMAGE.slice());
  const store = new TimedDisk(clock, image, MEDIA_PRESETS.ssd, () => {});
  const inner = wrap(store);
  const asked: string[] = [];
  const medium: Disk = {
    ...{ sectorCount: SECTORS, readOnly: false, canDiscard: true },
    submit: (request) => {
      asked.push(`${request.op} ${request.sector}+${request.count ?? 0}`);
      inner.submit(request);
    },
  };
  const disk = new PageCacheDisk({ clock, dom0, medium, store, copyPage: COPY, threads });
  const ends: string[] = [];
  const submit = (op: BlockRequest["op"], sector = 0, ...segments: Uint8Array[]): void => {
    const count = op === "discard" ? 8 : 0;
    const done: BlockRequest["done"] = (status, at) => {
      ends.push(at === undefined ? `${op} ${status}` : `${op} ${status} at ${at}`);
    };
    disk.submit({ op, sector, segments, count, done });
  };
  /** Until it is answered. @returns the time that took */
  const run = (...request: Parameters<typeof submit>): number => {
    const start = clock.now;
    submit(...request);
    for (const before = ends.length; ends.length === before;) clock.step();
    return clock.now - start;
  };
  return { clock, dom0, image, store, disk, asked, ends, submit, run };
}

const sectors = (count: number) => new Uint8Array(count * 512);

Deno.test("PageCacheDisk reads a page from the medium once, and from memory then", () => {
  const { run, asked, dom0 } = bench();
  const buffer = sectors(8);
  const miss = run("read", 80, buffer);
  assertEquals(buffer, IMAGE.subarray(80 * 512, 88 * 512));
  assertEquals(run("read", 82, sectors(2)), COPY);
  assertEquals(miss, 80_000 + 4096 * 2 + COPY);
  assertEquals(asked, ["read 80+8"]);
  assertEquals(dom0.books, { pageCache: 2 * COPY });
});

Deno.test("PageCacheDisk reads the whole page of some sectors, and the holes between what it has", () => {
  const { run, asked, image } = bench();
  run("read", 83, sectors(1));
  const buffer = sectors(20);
  run("read", 70, buffer);
  assertEquals(buffer, image.bytes.subarray(70 * 512, 90 * 512));
  assertEquals(asked, ["read 80+8", "read 64+16", "read 88+8"]);
});

Deno.test("PageCacheDisk reads ahead of a reader that goes on where it was", () => {
  const { run, asked } = bench();
  run("read", 0, sectors(8));
  for (let sector = 8; sector < 512; sector += 8) run("read", sector, sectors(8));
  assertEquals(asked, ["read 0+8", "read 8+256", "read 264+256"]);
});

Deno.test("PageCacheDisk has a write done when it is in memory, and written back by a flush", () => {
  const { run, asked, image, store } = bench();
  assertEquals(run("write", 8, pattern(4096, 9)), COPY);
  assertEquals(run("write", 16, pattern(8192, 3)), 2 * COPY);
  assertEquals(asked, []);
  assertEquals(image.bytes.subarray(8 * 512, 16 * 512), pattern(4096, 9), "bytes are never late");
  run("flush");
  run("flush");
  assertEquals(asked, ["write 8+24", "flush 0+0", "flush 0+0"]);
  const { write, flush } = store.stats.tallies;
  assertEquals([write.requests, write.bytes, flush.requests], [1, 3 * 4096, 2]);
});

Deno.test("PageCacheDisk reads what it needs to change a page in part, but none behind the end", () => {
  const { run, asked } = bench();
  run("write", 12, sectors(16));
  run("write", 13, sectors(1));
  run("write", SECTORS - 4, sectors(4));
  assertEquals(asked, ["read 8+8", "read 24+8"]);
  run("flush");
  assertEquals(asked.slice(2), ["write 8+24", `write ${SECTORS - 4}+4`, "flush 0+0"]);
});

Deno.test("PageCacheDisk writes back what is dirty for 30 seconds, and rests then", () => {
  const { clock, run, asked } = bench();
  run("write", 0, sectors(8));
  clock.runTo(29 * SECOND);
  assertEquals(asked, []);
  clock.runTo(31 * SECOND);
  assertEquals(asked, ["write 0+8"]);
  assertEquals(clock.step(), false);
});

Deno.test("PageCacheDisk keeps order: what misses has those behind it wait", () => {
  const { clock, submit, run, ends } = bench();
  run("read", 0, sectors(8));
  submit("read", 800, sectors(8));
  submit("read", 0, sectors(8));
  submit("flush");
  submit("discard", 0);
  submit("read", 0, sectors(8));
  clock.run();
  const rest = ["read ok", "read ok", "flush ok", "discard ok", "read ok"];
  assertEquals(ends.slice(1), rest);
});

Deno.test("PageCacheDisk forgets the pages that a discard covers, and writes back those it touches", () => {
  const { run, asked } = bench();
  run("write", 8, sectors(8));
  run("discard", 4);
  run("flush");
  assertEquals(asked, ["discard 4+8", "write 8+8", "flush 0+0"]);
  run("write", SECTORS - 4, sectors(4));
  run("discard", SECTORS - 8);
  run("flush");
  assertEquals(asked.slice(3), [`discard ${SECTORS - 8}+8`, "flush 0+0"], "the last page is short");
});

Deno.test("PageCacheDisk of several threads has none wait for what another one misses", () => {
  const { clock, submit, run, ends, asked } = bench(undefined, 2);
  run("read", 0, sectors(8));
  const start = clock.now;
  for (const sector of [800, 1600, 2400]) submit("read", sector, sectors(8));
  assertEquals(asked.slice(1), ["read 800+8", "read 1600+8"], "the third has no thread");
  submit("write", 0, sectors(8));
  clock.run();
  assertEquals(ends.length, 5);
  assertEquals(clock.now - start < 2 * 80_000 + 3 * 8192 + 4 * COPY, true, "two at a time");
});

Deno.test("PageCacheDisk gives a bad sector's error to who reads it, and to nobody else", () => {
  const unc = { kind: "unc", sector: 85, count: 1, times: Infinity } as const;
  const { run, ends } = bench((disk) => new FaultyDisk(disk, [unc]));
  run("read", 84, sectors(4));
  run("read", 88, sectors(8));
  run("read", 80, sectors(2));
  assertEquals(ends, ["read error at 85", "read ok", "read error at 85"]);
});

Deno.test("PageCacheDisk forgives a bad sector that it has only read ahead", () => {
  const unc = { kind: "unc", sector: 83, count: 1, times: Infinity } as const;
  const { run, ends, asked } = bench((disk) => new FaultyDisk(disk, [unc]));
  for (let sector = 0; sector < 88; sector += 8) run("read", sector, sectors(8));
  assertEquals(ends, [...new Array(10).fill("read ok"), "read error at 83"]);
  assertEquals(asked, ["read 0+8", "read 8+256", "read 80+256"]);
});

Deno.test("PageCacheDisk fails the flush after a page that it could not write back, once", () => {
  const abort = { kind: "abort", sector: 8, count: 1, times: 1 } as const;
  const { run, ends } = bench((disk) => new FaultyDisk(disk, [abort]));
  run("write", 8, sectors(8));
  run("flush");
  run("flush");
  assertEquals(ends, ["write ok", "flush error", "flush ok"]);
});

const REQUESTS = fc.array(
  fc.record({
    op: fc.constantFrom("read" as const, "write" as const, "write" as const, "flush" as const),
    sector: fc.nat(SECTORS - 40),
    sectors: fc.integer({ min: 1, max: 40 }),
    seed: fc.nat(255),
  }),
  { maxLength: 30 },
);

Deno.test("PageCacheDisk serves what a disk without it would, however requests lie", () => {
  fc.assert(
    fc.property(REQUESTS, fc.constantFrom(1, 3), (requests, threads) => {
      const { run, image, ends, store } = bench(undefined, threads);
      const wanted = IMAGE.slice();
      for (const { op, sector, sectors, seed } of requests) {
        const place = wanted.subarray(sector * 512, (sector + sectors) * 512);
        const buffer = pattern(sectors * 512, seed);
        if (op === "write") place.set(buffer);
        if (op === "flush") run(op);
        else run(op, sector, buffer);
        if (op === "read") assertEquals(buffer, place);
      }
      run("flush");
      assertEquals(image.bytes, wanted);
      assertEquals(ends.every((end) => end.endsWith("ok")), true);
      const hasWritten = requests.some(({ op }) => op === "write");
      assertEquals(store.stats.tallies.write.requests > 0, hasWritten);
    }),
    { numRuns: 12 },
  );
});
