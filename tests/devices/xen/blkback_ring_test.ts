import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { ImageError } from "../../../core/errors.ts";
import { DOM0_COST } from "../../../core/types.ts";
import type { BlockBackend } from "../../../core/types.ts";
import { MEDIA_PRESETS, TimedDisk } from "../../../devices/disk/timed.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { RawImage } from "../../../devices/disk/raw.ts";
import { BLKIF_OP, I386, REQUEST, RESPONSE, SEGMENT } from "../../../devices/xen/blkif.ts";
import { SRING } from "../../../devices/xen/ring.ts";
import {
  BrokenBackend,
  FakeClock,
  ManualDisk,
  mayUseFiles,
  pattern,
  withFolder,
} from "../../helpers/disk.ts";
import { BlkfrontGuest, COSTS, RING_REF } from "../../helpers/xen.ts";

const { READ, WRITE, FLUSH_DISKCACHE } = BLKIF_OP;
const SECTORS = 128;
const IMAGE = pattern(SECTORS * 512);

interface Setup {
  readonly persistent?: boolean;
  readonly mode?: "r" | "w";
  readonly startIndex?: number;
  readonly backend?: BlockBackend;
}

/** A connected guest over an image in memory. */
function connected(setup: Setup = {}) {
  const clock = new FakeClock();
  const image = new MemoryDisk(IMAGE.slice());
  const failures: ImageError[] = [];
  const disk = new TimedDisk(
    clock,
    setup.backend ?? image,
    MEDIA_PRESETS.ramdisk,
    (error) => failures.push(error),
  );
  const guest = new BlkfrontGuest({ ...setup, disk, clock });
  guest.ring.initialise(setup.startIndex ?? 0);
  guest.connect();
  guest.grants.log.length = 0;
  return { guest, image, failures };
}

/** A connected guest over a disk in the test's hands. */
function manual(persistent = false) {
  const disk = new ManualDisk(SECTORS);
  const guest = new BlkfrontGuest({ disk, persistent });
  guest.connect();
  guest.grants.log.length = 0;
  return { guest, disk };
}

function sectorsOf(image: Uint8Array, first: number, count: number): Uint8Array {
  return image.subarray(first * 512, (first + count) * 512);
}

Deno.test("BlkbackRing reads up to 11 segments, and only the sectors asked for", () => {
  const { guest, image } = connected();
  const pages = Array.from({ length: 11 }, (_, i) => guest.page(20 + i));
  const segments = pages.map((_, i) => ({ gref: 20 + i, first: i % 3, last: 5 + i % 3 }));
  assertEquals(guest.read(1, ...segments), { id: 77, operation: READ, status: 0 });
  pages.forEach((page, i) => {
    const expected = new Uint8Array(4096);
    expected.set(sectorsOf(image.bytes, 1 + 6 * i, 6), i % 3 * 512);
    assertEquals(page, expected);
  });
});

Deno.test("BlkbackRing writes what the pages hold", () => {
  const { guest, image } = connected();
  guest.page(20).set(pattern(4096, 5));
  guest.page(21).set(pattern(4096, 9));
  const answer = guest.write(4, { gref: 20 }, { gref: 21, first: 2, last: 3 });
  assertEquals(answer, { id: 77, operation: WRITE, status: 0 });
  assertEquals(sectorsOf(image.bytes, 4, 8), pattern(4096, 5));
  assertEquals(sectorsOf(image.bytes, 12, 2), pattern(4096, 9).subarray(1024, 2048));
  assertEquals(sectorsOf(image.bytes, 14, 4), sectorsOf(IMAGE, 14, 4));
});

Deno.test("BlkbackRing tells memory of every page that the disk wrote", () => {
  const { guest } = connected();
  const page = guest.page(20);
  guest.write(0, { gref: 20 });
  assert(guest.wrote.every((view) => view === guest.ringPage));
  guest.read(0, { gref: 20, first: 1, last: 1 });
  const data = guest.wrote.filter((view) => view !== guest.ringPage);
  assertEquals(data, [page.subarray(512, 1024)]);
});

Deno.test("BlkbackRing flushes without data, and with data flushes before it writes", () => {
  const { guest, disk } = manual();
  guest.page(20);
  guest.put(FLUSH_DISKCACHE, 1, 0xffff_ffff);
  guest.put(FLUSH_DISKCACHE, 2, 16, { gref: 20 });
  guest.push();
  guest.clock.run();
  assertEquals(disk.asked, ["flush 0", "flush 0"]);
  disk.complete();
  disk.complete();
  assertEquals(disk.asked[2], "write 16 4096");
  disk.complete();
  guest.clock.run();
  assertEquals(guest.collect().map(({ id, status }) => [id, status]), [[1, 0], [2, 0]]);
});

interface BadRequest {
  readonly what: string;
  readonly operation?: number;
  readonly sector?: number;
  readonly segments?: readonly { gref: number; first?: number; last?: number }[];
  readonly status?: number;
}

const PAGE = { gref: 20 };
const BAD: readonly BadRequest[] = [
  { what: "the reserved operation", operation: 4, status: -2 },
  { what: "an unknown operation", operation: 0xff, status: -2 },
  { what: "no segments", segments: [] },
  { what: "a segment that ends before it begins", segments: [{ gref: 20, first: 3, last: 2 }] },
  { what: "a segment that leaves its page", segments: [PAGE, { gref: 20, first: 0, last: 8 }] },
  { what: "a grant that is none", segments: [PAGE, { gref: 4242 }] },
  { what: "a read into a page granted read-only", segments: [PAGE, { gref: 21 }] },
  { what: "a sector past the end", sector: SECTORS },
  { what: "a last sector past the end", sector: SECTORS - 7 },
  { what: "a sector number near 2^64", sector: Number(2n ** 64n - 4096n) },
];

for (const persistent of [false, true]) {
  for (const { what, operation = READ, sector = 0, segments = [PAGE], status = -1 } of BAD) {
    Deno.test(`BlkbackRing answers ${what} with ${status} ${persistent ? "(persistent)" : ""}`, () => {
      const { guest, image } = connected({ persistent });
      guest.page(20);
      guest.page(21, true);
      assertEquals(guest.request(operation, sector, ...segments), { id: 77, operation, status });
      assertEquals(guest.errors.length, 1);
      assertEquals(guest.grants.totalMapped, 1, "the ring alone");
      assertEquals(image.bytes, IMAGE);
      assertEquals(guest.read(0, PAGE).status, 0);
    });
  }
}

Deno.test("BlkbackRing answers more than 11 segments with -1", () => {
  const { guest } = connected();
  const at = guest.put(READ, 3, 0, ...Array.from({ length: 11 }, () => PAGE));
  guest.ring.page.setUint8(at + REQUEST.NR_SEGMENTS, 12);
  guest.push();
  guest.clock.run();
  assertEquals(guest.collect(), [{ id: 3, operation: READ, status: -1 }]);
  assertEquals(guest.grants.log, []);
});

Deno.test("BlkbackRing reads the last sector of the disk", () => {
  const { guest } = connected();
  const page = guest.page(20);
  assertEquals(guest.read(SECTORS - 1, { gref: 20, first: 7, last: 7 }).status, 0);
  assertEquals(page.subarray(7 * 512), sectorsOf(IMAGE, SECTORS - 1, 1));
});

Deno.test("BlkbackRing refuses writes and flushes with data on a read-only vbd", () => {
  const { guest, image } = connected({ mode: "r" });
  guest.page(20).fill(0xaa);
  assertEquals(guest.write(0, PAGE).status, -1);
  assertEquals(guest.request(FLUSH_DISKCACHE, 0, PAGE).status, -1);
  assertEquals(guest.request(FLUSH_DISKCACHE, 0).status, 0);
  assertEquals(guest.read(0, PAGE).status, 0);
  assertEquals(image.bytes, IMAGE);
});

Deno.test("BlkbackRing answers -1 when the host's image fails", () => {
  const { guest, failures } = connected({ backend: new BrokenBackend() });
  guest.page(20);
  assertEquals(guest.read(0, PAGE).status, -1);
  assertEquals(guest.request(FLUSH_DISKCACHE, 0).status, -1);
  assertEquals(failures.length, 2);
  assertEquals(guest.errors, [], "not the guest's mistake");
  assertEquals(guest.grants.totalMapped, 1);
});

Deno.test("BlkbackRing writes every byte of a response, the pad as zero", () => {
  const { guest } = connected();
  const at = guest.put(0xee, 0x5a01_2345_6789, 0); // 0x5a lies where the pad will be
  assertEquals(guest.ringPage[at + RESPONSE.PAD], 0x5a);
  guest.push();
  guest.clock.run();
  const response = guest.ringPage.subarray(at, at + I386.RESPONSE_SIZE);
  assertEquals([...response], [0x89, 0x67, 0x45, 0x23, 1, 0x5a, 0, 0, 0xee, 0, 0xfe, 0xff]);
});

Deno.test("BlkbackRing works on what it read once, when the guest changes the request later", () => {
  const { guest, disk } = manual();
  guest.page(20);
  const at = guest.put(READ, 1, 8, { gref: 20, first: 0, last: 0 });
  guest.push();
  guest.clock.step();
  guest.clock.step();
  guest.ring.page.setUint8(at + REQUEST.OPERATION, WRITE);
  guest.ring.page.setUint8(at + REQUEST.NR_SEGMENTS, 11);
  guest.ring.page.setUint8(at + I386.SEG + SEGMENT.LAST_SECT, 255);
  guest.ring.page.setUint32(at + I386.SEG + SEGMENT.GREF, 4242, true);
  guest.ring.page.setUint32(at + I386.ID, 99, true);
  guest.clock.run();
  assertEquals(disk.asked, ["read 8 512"]);
  disk.complete();
  guest.clock.run();
  assertEquals(guest.collect(), [{ id: 1, operation: READ, status: 0 }]);
});

Deno.test("BlkbackRing maps for the transfer and unmaps as one batch before the response", () => {
  const { guest, disk } = manual();
  for (const gref of [20, 21, 22]) guest.page(gref);
  guest.put(WRITE, 1, 0, { gref: 20 }, { gref: 21 });
  guest.put(READ, 2, 0, { gref: 22 });
  guest.push();
  guest.clock.run();
  assertEquals(guest.grants.log, ["map 20 read", "map 21 read", "map 22 write"]);
  disk.complete();
  while (guest.ring.unconsumed() === 0) guest.clock.step();
  assertEquals(guest.grants.log.slice(3), ["unmap 20 21"]);
  disk.complete();
  guest.clock.run();
  assertEquals(guest.grants.log.slice(4), ["unmap 22"]);
});

Deno.test("BlkbackRing maps a persistent page once, writable, and keeps it", () => {
  const { guest } = connected({ persistent: true });
  guest.page(20).set(pattern(4096, 3));
  for (let i = 0; i < 3; i++) {
    assertEquals(guest.write(8, PAGE).status, 0);
    assertEquals(guest.read(8, PAGE).status, 0);
  }
  assertEquals(guest.grants.log, ["map 20 write"]);
});

Deno.test("BlkbackRing gives a persistent page back when the rest of its request cannot be mapped", () => {
  const { guest } = connected({ persistent: true });
  guest.page(20);
  guest.page(21);
  assertEquals(guest.read(0, PAGE).status, 0);
  assertEquals(guest.read(0, PAGE, { gref: 21 }, { gref: 4242 }).status, -1);
  assertEquals(guest.read(0, PAGE).status, 0);
  assertEquals(guest.grants.log, ["map 20 write", "map 21 write", "unmap 21"]);
});

Deno.test("BlkbackRing maps per request when only one side is persistent", () => {
  const offered = new BlkfrontGuest({ disk: new ManualDisk(8), persistent: true });
  offered.connect({ "feature-persistent": "0" });
  const { guest } = connected({ persistent: false });
  guest.page(20);
  guest.read(0, PAGE);
  guest.read(0, PAGE);
  assertEquals(guest.grants.log, ["map 20 write", "unmap 20", "map 20 write", "unmap 20"]);
  assertEquals(offered.backendKey("feature-persistent"), "1");
});

Deno.test("BlkbackRing maps a persistent page apart while another segment has it", () => {
  const { guest, disk } = manual(true);
  guest.page(20);
  guest.put(READ, 1, 0, PAGE, PAGE);
  guest.put(READ, 2, 0, PAGE);
  guest.push();
  guest.clock.run();
  assertEquals(guest.grants.mapped(20), 3);
  disk.complete();
  disk.complete();
  guest.clock.run();
  assertEquals(guest.grants.mapped(20), 1);
  assertEquals(guest.collect().map(({ status }) => status), [0, 0]);
});

Deno.test("BlkbackRing keeps at most 1056 persistent pages", () => {
  const { guest } = connected({ persistent: true });
  let most = 0;
  for (let gref = 100; gref < 1200; gref++) {
    guest.page(gref);
    assertEquals(guest.read(0, { gref }).status, 0);
    most = Math.max(most, guest.grants.totalMapped);
  }
  assertEquals(most, 1056 + 1, "the ring's page too");
  guest.setState(6);
  assertEquals(guest.grants.totalMapped, 0);
});

Deno.test("BlkbackRing takes one event for a full ring, and none for what follows while it works", () => {
  const { guest, disk } = manual();
  guest.page(20);
  for (let i = 0; i < 31; i++) guest.put(READ, i, 0, PAGE);
  assertEquals(guest.push(), true);
  guest.clock.step();
  guest.put(READ, 31, 0, PAGE);
  assertEquals(guest.push(), false);
  guest.clock.run();
  assertEquals(disk.asked.length, 32);
  for (let i = 0; i < 32; i++) disk.complete();
  guest.clock.run();
  assertEquals(guest.collect().map(({ id }) => id), Array.from({ length: 32 }, (_, i) => i));
  guest.put(READ, 0, 0, PAGE);
  assertEquals(guest.push(), true);
});

Deno.test("BlkbackRing notifies exactly when rsp_event lies in what it publishes", () => {
  const { guest, disk } = manual();
  guest.page(20);
  for (let i = 0; i < 4; i++) guest.put(READ, i, 0, PAGE);
  guest.push();
  guest.clock.run();
  const eventsAfter = (): number[] => {
    disk.complete();
    guest.clock.run();
    return [guest.events, guest.sent, guest.suppressed];
  };
  assertEquals(eventsAfter(), [1, 1, 0]);
  assertEquals(eventsAfter(), [1, 1, 1]);
  guest.collect();
  assertEquals(eventsAfter(), [2, 2, 1]);
  guest.ring.page.setUint32(SRING.RSP_EVENT, 9, true);
  assertEquals(eventsAfter(), [2, 2, 2]);
});

Deno.test("BlkbackRing counts a request without an event only when none came for it", () => {
  const { guest, disk } = manual();
  guest.page(20);
  for (let i = 0; i < 3; i++) guest.put(READ, i, 0, PAGE);
  guest.push();
  guest.clock.run();
  assertEquals([disk.asked.length, guest.unannounced], [3, 2]);
  guest.put(READ, 3, 0, PAGE);
  guest.push();
  guest.clock.run();
  assertEquals([disk.asked.length, guest.unannounced], [4, 2]);
});

Deno.test("BlkbackRing spends dom0's time on wake-up, request and response", () => {
  const { guest, disk } = manual(true);
  guest.page(20);
  const start = guest.clock.now;
  guest.put(READ, 1, 0, PAGE);
  guest.push();
  guest.clock.run();
  assertEquals(guest.clock.now - start, COSTS.wakeup + COSTS.perRequest);
  disk.complete();
  guest.clock.run();
  assertEquals(guest.clock.now - start, COSTS.wakeup + COSTS.perRequest + COSTS.perResponse);
});

Deno.test("BlkbackRing submits and answers after the time that grant operations take", () => {
  const { guest, disk } = manual();
  const { map, unmapAll } = guest.grants;
  guest.grants.map = (gref, access) => {
    guest.dom0.charge(DOM0_COST.grantMap, 700);
    return map.call(guest.grants, gref, access);
  };
  guest.grants.unmapAll = (grefs) => {
    guest.dom0.charge(DOM0_COST.grantUnmap, 900);
    unmapAll.call(guest.grants, grefs);
  };
  guest.page(20);
  const start = guest.clock.now;
  guest.put(READ, 1, 0, PAGE);
  guest.push();
  guest.clock.run();
  assertEquals(guest.clock.now - start, COSTS.wakeup + COSTS.perRequest + 700);
  const completed = guest.clock.now;
  disk.complete();
  guest.clock.run();
  assertEquals(guest.clock.now - completed, 900 + COSTS.perResponse);
});

Deno.test("BlkbackRing bears events without requests", () => {
  const { guest } = connected();
  for (let i = 0; i < 5; i++) {
    guest.kick();
    guest.clock.run();
  }
  guest.page(20);
  assertEquals(guest.read(0, PAGE).status, 0);
  assertEquals(guest.errors, []);
});

Deno.test("BlkbackRing serves on while the indexes wrap at 2^32", () => {
  const { guest } = connected({ startIndex: 0xffff_fff8 });
  const page = guest.page(20);
  for (let i = 0; i < 40; i++) {
    assertEquals(guest.read(i, { gref: 20, first: 0, last: 0 }).status, 0);
    assertEquals(page.subarray(0, 512), sectorsOf(IMAGE, i, 1));
  }
  assertEquals(guest.errors, []);
});

Deno.test("BlkbackRing stops for good when req_prod cannot be, until the frontend reconnects", () => {
  for (const bogus of [33, 0xffff_ffff]) {
    const { guest } = connected();
    guest.page(20);
    guest.ring.page.setUint32(SRING.REQ_PROD, bogus, true);
    guest.kick();
    guest.clock.run();
    assertEquals(guest.errors.length, 1);
    assertEquals(guest.ring.page.getUint32(SRING.RSP_PROD, true), 0);
    guest.ring.page.setUint32(SRING.REQ_PROD, 1, true);
    guest.kick();
    guest.clock.run();
    assertEquals(guest.ring.page.getUint32(SRING.RSP_PROD, true), 0);
    for (const state of [5, 6, 1]) guest.setState(state);
    guest.ring.initialise();
    guest.connect();
    assertEquals(guest.read(0, PAGE).status, 0);
  }
});

Deno.test("BlkbackRing survives a ring full of garbage", () => {
  const garbage = fc.uint8Array({ minLength: 4096 - 64, maxLength: 4096 - 64 });
  const operation = fc.option(fc.nat(7), { nil: undefined });
  fc.assert(
    fc.property(garbage, operation, fc.integer({ min: 1, max: 40 }), fc.boolean(), (
      bytes,
      op,
      requests,
      persistent,
    ) => {
      const { guest } = connected({ persistent });
      for (let gref = 0; gref < 8; gref++) {
        if (gref !== RING_REF) guest.page(gref, gref > 5).set(bytes);
      }
      guest.ringPage.set(bytes, SRING.RING);
      for (let i = 0; op !== undefined && i < 32; i++) {
        guest.ringPage[SRING.RING + i * I386.SIZE] = op;
        guest.ringPage[SRING.RING + i * I386.SIZE + REQUEST.NR_SEGMENTS] = i % 13;
        if (op !== BLKIF_OP.INDIRECT) continue;
        const at = SRING.RING + i * I386.SIZE;
        guest.ring.page.setUint16(at + REQUEST.INDIRECT_NR_SEGMENTS, i * 9, true);
        guest.ring.page.setUint32(at + I386.INDIRECT_GREFS, i % 10, true);
      }
      guest.ring.page.setUint32(SRING.REQ_PROD, requests, true);
      guest.kick();
      guest.clock.run();
      const answered = guest.ring.page.getUint32(SRING.RSP_PROD, true);
      assertEquals(answered, requests > 32 ? 0 : requests);
      if (!persistent) assertEquals(guest.grants.totalMapped, 1);
      guest.setState(6);
      assertEquals(guest.grants.totalMapped, 0);
    }),
    { numRuns: 60, seed: 5 },
  );
});

Deno.test({
  name: "BlkbackRing brings writes to the file, where the next backend finds them",
  ignore: !mayUseFiles,
  fn: () =>
    withFolder((folder) => {
      const path = `${folder}/a.img`;
      Deno.writeFileSync(path, IMAGE);
      const first = RawImage.open(path);
      const writer = connected({ backend: first, persistent: true }).guest;
      writer.page(20).set(pattern(4096, 77));
      assertEquals(writer.write(24, PAGE).status, 0);
      assertEquals(writer.request(FLUSH_DISKCACHE, 0).status, 0);
      first.close();
      const second = RawImage.open(path, { readOnly: true });
      const reader = connected({ backend: second }).guest;
      const page = reader.page(20);
      assertEquals(reader.read(24, PAGE).status, 0);
      second.close();
      assertEquals(page, pattern(4096, 77));
      const expected = IMAGE.slice();
      expected.set(page, 24 * 512);
      assertEquals(Deno.readFileSync(path), expected);
    }),
});
