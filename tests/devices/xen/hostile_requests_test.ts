/**
 * Requests that a hostile frontend puts on its ring, against a real backend, grant table and event
 * channels. After each attack all of memory, all images and the other disk are as they should be.
 */

import { assertEquals } from "@std/assert";
import type { BlkifLayout } from "../../../devices/xen/blkif.ts";
import { BLKIF_OP, I386, X86_64 } from "../../../devices/xen/blkif.ts";
import {
  dataGref,
  GOOD_WRITE,
  HostileBench,
  type HostileOptions,
  type HostileRequest,
  type HostileSegment,
} from "../../helpers/hostile.ts";

const { READ, WRITE, WRITE_BARRIER, FLUSH_DISKCACHE, DISCARD, INDIRECT } = BLKIF_OP;
const [ERROR, EOPNOTSUPP] = [-1, -2] as const;
const LAYOUTS: readonly (readonly [string, BlkifLayout])[] = [
  ["i386", I386],
  ["x86_64", X86_64],
];
/** Of the disk. */
const END = 512n;
const ONE: HostileSegment = { gref: dataGref(0) };

const PAST_END = "sectors past the end of the disk";
const BAD_SEGMENT = "segment outside its page";
const WRITE_PROTECTED = "write to a read-only disk";
const UNSUPPORTED = "operation not supported";

/** What is wrong with a write of the last eight sectors; its answer, and why. */
const WRONG: readonly (readonly [
  what: string,
  changes: Partial<HostileRequest>,
  status: number,
  reason: string,
  options?: HostileOptions,
])[] = [
  ["12 segments", { count: 12 }, ERROR, "more than 11 segments"],
  ["255 segments", { count: 255 }, ERROR, "more than 11 segments"],
  ["no segments", { count: 0 }, ERROR, "no segments"],
  [
    "12 segments behind a flush",
    { operation: FLUSH_DISKCACHE, count: 12 },
    ERROR,
    "more than 11 segments",
  ],
  [
    "255 segments in a barrier",
    { operation: WRITE_BARRIER, count: 255 },
    ERROR,
    "more than 11 segments",
  ],
  ["first > last", { segments: [{ gref: dataGref(0), first: 5, last: 4 }] }, ERROR, BAD_SEGMENT],
  ["last = 8", { segments: [{ gref: dataGref(0), last: 8 }] }, ERROR, BAD_SEGMENT],
  ["first and last = 8", { segments: [{ ...ONE, first: 8, last: 8 }] }, ERROR, BAD_SEGMENT],
  ["last = 255", { segments: [{ gref: dataGref(0), first: 0, last: 255 }] }, ERROR, BAD_SEGMENT],
  ["first = 255, last = 0", { segments: [{ ...ONE, first: 255, last: 0 }] }, ERROR, BAD_SEGMENT],
  [
    "a bad segment behind good ones",
    {
      sector: 0n,
      segments: [ONE, ONE, { ...ONE, first: 7, last: 6 }],
    },
    ERROR,
    BAD_SEGMENT,
  ],
  ["one sector past the end", { sector: END - 7n }, ERROR, PAST_END],
  ["the first sector past the end", { sector: END }, ERROR, PAST_END],
  ["a sector beyond 2^32", { sector: 2n ** 32n }, ERROR, PAST_END],
  ["a sector beyond 2^53", { sector: 2n ** 53n + 1n }, ERROR, PAST_END],
  ["a signed overflow", { sector: 2n ** 63n - 4n }, ERROR, PAST_END],
  ["a range that wraps at 2^64", { sector: 2n ** 64n - 4n }, ERROR, PAST_END],
  ["a range that ends at 2^64", { sector: 2n ** 64n - 8n }, ERROR, PAST_END],
  ["an operation that is reserved", { operation: 4 }, EOPNOTSUPP, UNSUPPORTED],
  ["an operation that there is not", { operation: 7 }, EOPNOTSUPP, UNSUPPORTED],
  ["operation 255", { operation: 255 }, EOPNOTSUPP, UNSUPPORTED],
  ["a write to a read-only disk", {}, ERROR, WRITE_PROTECTED, { readOnly: true }],
  [
    ...["data behind a flush to a read-only disk", { operation: FLUSH_DISKCACHE }] as const,
    ...[ERROR, WRITE_PROTECTED, { readOnly: true }] as const,
  ],
  [
    ...["data in a barrier to a read-only disk", { operation: WRITE_BARRIER }] as const,
    ...[ERROR, WRITE_PROTECTED, { readOnly: true }] as const,
  ],
  [
    ...["a discard on a read-only disk", { operation: DISCARD, sectors: 8n }] as const,
    ...[ERROR, WRITE_PROTECTED, { readOnly: true }] as const,
  ],
  ["a discard past the end", { operation: DISCARD, sectors: 9n }, ERROR, PAST_END],
  [
    "a discard of 2^64 - 1 sectors",
    { operation: DISCARD, sectors: 2n ** 64n - 1n },
    ERROR,
    PAST_END,
  ],
  [
    ...["a discard that wraps at 2^64", {
      operation: DISCARD,
      sector: 8n,
      sectors: 2n ** 64n - 8n,
    }] as const,
    ...[ERROR, PAST_END] as const,
  ],
  [
    ...["a discard from 2^64 - 8", {
      operation: DISCARD,
      sector: 2n ** 64n - 8n,
      sectors: 8n,
    }] as const,
    ...[ERROR, PAST_END] as const,
  ],
  [
    ...["a secure discard", { operation: DISCARD, sectors: 8n, flag: 1 }] as const,
    ...[EOPNOTSUPP, "secure discard not supported"] as const,
  ],
];

for (const [architecture, layout] of LAYOUTS) {
  for (const [what, changes, status, reason, options] of WRONG) {
    Deno.test(`BlkbackRing refuses ${what}, ${architecture}`, () => {
      const bench = new HostileBench({ layout, ...options });
      const request = { ...GOOD_WRITE, ...changes };
      assertEquals(bench.request(request), {
        ...{ id: 7, operation: request.operation, status },
        pad: layout === I386 ? [0] : [0, 0, 0, 0, 0],
      });
      assertEquals(bench.refused, { [reason]: 1 });
      assertEquals(bench.mapped, []);
      bench.assertUnharmed();
    });
  }
}

/** What is wrong with an INDIRECT request; what its page holds besides. */
const WRONG_INDIRECT: readonly (readonly [
  what: string,
  changes: Partial<HostileRequest>,
  segments: readonly HostileSegment[],
  reason: string,
])[] = [
  ["257 segments", { count: 257 }, [ONE], "more than 256 indirect segments"],
  ["65535 segments", { count: 65535 }, [ONE], "more than 256 indirect segments"],
  [
    ...["4096 segments in eight pages", {
      count: 4096,
      indirectGrefs: Array(8).fill(dataGref(1)),
    }] as const,
    ...[[ONE], "more than 256 indirect segments"] as const,
  ],
  ["no segments", { count: 0 }, [ONE], "no segments"],
  ["a barrier inside", { indirectOp: 2 }, [ONE], "indirect operation is neither read nor write"],
  ["a discard inside", { indirectOp: 5 }, [ONE], "indirect operation is neither read nor write"],
  ["another inside", { indirectOp: 6 }, [ONE], "indirect operation is neither read nor write"],
  [
    "operation 255 inside",
    { indirectOp: 255 },
    [ONE],
    "indirect operation is neither read nor write",
  ],
  ["first > last", {}, [{ gref: dataGref(0), first: 1, last: 0 }], BAD_SEGMENT],
  ["last = 8", {}, [{ gref: dataGref(0), last: 8 }], BAD_SEGMENT],
  ["a range past the end", { count: 2 }, [ONE, ONE], PAST_END],
  ["a range that wraps at 2^64", { sector: 2n ** 64n - 4n }, [ONE], PAST_END],
  ["a page that is not granted", { indirectGrefs: [3] }, [ONE], "grant does not permit access"],
  [
    "a page beyond the table",
    { indirectGrefs: [0xffffffff] },
    [ONE],
    "grant does not permit access",
  ],
];

for (const [architecture, layout] of LAYOUTS) {
  for (const [what, changes, segments, reason] of WRONG_INDIRECT) {
    Deno.test(`BlkbackRing refuses INDIRECT with ${what}, ${architecture}`, () => {
      const bench = new HostileBench({ layout });
      bench.writeSegments(dataGref(1), segments);
      const answer = bench.request({
        ...{ operation: INDIRECT, indirectOp: WRITE, id: 9, count: 1, sector: END - 8n },
        ...{ indirectGrefs: [dataGref(1)], ...changes },
      });
      assertEquals([answer?.id, answer?.status], [9, ERROR]);
      assertEquals(answer?.pad.every((byte) => byte === 0), true);
      assertEquals(bench.refused, { [reason]: 1 });
      assertEquals(bench.mapped, []);
      bench.assertUnharmed();
    });
  }
}

Deno.test("BlkbackRing refuses INDIRECT where it was not offered", () => {
  const bench = new HostileBench({ indirect: false });
  const answer = bench.request({ operation: INDIRECT, count: 1, indirectGrefs: [dataGref(1)] });
  assertEquals(answer?.status, EOPNOTSUPP);
  assertEquals(bench.refused, { [UNSUPPORTED]: 1 });
  bench.assertUnharmed();
});

Deno.test("BlkbackRing answers two requests of one id twice", () => {
  const bench = new HostileBench();
  for (let i = 0; i < 2; i++) bench.put({ operation: READ, id: 5, segments: [ONE] });
  bench.push();
  bench.world.pass(50_000_000);
  assertEquals(bench.collect().map(({ id, status }) => [id, status]), [[5, 0], [5, 0]]);
  bench.assertUnharmed();
});

Deno.test("BlkbackRing does not believe the handle of a request", () => {
  const bench = new HostileBench();
  const at = bench.put({ operation: READ, id: 1, segments: [ONE] });
  bench.ring.page.setUint16(at + 2, 5696, true); // the good frontend's disk
  bench.wrote(24);
  bench.push();
  bench.world.pass(50_000_000);
  assertEquals(bench.collect()[0]?.status, 0);
  assertEquals(bench.page(32)[0], 0x5a); // it read from its own disk
  bench.assertUnharmed();
});

Deno.test("BlkbackRing writes nothing into a page but the sectors that were asked for", () => {
  const bench = new HostileBench();
  const page = bench.page(32).fill(0x11);
  bench.wrote(32);
  bench.request({ operation: READ, segments: [{ ...ONE, first: 3, last: 4 }] });
  const expected = Uint8Array.from(
    { length: 4096 },
    (_, at) => at >> 9 === 3 || at >> 9 === 4 ? 0x5a : 0x11,
  );
  assertEquals(page, expected);
  bench.assertUnharmed();
});
