import { assertEquals } from "@std/assert";
import { MEDIA_PRESETS } from "../../../devices/disk/media.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { TimedDisk } from "../../../devices/disk/timed.ts";
import { BLKIF_OP } from "../../../devices/xen/blkif.ts";
import { BrokenBackend, FakeClock, ManualDisk, pattern } from "../../helpers/disk.ts";
import { BlkfrontGuest } from "../../helpers/xen.ts";

const IMAGE = pattern(64 * 512);

/** A connected guest of a backend that copies, with a page under grants 20 and 21. */
function connected(broken = false) {
  const clock = new FakeClock();
  const image = new MemoryDisk(IMAGE.slice());
  const backend = broken ? new BrokenBackend() : image;
  const disk = new TimedDisk(clock, backend, MEDIA_PRESETS.ramdisk, () => {});
  const offers = { indirect: false, queues: 1 };
  const guest = new BlkfrontGuest({ disk, clock, copies: true, offers });
  guest.connect();
  const pages = [guest.page(20), guest.page(21)] as const;
  guest.grants.log.length = 0;
  return { guest, image, pages };
}

const SEGMENTS = [{ gref: 20, first: 6 }, { gref: 21, last: 2 }] as const;

Deno.test("CopiedPages fills the guest's pages when the disk has served a read, and maps none", () => {
  const { guest, pages } = connected();
  for (const page of pages) page.fill(0xee);
  assertEquals(guest.read(8, ...SEGMENTS).status, 0);
  assertEquals(pages[0].subarray(3072), IMAGE.subarray(8 * 512, 10 * 512));
  assertEquals(pages[1].subarray(0, 1536), IMAGE.subarray(10 * 512, 13 * 512));
  assertEquals(pages[0].subarray(0, 3072), new Uint8Array(3072).fill(0xee));
  assertEquals(pages[1].subarray(1536), new Uint8Array(2560).fill(0xee));
  assertEquals(guest.grants.log, ["copy 20 write 3072+1024", "copy 21 write 0+1536"]);
});

Deno.test("CopiedPages has the data of a write before the disk, which sees no later change", () => {
  const disk = new ManualDisk(64);
  const guest = new BlkfrontGuest({ disk, copies: true });
  guest.connect();
  const page = guest.page(20).fill(1);
  guest.put(BLKIF_OP.WRITE, 1, 8, { gref: 20 });
  guest.push();
  guest.clock.run();
  page.fill(2);
  assertEquals(disk.pending[0]!.segments[0]![0], 1);
  disk.complete();
  guest.clock.run();
  assertEquals(guest.collect().map(({ status }) => status), [0]);
  assertEquals([guest.grants.mapped(20), guest.errors.length], [0, 0]);
});

Deno.test("CopiedPages gives the disk the same memory for the next request of the same shape", () => {
  const disk = new ManualDisk(64);
  const guest = new BlkfrontGuest({ disk, copies: true });
  guest.connect();
  for (const gref of [20, 21, 22]) guest.page(gref);
  const segmentsOf = (...segments: { gref: number; last?: number }[]) => {
    guest.put(BLKIF_OP.WRITE, 1, 8, ...segments);
    guest.push();
    guest.clock.run();
    const views = [...disk.pending[0]!.segments];
    disk.complete();
    guest.clock.run();
    return views;
  };
  const before = segmentsOf({ gref: 20 }, { gref: 21 });
  assertEquals(segmentsOf({ gref: 22, last: 2 }).map(({ length }) => length), [1536]);
  const after = segmentsOf({ gref: 22 }, { gref: 20 });
  assertEquals([after.length, after[1] === before[1]], [2, true]);
});

Deno.test("CopiedPages fails a request whose pages are not granted as it needs them", () => {
  const { guest, image } = connected();
  guest.page(22, true);
  assertEquals(guest.read(8, { gref: 20 }, { gref: 22 }).status, -1);
  assertEquals(guest.read(8, { gref: 4242 }).status, -1);
  assertEquals(guest.write(8, { gref: 20 }, { gref: 4242 }).status, -1);
  assertEquals(guest.write(8, { gref: 22 }).status, 0);
  assertEquals(image.bytes.subarray(16 * 512), IMAGE.subarray(16 * 512), "nothing else is written");
  assertEquals(guest.read(0, { gref: 20 }).status, 0);
});

Deno.test("CopiedPages leaves the guest's pages alone when the disk fails", () => {
  const { guest, pages } = connected(true);
  pages[0].fill(0xee);
  assertEquals(guest.read(8, { gref: 20 }).status, -1);
  assertEquals(pages[0], new Uint8Array(4096).fill(0xee));
  assertEquals(guest.grants.log, []);
});

Deno.test("CopiedPages that cannot be delivered do not stop the worker, who is at another request", () => {
  const { guest } = connected();
  const statusAfter = (gref: number) => {
    guest.put(BLKIF_OP.READ, gref, 8, { gref });
    guest.push();
    guest.clock.runTo(guest.clock.now + 100_000);
    return guest.collect().map(({ status }) => status);
  };
  assertEquals([statusAfter(4242), statusAfter(20)], [[-1], [0]]);
});
