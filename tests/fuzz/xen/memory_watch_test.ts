import { assertEquals, assertThrows } from "@std/assert";
import { PAGE_SIZE } from "../../../core/types.ts";
import { FRAMES } from "./layout.ts";
import { DISK_SECTORS, World } from "./world.ts";

const offers = { persistent: false };
const [FRAME] = FRAMES.data;
const GREF = 40;

function world(): World {
  const blockSize = { logical: 512, physical: 512 };
  return new World([{ vdev: "hda", readOnly: false, offers, backendType: "phy", blockSize }]);
}

Deno.test("MemoryWatch.findChange() tells of a byte that nobody may have written", () => {
  const { watch, memory } = world();
  assertEquals(watch.findChange(), undefined);
  memory.page(FRAME)![5]! ^= 1;
  assertEquals(
    watch.findChange()?.startsWith(`memory at ${(FRAME * PAGE_SIZE + 4).toString(16)}h`),
    true,
  );
});

Deno.test("MemoryWatch.findChange() allows the guest's stores, and dom0's while a page is mapped", () => {
  const it = world();
  it.store32(FRAME * PAGE_SIZE, 1);
  assertEquals(it.watch.findChange(), undefined);
  it.grant(GREF, FRAME);
  const page = it.domain.xen.grants.map(GREF, "write")!;
  page.fill(1);
  assertEquals(it.watch.findChange(), undefined);
  it.domain.xen.grants.unmap(GREF);
  assertEquals(it.watch.findChange(), undefined);
  page[0] = 2;
  assertEquals(it.watch.findChange() !== undefined, true);
});

Deno.test("MemoryWatch.findChange() tells of a store to a page that is mapped for reading only", () => {
  const it = world();
  it.grant(GREF, FRAME);
  const page = it.domain.xen.grants.map(GREF, "read")!;
  assertEquals(it.watch.isMapped(page, false), true);
  assertEquals(it.watch.isMapped(page, true), false);
  page[7] = 1 ^ page[7]!;
  assertEquals(it.watch.findChange() !== undefined, true);
  assertEquals(it.watch.mapped, [GREF]);
});

Deno.test("DiskModel.submit() refuses what no accepted request asks for", () => {
  const model = world().models.get("hda")!;
  const done = () => {};
  const segments = [new Uint8Array(512)];
  assertThrows(() => model.submit({ op: "write", sector: 0, segments, done }), Error, "not mapped");
  const discard = { op: "discard", sector: 0, segments: [], count: DISK_SECTORS, done } as const;
  assertThrows(() => model.submit(discard), Error, "no accepted request says so");
});
