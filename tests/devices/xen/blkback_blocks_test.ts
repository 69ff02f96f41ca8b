import { assertEquals } from "@std/assert";
import { BLKIF_OP } from "../../../devices/xen/blkif.ts";
import { ManualDisk } from "../../helpers/disk.ts";
import { BlkfrontGuest, type Segment } from "../../helpers/xen.ts";

const { READ, WRITE, FLUSH_DISKCACHE } = BLKIF_OP;

/** A disk that serves discards. */
class DiscardingDisk extends ManualDisk {
  readonly canDiscard = true;
}

/** A connected guest with a disk of 4096-byte blocks. */
function connected() {
  const disk = new DiscardingDisk(64);
  const guest = new BlkfrontGuest({ disk, blockSize: { logical: 4096, physical: 8192 } });
  guest.connect();
  guest.page(20);
  return { guest, disk };
}

Deno.test("Blkback publishes its block sizes, and the sectors in units of 512 bytes", () => {
  const { guest } = connected();
  const keys = ["sectors", "sector-size", "physical-sector-size", "discard-granularity"];
  assertEquals(keys.map((key) => guest.backendKey(key)), ["64", "4096", "8192", "4096"]);
});

const ALIGNED: readonly (readonly [operation: number, sector: number, ...Segment[]])[] = [
  [READ, 8, { gref: 20 }],
  [WRITE, 56, { gref: 20 }],
  [FLUSH_DISKCACHE, 0],
];

for (const [operation, ...where] of ALIGNED) {
  Deno.test(`BlkbackRing serves operation ${operation} in whole blocks`, () => {
    const { guest, disk } = connected();
    guest.put(operation, 1, ...where);
    guest.push();
    guest.clock.run();
    assertEquals(disk.asked.length, 1);
  });
}

const UNALIGNED: readonly (readonly [string, sector: number, ...Segment[]])[] = [
  ["starts inside a block", 4, { gref: 20 }],
  ["ends inside a block", 8, { gref: 20, last: 3 }],
  ["has a segment of half a block", 8, { gref: 20, last: 3 }, { gref: 20, first: 4 }],
];

for (const operation of [READ, WRITE]) {
  for (const [what, ...where] of UNALIGNED) {
    Deno.test(`BlkbackRing refuses operation ${operation} that ${what}`, () => {
      const { guest, disk } = connected();
      assertEquals(guest.request(operation, ...where).status, -1);
      assertEquals(disk.asked, []);
      assertEquals(guest.grants.log, ["map 8 write"], "the ring's");
      assertEquals(guest.errors.length, 1);
    });
  }
}

Deno.test("BlkbackRing refuses indirect segments that are no whole blocks", () => {
  const { guest, disk } = connected();
  const list = { gref: 19, page: guest.page(19), segments: [{ gref: 20 }, { gref: 20, last: 6 }] };
  guest.putIndirect(READ, 5, 0, list);
  assertEquals(guest.serve(), { id: 5, operation: READ, status: -1 });
  assertEquals(disk.asked, []);
});

for (const [sector, sectors, status] of [[8, 8n, 0], [4, 8n, -1], [8, 4n, -1]] as const) {
  Deno.test(`BlkbackRing answers DISCARD of ${sectors} sectors at ${sector} with ${status}`, () => {
    const { guest, disk } = connected();
    guest.putDiscard(1, sector, sectors);
    guest.push();
    guest.clock.run();
    if (status === 0) disk.complete();
    guest.clock.run();
    assertEquals(guest.collect().map((answer) => answer.status), [status]);
  });
}

Deno.test("Blkback publishes a CD-ROM as one, removable and read-only", () => {
  const guest = new BlkfrontGuest({ disk: new ManualDisk(64, true), mode: "r", cdrom: true });
  guest.connect();
  assertEquals(guest.backendKey("info"), "7");
  guest.page(20);
  assertEquals(guest.write(0, { gref: 20 }).status, -1);
});
