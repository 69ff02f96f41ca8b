import { assertEquals } from "@std/assert";
import { layered } from "../../../core/machine/backend_kinds.ts";
import { BACKEND_KINDS, type BackendKind } from "../../../core/types.ts";
import { MEDIA_PRESETS } from "../../../devices/disk/media.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { TimedDisk } from "../../../devices/disk/timed.ts";
import { FakeClock, FakeDom0 } from "../../helpers/disk.ts";
import { COSTS } from "../../helpers/host.ts";

/** One request of 4096 bytes, cold and again. @returns dom0's books, and the time of each */
function served(kind: BackendKind, op: "read" | "write") {
  const clock = new FakeClock();
  const dom0 = new FakeDom0(clock);
  const image = new MemoryDisk(new Uint8Array(1 << 20));
  const media = new TimedDisk(clock, image, MEDIA_PRESETS.ssd, () => {});
  const disk = layered(kind, { clock, dom0, costs: COSTS, medium: media, store: media });
  const times: number[] = [];
  for (let i = 0; i < 2; i++) {
    const start = clock.now;
    const done = () => times.push(clock.now - start);
    disk.submit({ op, sector: 8, segments: [new Uint8Array(4096)], done });
    while (times.length === i) clock.step();
  }
  return { books: dom0.books, times };
}

const c = COSTS;
const BLOCK = c.blockSubmit + c.blockComplete;
const LOOP = c.loopSubmit + c.loopComplete;
const TAPDISK = c.tapdiskSubmit + c.tapdiskComplete;
const QDISK = c.qdiskSubmit + c.qdiskComplete;
const MEDIA = 80_000 + 8_192;
const MEDIA_WRITE = 20_000 + 8_192;
const COPY = c.pageCacheCopy;

/** Of the two requests together; `times` of the first and the second. */
const READS: Readonly<Record<BackendKind, { books: unknown; times: number[] }>> = {
  phy: { books: { blockLayer: 2 * BLOCK }, times: [BLOCK + MEDIA, BLOCK + MEDIA] },
  file: {
    books: { blockLayer: 3 * BLOCK, loop: 2 * LOOP, pageCache: 2 * COPY },
    times: [2 * BLOCK + LOOP + COPY + MEDIA, BLOCK + LOOP + COPY],
  },
  qdisk: {
    books: { blockLayer: BLOCK, qdisk: 2 * QDISK, pageCache: 2 * COPY },
    times: [BLOCK + QDISK + COPY + MEDIA, QDISK + COPY],
  },
  tap: {
    books: { blockLayer: 4 * BLOCK, tapdisk: 2 * TAPDISK },
    times: [2 * BLOCK + TAPDISK + MEDIA, 2 * BLOCK + TAPDISK + MEDIA],
  },
};

for (const kind of BACKEND_KINDS) {
  Deno.test(`layered() has a read over ${kind} pay its layers, under their names`, () => {
    assertEquals(served(kind, "read"), READS[kind]);
  });
}

Deno.test("layered() has a write over file and qdisk done in memory, and over the others on the medium", () => {
  assertEquals(served("file", "write").times[0], BLOCK + LOOP + COPY);
  assertEquals(served("qdisk", "write").times[0], QDISK + COPY);
  assertEquals(served("phy", "write").times[0], BLOCK + MEDIA_WRITE);
  assertEquals(served("tap", "write").times[0], 2 * BLOCK + TAPDISK + MEDIA_WRITE);
});
