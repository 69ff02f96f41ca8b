import { assertEquals } from "@std/assert";
import { MEDIA_PRESETS, TimedDisk } from "../../../devices/disk/timed.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { BLKIF_OP, I386, X86_64 } from "../../../devices/xen/blkif.ts";
import { ringEntries, SRING } from "../../../devices/xen/ring.ts";
import { RingPages } from "../../../devices/xen/ring_pages.ts";
import { FakeClock, pattern } from "../../helpers/disk.ts";
import { BlkfrontGuest, ringRef } from "../../helpers/xen.ts";

const IMAGE = pattern(1024 * 512);

/** Keys of a frontend with so many pages. */
function ringKeys(pages: number, key: Record<string, string>): Record<string, string> {
  const refs = Array.from({ length: pages }, (_, i) => [`ring-ref${i}`, String(ringRef(i))]);
  return { ...Object.fromEntries(refs), ...key };
}

function guestWith(pages: number, layout = I386): BlkfrontGuest {
  const clock = new FakeClock();
  const disk = new TimedDisk(clock, new MemoryDisk(IMAGE.slice()), MEDIA_PRESETS.ramdisk, () => {});
  return new BlkfrontGuest({ disk, clock, layout, ringPages: pages });
}

Deno.test("RingPages keeps every word in the page where a contiguous ring has it", () => {
  const pages = [new Uint8Array(4096), new Uint8Array(4096)];
  const wrote: unknown[] = [];
  const ring = new RingPages(pages, { wrote: (view) => wrote.push(view) });
  ring.setUint32(4092, 0x1234_5678, true);
  ring.setUint32(4096, 0x9abc_def0, true);
  assertEquals([...pages[0]!.subarray(4092)], [0x78, 0x56, 0x34, 0x12]);
  assertEquals([...pages[1]!.subarray(0, 4)], [0xf0, 0xde, 0xbc, 0x9a]);
  assertEquals([ring.getUint32(4092, true), ring.getUint32(4096, true)], [
    0x1234_5678,
    0x9abc_def0,
  ]);
  ring.wroteHeader();
  ring.wrote(4088, 12);
  assertEquals([wrote.length, wrote[0] === pages[0], wrote[1] === pages[1]], [2, true, true]);
});

const ORDERS = [1, 2, 3, 4];
for (const [protocol, layout] of [["x86_32-abi", I386], ["x86_64-abi", X86_64]] as const) {
  for (const order of ORDERS) {
    Deno.test(`BlkbackRing serves a full ring of ${2 ** order} pages, ${protocol}`, () => {
      const guest = guestWith(2 ** order, layout);
      guest.connect({ protocol, ...ringKeys(2 ** order, { "ring-page-order": String(order) }) });
      assertEquals(guest.backendKey("state"), "4");
      const entries = 32 * 2 ** order;
      assertEquals(ringEntries(guest.ringPage.length, layout.SIZE), entries);
      const pages = Array.from({ length: entries }, (_, i) => guest.page(2000 + i));
      for (let i = 0; i < entries; i++) {
        guest.put(BLKIF_OP.READ, i, i, { gref: 2000 + i, first: 0, last: 0 });
      }
      assertEquals(guest.push(), true, "one event for all");
      guest.clock.run();
      const answers = guest.collect();
      assertEquals(answers.map(({ id }) => id), Array.from({ length: entries }, (_, i) => i));
      assertEquals(answers.every(({ status }) => status === 0), true);
      pages.forEach((page, i) => {
        assertEquals(page.subarray(0, 512), IMAGE.subarray(i * 512, (i + 1) * 512));
      });
      guest.setState(6);
      assertEquals(guest.grants.totalMapped, 0);
    });
  }
}

Deno.test("Blkback takes the number of ring pages by its former name", () => {
  const guest = guestWith(4);
  guest.connect(ringKeys(4, { "num-ring-pages": "4" }));
  assertEquals(guest.backendKey("state"), "4");
  guest.page(20);
  for (let i = 0; i < 100; i++) {
    assertEquals(guest.read(i, { gref: 20, first: 0, last: 0 }).status, 0);
  }
  assertEquals([guest.grants.totalMapped, guest.errors.length], [4, 0]);
});

Deno.test("Blkback prefers ring-page-order to the former name", () => {
  const guest = guestWith(2);
  guest.connect(ringKeys(2, { "ring-page-order": "1", "num-ring-pages": "16" }));
  assertEquals([guest.backendKey("state"), guest.grants.totalMapped], ["4", 2]);
});

Deno.test("BlkbackRing stops when req_prod runs ahead of a ring of several pages", () => {
  const guest = guestWith(2);
  guest.connect(ringKeys(2, { "ring-page-order": "1" }));
  guest.ring.page.setUint32(SRING.REQ_PROD, 65, true);
  guest.kick();
  guest.clock.run();
  assertEquals(guest.errors.length, 1);
  assertEquals(guest.ring.page.getUint32(SRING.RSP_PROD, true), 0);
});
