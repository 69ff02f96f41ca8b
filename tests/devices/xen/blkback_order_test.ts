import { assertEquals } from "@std/assert";
import type { Disk } from "../../../core/types.ts";
import { BLKIF_OP } from "../../../devices/xen/blkif.ts";
import { ManualDisk } from "../../helpers/disk.ts";
import { BlkfrontGuest } from "../../helpers/xen.ts";

const { READ, WRITE, WRITE_BARRIER } = BLKIF_OP;
const PAGE = { gref: 20 };
const SECTORS = 64;

/** A connected guest over a disk in the test's hands. */
function manual(options: { mode?: "r" | "w"; canDiscard?: boolean } = {}) {
  const disk = Object.assign(new ManualDisk(SECTORS), { canDiscard: options.canDiscard ?? true });
  const guest = new BlkfrontGuest({ disk: disk as Disk, mode: options.mode ?? "w" });
  guest.connect();
  guest.page(20);
  return { guest, disk };
}

Deno.test("BlkbackRing holds a barrier until all before it are answered, and what follows it", () => {
  const { guest, disk } = manual();
  guest.put(WRITE, 1, 0, PAGE);
  guest.put(READ, 2, 8, PAGE);
  guest.put(WRITE_BARRIER, 3, 16, PAGE);
  guest.put(READ, 4, 24, PAGE);
  guest.push();
  const next = (): string[] => {
    guest.clock.run();
    const asked = disk.asked.splice(0);
    disk.complete();
    return asked;
  };
  assertEquals(next(), ["write 0 4096", "read 8 4096"]);
  assertEquals(next(), []);
  assertEquals(next(), ["flush 0"]);
  assertEquals(next(), ["write 16 4096"]);
  assertEquals(next(), ["flush 0"]);
  assertEquals(next(), ["read 24 4096"]);
});

Deno.test("BlkbackRing flushes before and after the write of a barrier", () => {
  const { guest, disk } = manual();
  guest.put(WRITE_BARRIER, 3, 16, PAGE);
  guest.push();
  for (let i = 0; i < 3; i++) {
    guest.clock.run();
    assertEquals(guest.collect(), []);
    disk.complete();
  }
  guest.clock.run();
  assertEquals(disk.asked, ["flush 0", "write 16 4096", "flush 0"]);
  assertEquals(guest.collect(), [{ id: 3, operation: WRITE_BARRIER, status: 0 }]);
});

Deno.test("BlkbackRing takes a barrier without data for a flush", () => {
  const { guest, disk } = manual();
  guest.put(WRITE_BARRIER, 3, 0xffff_ffff);
  guest.push();
  guest.clock.run();
  disk.complete();
  guest.clock.run();
  assertEquals(disk.asked, ["flush 0"]);
  assertEquals(guest.collect(), [{ id: 3, operation: WRITE_BARRIER, status: 0 }]);
});

Deno.test("BlkbackRing serves a barrier that waits while the frontend closes", () => {
  const { guest, disk } = manual();
  guest.put(WRITE, 1, 0, PAGE);
  guest.put(WRITE_BARRIER, 2, 16, PAGE);
  guest.push();
  guest.clock.run();
  guest.setState(6);
  assertEquals(guest.backendKey("state"), "4");
  while (disk.pending.length > 0) {
    disk.complete();
    guest.clock.run();
  }
  assertEquals(disk.asked, ["write 0 4096", "flush 0", "write 16 4096", "flush 0"]);
  assertEquals([guest.backendKey("state"), guest.grants.totalMapped], ["6", 0]);
});

Deno.test("Blkback offers discard where disk, mode and toolstack allow it", () => {
  const keys = ["feature-discard", "discard-granularity", "discard-alignment", "discard-secure"];
  const offered = (options: { mode?: "r"; canDiscard?: boolean }) =>
    keys.map((key) => manual(options).guest.backendKey(key));
  assertEquals(offered({}), ["1", "512", "0", "0"]);
  const none = ["0", undefined, undefined, undefined];
  assertEquals(offered({ mode: "r" }), none);
  assertEquals(offered({ canDiscard: false }), none);
});

const DISCARDS: readonly (readonly [string, number, bigint, number, number])[] = [
  ["all sectors", 0, 64n, 0, 0],
  ["one sector too many", 1, 64n, 0, -1],
  ["sectors that wrap at 2^64", 8, 2n ** 64n - 8n, 0, -1],
  ["no sectors", 64, 0n, 0, 0],
  ["no sectors past the end", 65, 0n, 0, -1],
  ["sectors beyond recovery", 0, 8n, 1, -2],
];

for (const [what, sector, sectors, flag, status] of DISCARDS) {
  Deno.test(`BlkbackRing answers a discard of ${what} with ${status}`, () => {
    const { guest, disk } = manual();
    guest.putDiscard(7, sector, sectors, flag);
    guest.push();
    guest.clock.run();
    if (status === 0) disk.complete();
    guest.clock.run();
    assertEquals(guest.collect(), [{ id: 7, operation: BLKIF_OP.DISCARD, status }]);
    assertEquals(disk.asked, status === 0 ? [`discard ${sector}`] : []);
    assertEquals(guest.errors.length, status === 0 ? 0 : 1);
  });
}

// Linux asks where a discard lies (xen_vbd_translate) before it asks the disk for one.
Deno.test("BlkbackRing refuses a discard that was not offered, and first one past the end", () => {
  for (
    const [options, sector, status] of [
      [{ canDiscard: false }, 0, -2],
      [{ canDiscard: false }, 57, -1],
      [{ mode: "r" }, 0, -1],
    ] as const
  ) {
    const { guest, disk } = manual(options);
    guest.putDiscard(7, sector, 8n);
    assertEquals(guest.serve().status, status);
    assertEquals(disk.asked, []);
  }
});
