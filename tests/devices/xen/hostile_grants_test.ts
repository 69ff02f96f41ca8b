/**
 * Grants that a hostile frontend gives, takes back and changes, before the backend uses them and
 * while it does.
 */

import { assertEquals } from "@std/assert";
import { GTF_READING, GTF_READONLY, GTF_WRITING } from "../../../core/hypervisor/grants/entry.ts";
import { BLKIF_OP } from "../../../devices/xen/blkif.ts";
import { dataGref, frameOf, HostileBench, type HostileSegment } from "../../helpers/hostile.ts";

const { READ, WRITE, INDIRECT } = BLKIF_OP;
const PERMIT = 1;
const GREF = dataGref(0);
const OTHER = dataGref(1);
const WHY = "grant does not permit access";
/** The local APIC. */
const MMIO = 0xfee00;
const VIDEO_HOLE = 0xa0;
const VERSIONS = [1, 2] as const;

const segment = (gref: number): HostileSegment => ({ gref });
const read = (gref: number) => ({ operation: READ, id: 3, segments: [segment(gref)] });
const write = (gref: number) => ({ operation: WRITE, id: 3, segments: [segment(gref)] });

/** The marks that tell the guest of a page in use. */
function marks({ world }: HostileBench, gref: number): number {
  const { frames } = world.domain.xen.grantTables.guest;
  const status = frames.status(0);
  const word = status === undefined
    ? frames.flags(gref)
    : new DataView(status.buffer, status.byteOffset).getUint16(gref * 2, true);
  return word & (GTF_READING | GTF_WRITING);
}

/** What the frontend names, and what it has done before. */
const REFUSED: readonly (readonly [
  what: string,
  gref: number,
  prepare: (bench: HostileBench) => void,
])[] = [
  ["an entry that was never granted", 300, () => {}],
  ["an entry that has been revoked", GREF, ({ world }) => world.grant(GREF, 32, 0)],
  ["an entry beyond the table", 1024, () => {}],
  ["an entry beyond every table", 0x80000000, () => {}],
  ["entry 2^32 - 1", 0xffffffff, () => {}],
  ["a page granted to another domain", GREF, ({ world }) => world.grant(GREF, 32, PERMIT, 2)],
  ["a page granted to itself", GREF, ({ world }) => world.grant(GREF, 32, PERMIT, 1)],
  ["a page granted to nobody", GREF, ({ world }) => world.grant(GREF, 32, PERMIT, 0x7ff4)],
  ["a transfer", GREF, ({ world }) => world.grant(GREF, 32, 2)],
  ["a transitive grant", GREF, ({ world }) => world.grant(GREF, 32, 3)],
  ["registers of a device", GREF, ({ world }) => world.grant(GREF, MMIO)],
  ["a hole", GREF, ({ world }) => world.grant(GREF, VIDEO_HOLE)],
  ["a frame beyond RAM", GREF, ({ world }) => world.grant(GREF, 0x200)],
  ["a frame beyond 4 GiB", GREF, ({ world }) => world.grant(GREF, 0x100000)],
  ["frame 2^32 - 1", GREF, ({ world }) => world.grant(GREF, 0xffffffff)],
];

for (const grantVersion of VERSIONS) {
  for (const persistent of [false, true]) {
    const how = `version ${grantVersion}, ${persistent ? "persistent" : "not persistent"}`;

    Deno.test(`BlkbackRing refuses a request for what is not granted, ${how}`, () => {
      const bench = new HostileBench({ grantVersion, persistent });
      for (const [index, [what, gref, prepare]] of REFUSED.entries()) {
        bench.world.grant(GREF, frameOf(GREF));
        prepare(bench);
        assertEquals(bench.request(write(gref))?.status, -1, what);
        assertEquals(bench.refused, { [WHY]: index + 1 }, what);
        assertEquals(bench.mapped, [], what);
        if (gref === GREF) assertEquals(marks(bench, GREF), 0, what);
      }
      bench.assertUnharmed();
    });

    Deno.test(`BlkbackRing reads into no page that is granted for reading, ${how}`, () => {
      const bench = new HostileBench({ grantVersion, persistent });
      bench.world.grant(GREF, frameOf(GREF), PERMIT | GTF_READONLY);
      assertEquals(bench.request(read(GREF))?.status, -1);
      // Persistent pages are used again for whatever comes: they must be writable.
      assertEquals(bench.request(write(GREF))?.status, persistent ? -1 : 0);
      assertEquals(bench.mapped, []);
      assertEquals(marks(bench, GREF), 0);
      bench.assertUnharmed(persistent);
    });

    Deno.test(`BlkbackRing lets all pages go when one of a request is refused, ${how}`, () => {
      const bench = new HostileBench({ grantVersion, persistent });
      const segments = [0, 1, 2, 3, 4].map((page) => segment(dataGref(page)));
      segments[3] = segment(300);
      assertEquals(bench.request({ operation: READ, segments })?.status, -1);
      assertEquals(bench.mapped, []);
      for (let page = 0; page < 5; page++) assertEquals(marks(bench, dataGref(page)), 0);
      bench.assertUnharmed();
    });

    Deno.test(`BlkbackRing uses a page that is revoked meanwhile to the end, then no more, ${how}`, () => {
      const bench = new HostileBench({ grantVersion, persistent });
      bench.put(read(GREF));
      bench.push();
      bench.world.pass(20_000);
      assertEquals(bench.mapped, [GREF]);
      bench.world.grant(GREF, 0, 0);
      bench.world.pass(50_000_000);
      assertEquals(bench.collect()[0]?.status, 0);
      assertEquals(bench.page(frameOf(GREF))[0], 0x5a);
      assertEquals(bench.request(read(GREF))?.status, persistent ? 0 : -1);
      bench.setState(6);
      assertEquals(bench.mapped, []);
      assertEquals(marks(bench, GREF), 0);
      bench.assertUnharmed();
    });
  }
}

Deno.test("BlkbackRing uses the page that it has mapped, whatever frame is named meanwhile", () => {
  const bench = new HostileBench();
  bench.put(read(GREF));
  bench.push();
  bench.world.pass(20_000);
  bench.world.grant(GREF, frameOf(OTHER));
  bench.world.pass(50_000_000);
  assertEquals(bench.collect()[0]?.status, 0);
  assertEquals(bench.page(frameOf(GREF))[0], 0x5a);
  assertEquals(bench.page(frameOf(OTHER))[0] === 0x5a, false);
  assertEquals(bench.request(read(GREF))?.status, 0);
  assertEquals(bench.page(frameOf(OTHER))[0], 0x5a);
  bench.assertUnharmed();
});

Deno.test("BlkbackRing uses a page that leaves the guest's memory meanwhile to the end", () => {
  const bench = new HostileBench();
  bench.put(read(GREF));
  bench.push();
  bench.world.pass(20_000);
  const before = bench.page(frameOf(GREF));
  bench.world.domain.xen.grantTables.frames.place(
    bench.world.domain.xen.grantTables.guest.frames.shared(1)!,
    frameOf(GREF),
  );
  bench.world.pass(50_000_000);
  assertEquals(bench.collect()[0]?.status, 0);
  assertEquals(before[0], 0x5a);
  bench.assertUnharmed();
});

for (const persistent of [false, true]) {
  const how = persistent ? "persistent" : "not persistent";

  Deno.test(`BlkbackRing serves a request whose segments share a page, ${how}`, () => {
    const bench = new HostileBench({ persistent });
    const segments = Array.from({ length: 11 }, () => segment(GREF));
    assertEquals(bench.request({ operation: READ, segments })?.status, 0);
    bench.setState(6);
    assertEquals(bench.mapped, []);
    assertEquals(marks(bench, GREF), 0);
    bench.assertUnharmed();
  });

  Deno.test(`BlkbackRing copies the segments of a page that the request overwrites, ${how}`, () => {
    const bench = new HostileBench({ persistent });
    bench.writeSegments(OTHER, [segment(OTHER), segment(GREF), segment(OTHER)]);
    const request = { operation: INDIRECT, indirectOp: READ, indirectGrefs: [OTHER], count: 3 };
    assertEquals(bench.request(request)?.status, 0);
    assertEquals(bench.page(frameOf(OTHER)).every((byte) => byte === 0x5a), true);
    assertEquals(bench.page(frameOf(GREF)).every((byte) => byte === 0x5a), true);
    bench.setState(6);
    assertEquals(bench.mapped, []);
    bench.assertUnharmed();
  });

  Deno.test(`BlkbackRing takes the ring's page for an indirect page, and for data, ${how}`, () => {
    const bench = new HostileBench({ persistent });
    const ringGref = 111;
    const request = {
      operation: INDIRECT,
      indirectOp: WRITE,
      indirectGrefs: [ringGref],
      count: 256,
    };
    // The page begins with indexes, which make no segment.
    assertEquals(bench.request(request)?.status, -1);
    // Data over the indexes: the frontend has stopped its own ring, and nobody else's.
    bench.put({ operation: READ, segments: [segment(ringGref)] });
    bench.push();
    bench.world.pass(50_000_000);
    assertEquals(bench.page(24)[100], 0x5a);
    bench.reconnect();
    assertEquals(bench.request(read(GREF))?.status, 0);
    bench.assertUnharmed();
  });
}

Deno.test("BlkbackRing lets all persistent pages go when its frontend closes", () => {
  const bench = new HostileBench({ persistent: true });
  for (let page = 0; page < 32; page++) bench.request(read(dataGref(page)));
  assertEquals(bench.mapped.length, 32);
  bench.setState(5);
  bench.setState(6);
  assertEquals(bench.mapped, []);
  for (let page = 0; page < 32; page++) assertEquals(marks(bench, dataGref(page)), 0);
  bench.assertUnharmed();
});
