import { assert, assertEquals } from "@std/assert";
import { MEDIA_PRESETS, TimedDisk } from "../../../devices/disk/timed.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { BLKIF_OP, I386, REQUEST, X86_64 } from "../../../devices/xen/blkif.ts";
import type { BlkifLayout } from "../../../devices/xen/blkif.ts";
import { FakeClock, ManualDisk, pattern } from "../../helpers/disk.ts";
import { BlkfrontGuest, type Segment } from "../../helpers/xen.ts";

const { READ, WRITE, FLUSH_DISKCACHE, DISCARD, INDIRECT } = BLKIF_OP;
const SECTORS = 4096;
const IMAGE = pattern(SECTORS * 512);
const LIST = 19;

interface Setup {
  readonly persistent?: boolean;
  readonly mode?: "r" | "w";
  readonly layout?: BlkifLayout;
}

/** A connected guest over an image in memory, with an empty indirect page. */
function connected(setup: Setup = {}) {
  const clock = new FakeClock();
  const image = new MemoryDisk(IMAGE.slice());
  const disk = new TimedDisk(clock, image, MEDIA_PRESETS.ramdisk, () => {});
  const guest = new BlkfrontGuest({ ...setup, disk, clock });
  guest.connect({ protocol: setup.layout === X86_64 ? "x86_64-abi" : "x86_32-abi" });
  guest.grants.log.length = 0;
  return { guest, image, list: guest.page(LIST) };
}

/** As many segments of whole pages, and those pages. */
function segmentsOf(guest: BlkfrontGuest, count: number) {
  const segments = Array.from({ length: count }, (_, i): Segment => ({ gref: 100 + i }));
  return { segments, pages: segments.map(({ gref }) => guest.page(gref)) };
}

for (const [name, layout] of [["i386", I386], ["x86_64", X86_64]] as const) {
  Deno.test(`BlkbackRing reads 256 indirect segments and answers READ (${name})`, () => {
    const { guest, list } = connected({ layout });
    const { segments, pages } = segmentsOf(guest, 256);
    guest.putIndirect(READ, 9, 8, { gref: LIST, page: list, segments });
    assertEquals(guest.serve(), { id: 9, operation: READ, status: 0 });
    pages.forEach((page, i) => {
      assertEquals(page, IMAGE.subarray((8 + 8 * i) * 512, (16 + 8 * i) * 512));
    });
    assertEquals(guest.grants.totalMapped, 1, "the ring alone");
  });

  Deno.test(`BlkbackRing writes indirect segments and answers WRITE (${name})`, () => {
    const { guest, list, image } = connected({ layout, persistent: true });
    const { segments, pages } = segmentsOf(guest, 12);
    pages.forEach((page, i) => page.fill(i + 1));
    guest.putIndirect(WRITE, 9, 16, { gref: LIST, page: list, segments });
    assertEquals(guest.serve(), { id: 9, operation: WRITE, status: 0 });
    assertEquals(
      image.bytes.subarray(16 * 512, 112 * 512).every((byte, i) => byte === (i >> 12) + 1),
      true,
    );
    assertEquals(guest.grants.totalMapped, 1 + 1 + 12, "ring, list and data are kept");
    assertEquals(guest.grants.log[0], `map ${LIST} write`);
  });

  Deno.test(`BlkbackRing reads, discards and answers with a zero pad (${name})`, () => {
    const { guest, image } = connected({ layout });
    const page = guest.page(20);
    assertEquals(guest.read(8, { gref: 20 }).status, 0);
    assertEquals(page, IMAGE.subarray(8 * 512, 16 * 512));
    const at = guest.putDiscard(0x1_2345_6789, 8, 16n);
    guest.ringPage.fill(0xaa, at + layout.NR_SECTORS + 8, at + layout.SIZE);
    assertEquals(guest.serve(), { id: 0x1_2345_6789, operation: DISCARD, status: 0 });
    const response = guest.ringPage.subarray(at, at + layout.RESPONSE_SIZE);
    const id = [0x89, 0x67, 0x45, 0x23, 1, 0, 0, 0];
    assertEquals([...response.subarray(0, 12)], [...id, DISCARD, 0, 0, 0]);
    assert(response.subarray(12).every((byte) => byte === 0));
    assertEquals(image.bytes.subarray(8 * 512, 24 * 512), new Uint8Array(16 * 512));
    assertEquals(image.bytes.subarray(24 * 512), IMAGE.subarray(24 * 512));
  });
}

interface BadIndirect {
  readonly what: string;
  readonly operation?: number;
  readonly sector?: number;
  readonly segments?: readonly Segment[];
  readonly list?: number;
  readonly mode?: "r";
}

const PAGE = { gref: 20 };
const BAD: readonly BadIndirect[] = [
  { what: "a flush", operation: FLUSH_DISKCACHE },
  { what: "a discard", operation: DISCARD },
  { what: "another indirect request", operation: INDIRECT },
  { what: "no segments", segments: [] },
  { what: "257 segments", segments: Array.from({ length: 257 }, () => PAGE) },
  { what: "a list that is not granted", list: 4242 },
  { what: "a page that is not granted", segments: [PAGE, { gref: 4242 }] },
  { what: "a read into a page granted read-only", segments: [PAGE, { gref: 21 }] },
  { what: "a segment that ends before it begins", segments: [{ gref: 20, first: 3, last: 2 }] },
  { what: "a segment that leaves its page", segments: [PAGE, { gref: 20, last: 8 }] },
  { what: "a last sector past the end", sector: SECTORS - 7 },
  { what: "a write to a read-only disk", operation: WRITE, mode: "r" },
];

for (const persistent of [false, true]) {
  for (const { what, operation = READ, sector = 0, segments = [PAGE], ...bad } of BAD) {
    Deno.test(`BlkbackRing refuses ${what} by indirect segments ${persistent ? "(persistent)" : ""}`, () => {
      const { guest, image, list } = connected({ persistent, mode: bad.mode ?? "w" });
      guest.page(20);
      guest.page(21, true);
      guest.putIndirect(operation, 5, sector, { gref: bad.list ?? LIST, page: list, segments });
      assertEquals(guest.serve(), { id: 5, operation, status: -1 });
      assertEquals(guest.errors.length, 1);
      assertEquals(guest.grants.mapped(20), 0);
      assertEquals(image.bytes, IMAGE);
      assertEquals(guest.read(0, PAGE).status, 0);
    });
  }
}

Deno.test("BlkbackRing refuses 65535 indirect segments without a look at their page", () => {
  const { guest, list } = connected();
  const at = guest.putIndirect(READ, 5, 0, { gref: LIST, page: list, segments: [PAGE] });
  guest.ring.page.setUint16(at + REQUEST.INDIRECT_NR_SEGMENTS, 0xffff, true);
  assertEquals(guest.serve(), { id: 5, operation: READ, status: -1 });
  assertEquals(guest.grants.log, []);
});

for (const persistent of [false, true]) {
  Deno.test(`BlkbackRing reads over the page of segments that points to itself, persistent ${persistent}`, () => {
    const { guest, list } = connected({ persistent });
    guest.page(20);
    const segments = [{ gref: LIST }, PAGE, { gref: LIST, first: 0, last: 0 }];
    guest.putIndirect(READ, 5, 0, { gref: LIST, page: list, segments });
    assertEquals(guest.serve().status, 0);
    assertEquals(list.subarray(0, 512), IMAGE.subarray(16 * 512, 17 * 512));
    assertEquals(list.subarray(512), IMAGE.subarray(512, 4096));
    const twice = `blkback: requesting a grant already in use: ${LIST}`;
    assertEquals(guest.errors, persistent ? [twice] : []);
    guest.setState(6);
    assertEquals(guest.grants.totalMapped, 0);
  });
}

for (const persistent of [false, true]) {
  Deno.test(`BlkbackRing works on the segments it read once, persistent ${persistent}`, () => {
    const disk = new ManualDisk(SECTORS);
    const guest = new BlkfrontGuest({ disk, persistent });
    guest.connect();
    const list = guest.page(LIST);
    guest.page(20);
    const segments = [{ gref: 20, first: 1, last: 2 }];
    guest.putIndirect(READ, 1, 8, { gref: LIST, page: list, segments });
    guest.push();
    guest.clock.step();
    guest.clock.step();
    list.fill(0xff);
    guest.clock.run();
    assertEquals(disk.asked, ["read 8 1024"]);
    disk.complete();
    guest.clock.run();
    assertEquals(guest.collect(), [{ id: 1, operation: READ, status: 0 }]);
  });
}

Deno.test("BlkbackRing reads pages in one access, adjacent in memory or not", () => {
  const { guest, list, image } = connected();
  const lengths: number[] = [];
  const read = image.read.bind(image);
  image.read = (sector, into) => {
    lengths.push(into.length);
    read(sector, into);
  };
  const ram = new Uint8Array(8 * 4096);
  const places = [0, 1, 2, 4, 3, 5, 6];
  places.forEach((place, i) => {
    guest.grants.grant(100 + i, ram.subarray(place * 4096, (place + 1) * 4096));
  });
  const segments = [...places.keys()].map((i): Segment =>
    i === 6 ? { gref: 106, first: 1 } : { gref: 100 + i }
  );
  guest.putIndirect(READ, 1, 0, { gref: LIST, page: list, segments });
  assertEquals(guest.serve().status, 0);
  assertEquals(lengths, [6 * 4096 + 7 * 512]);
  places.slice(0, 6).forEach((place, i) => {
    assertEquals(
      ram.subarray(place * 4096, (place + 1) * 4096),
      IMAGE.subarray(i * 4096, (i + 1) * 4096),
    );
  });
  assertEquals(ram.subarray(6 * 4096, 6 * 4096 + 512), new Uint8Array(512));
});
