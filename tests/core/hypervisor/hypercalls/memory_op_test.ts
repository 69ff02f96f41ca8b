import { assertEquals } from "@std/assert";
import { GuestCall } from "../../../../core/hypervisor/hypercalls/guest_pointer.ts";
import {
  memoryOp,
  type MemoryOpTargets,
} from "../../../../core/hypervisor/hypercalls/memory_op.ts";
import type { Reservation } from "../../../../core/hypervisor/hypercalls/reservation.ts";
import { GRANT_GFN, SCRATCH, SHARED, XenGuest } from "../../../helpers/xen_guest.ts";

const EPERM = -1;
const ENOENT = -2;
const ESRCH = -3;
const EFAULT = -14;
const EINVAL = -22;
const ENOSYS = -38;
const EOPNOTSUPP = -95;

/** Frame of a list of frames or indexes. */
const LIST = 0xb000;
const PAGES = 64;

Deno.test("XENMEM_add_to_physmap refuses other spaces, indexes, frames and domains", () => {
  const guest = new XenGuest();
  assertEquals(guest.addToPhysmap(0, 1, 1), EINVAL);
  for (const space of [5, 6, 0xffffffff]) assertEquals(guest.addToPhysmap(space, 0, 1), EINVAL);
  assertEquals(guest.addToPhysmap(4, 0, 1), ENOSYS); // of another domain: in batches only
  assertEquals(guest.addToPhysmap(0, 0, 0x100000), EINVAL);
  const place = (domid: number) =>
    guest.call(12, 7, guest.struct([0, 2, domid], [4, 4, 0], [8, 4, 0], [12, 4, 1]));
  assertEquals([place(0), place(9), place(1)], [EPERM, ESRCH, 0]);
});

Deno.test("XENMEM_add_to_physmap grows the grant table up to its limit", () => {
  const guest = new XenGuest();
  assertEquals([guest.addToPhysmap(1, 63, 7), guest.addToPhysmap(1, 64, 8)], [0, EINVAL]);
});

Deno.test("XENMEM_remove_from_physmap uncovers what was there, and takes that away too", () => {
  const guest = new XenGuest();
  guest.memory.write32(0x1000, 77);
  guest.mapSharedInfo();
  const remove = (gfn: number) => guest.call(12, 15, guest.struct([0, 2, 0x7ff0], [4, 4, gfn]));
  assertEquals(remove(1), 0);
  assertEquals(guest.memory.read32(0x1000), 77);
  assertEquals(remove(1), 0);
  assertEquals(guest.memory.page(1), undefined);
  assertEquals([remove(1), remove(PAGES), remove(0xffffffff)], [ENOENT, ENOENT, ENOENT]);
});

// ---- pages of the guest's own ------------------------------------------------------------------

Deno.test("XENMAPSPACE_gmfn moves a page of the guest's, but none of Xen's", () => {
  const guest = new XenGuest();
  guest.memory.write32(0x5000, 55);
  assertEquals(guest.addToPhysmap(2, 5, 0x50000), 0);
  assertEquals([guest.memory.read32(0x50000000), guest.memory.page(5)], [55, undefined]);
  assertEquals(guest.addToPhysmap(2, 5, 6), EINVAL); // it is gone
  assertEquals(guest.addToPhysmap(2, 0x50000, 0x50000), 0);
  guest.mapSharedInfo();
  assertEquals(guest.addToPhysmap(2, SHARED / 4096, 7), EINVAL);
  assertEquals(guest.addToPhysmap(2, 0x50000, SHARED / 4096), 0); // Xen's page yields
  assertEquals(guest.memory.read32(SHARED), 55);
});

Deno.test("XENMAPSPACE_gmfn_range moves pages up to the first that is not there", () => {
  const guest = new XenGuest();
  const move = (from: number, to: number, size: number) =>
    guest.call(12, 7, guest.struct([0, 2, 1], [2, 2, size], [4, 4, 3], [8, 4, from], [12, 4, to]));
  assertEquals(move(60, 0x1000, 5), EINVAL);
  assertEquals([guest.memory.page(63), guest.memory.page(0x1003) !== undefined], [undefined, true]);
  assertEquals([move(10, 0x2000, 0), move(10, 0x2000, 3)], [0, 0]);
  assertEquals(guest.memory.page(0x2002) !== undefined, true);
});

/** @param entries index and frame of each */
function batch(guest: XenGuest, space: number, entries: readonly (readonly number[])[], dom = 0) {
  entries.forEach(([index = 0, gfn = 0], i) => {
    guest.memory.write32(LIST + 4 * i, index);
    guest.memory.write32(LIST + 0x100 + 4 * i, gfn);
  });
  const result = guest.call(
    12,
    23,
    guest.struct(
      ...[[0, 2, 0x7ff0], [2, 2, space], [4, 2, entries.length], [6, 2, dom]] as const,
      ...[[8, 4, LIST], [12, 4, LIST + 0x100], [16, 4, LIST + 0x200]] as const,
    ),
  );
  return [result, ...entries.map((_, i) => guest.memory.read32(LIST + 0x200 + 4 * i) | 0)];
}

Deno.test("XENMEM_add_to_physmap_batch has an error number for each entry", () => {
  const guest = new XenGuest();
  assertEquals(batch(guest, 1, [[0, GRANT_GFN], [64, 9], [1, GRANT_GFN + 1], [2, 0x100000]]), [
    ...[0, 0, EINVAL, 0, EINVAL],
  ]);
  assertEquals(guest.memory.page(GRANT_GFN + 1) !== undefined, true);
  assertEquals(batch(guest, 3, [[0, 1]])[0], EOPNOTSUPP);
  assertEquals(batch(guest, 0, []), [0]);
});

Deno.test("XENMEM_add_to_physmap_batch gives no page of another domain", () => {
  const guest = new XenGuest();
  assertEquals(batch(guest, 4, [[0, 9]], 0), [0, EPERM]);
  assertEquals(batch(guest, 4, [[0, 9]], 7), [0, ESRCH]);
  assertEquals(batch(guest, 4, [[0, 9]], 0x7ff0), [0, EINVAL]);
});

// ---- the reservation ---------------------------------------------------------------------------

Deno.test("memory_op tells the size of the domain", () => {
  const guest = new XenGuest();
  const size = (command: number, domid = 0x7ff0) =>
    guest.call(12, command, guest.struct([0, 2, domid]));
  assertEquals([size(3), size(4), size(3, 0), size(4, 9)], [PAGES, PAGES, EPERM, ESRCH]);
  assertEquals([guest.call(12, 2, 0), guest.call(12, 2, SCRATCH)], [PAGES, EINVAL]);
});

/** Balloons by the extents at LIST. */
function extents(guest: XenGuest, command: number, gfns: readonly number[], order = 0): number {
  gfns.forEach((gfn, i) => guest.memory.write32(LIST + 4 * i, gfn));
  return guest.call(
    12,
    command,
    guest.struct([0, 4, LIST], [4, 4, gfns.length], [8, 4, order], [12, 4, 0], [16, 2, 0x7ff0]),
  );
}
const decrease = (guest: XenGuest, gfns: readonly number[], order = 0) =>
  extents(guest, 1, gfns, order);
const populate = (guest: XenGuest, gfns: readonly number[], order = 0) =>
  extents(guest, 6, gfns, order);
const current = (guest: XenGuest) => guest.call(12, 3, guest.struct([0, 2, 0x7ff0]));

Deno.test("XENMEM_decrease_reservation takes pages away, and populate_physmap gives them back", () => {
  const guest = new XenGuest();
  guest.memory.write32(20 * 4096, 1);
  assertEquals(decrease(guest, [20, 21, 22]), 3);
  assertEquals([current(guest), guest.memory.page(21)], [PAGES - 3, undefined]);
  assertEquals(decrease(guest, [30, 21, 31]), 1); // up to the one that is gone
  assertEquals(populate(guest, [20, 22]), 2);
  assertEquals([guest.memory.read32(20 * 4096), current(guest)], [0, PAGES - 2]);
});

Deno.test("XENMEM_populate_physmap puts pages where none has been, and no more than there are", () => {
  const guest = new XenGuest();
  assertEquals(populate(guest, [0x50000]), 0);
  decrease(guest, [20, 21]);
  assertEquals(populate(guest, [0x50000, 0x50001, 0x50002]), 2);
  guest.memory.write32(0x50001000, 7);
  assertEquals([guest.memory.read32(0x50001000), current(guest)], [7, PAGES]);
  decrease(guest, [0x50001]);
  assertEquals([populate(guest, [0x100000]), populate(guest, [21])], [0, 1]);
});

Deno.test("XENMEM_decrease_reservation and populate_physmap leave Xen's own pages alone", () => {
  const guest = new XenGuest();
  guest.mapSharedInfo();
  assertEquals(decrease(guest, [20, SHARED / 4096]), 1);
  assertEquals(populate(guest, [SHARED / 4096]), 0);
  assertEquals(guest.memory.page(SHARED / 4096) !== undefined, true);
});

Deno.test("memory_op works on extents of up to 512 pages", () => {
  const guest = new XenGuest();
  assertEquals(decrease(guest, [32, 48], 4), 2);
  assertEquals(current(guest), PAGES - 32);
  assertEquals(populate(guest, [0x1000], 5), 1);
  assertEquals([decrease(guest, [0], 10), decrease(guest, [0], 0xffffffff)], [0, 0]);
});

Deno.test("XENMEM_populate_physmap gives all of an extent or nothing", () => {
  const guest = new XenGuest();
  guest.mapSharedInfo();
  decrease(guest, [20, 21, 22]);
  assertEquals(populate(guest, [0x1000, 0x2000], 1), 1); // two pages, then one is left
  assertEquals([current(guest), guest.memory.page(0x2000)], [PAGES - 1, undefined]);
  decrease(guest, [0x1000, 0x1001]);
  assertEquals(populate(guest, [SHARED / 4096 - 1], 1), 0);
  assertEquals(populate(guest, [0xfffff], 1), 0);
  assertEquals([current(guest), guest.memory.page(0xfffff)], [PAGES - 3, undefined]);
});

Deno.test("memory_op answers a reservation that makes no sense with the extents done", () => {
  const guest = new XenGuest();
  const reservation = (domid: number, at: number, count: number) =>
    guest.call(12, 1, guest.struct([0, 4, at], [4, 4, count], [8, 4, 0], [16, 2, domid]));
  assertEquals([reservation(0, LIST, 1), reservation(9, LIST, 1)], [0, 0]);
  assertEquals([reservation(1, 0xe0000000, 1), reservation(1, LIST, 0)], [0, 0]);
  assertEquals([reservation(1, LIST, 0xffffffff), guest.call(12, 1, 0xe0000000)], [0, 0]);
  const beyond = guest.struct([0, 4, LIST], [4, 4, 3], [8, 4, 0], [16, 2, 1]);
  assertEquals([guest.call(12, 3 << 6 | 1, beyond), guest.call(12, 7 << 6 | 6, beyond)], [3, 7]);
  assertEquals(current(guest), PAGES);
});

Deno.test("memory_op goes on with many extents, the number of those done above the command", () => {
  const guest = new XenGuest();
  const { regs } = guest.vcpu;
  const call = new GuestCall(guest.memory);
  const given: number[] = [];
  const reservation = { decrease: (gfn: number) => given.push(gfn) > 0 } as unknown as Reservation;
  const targets = { domid: 1, reservation } as MemoryOpTargets;
  [regs[3], regs[1]] = [1, guest.struct([0, 4, 0x1000], [4, 4, 2500], [8, 4, 0], [16, 2, 1])];
  for (let i = 0; i < 2500; i++) guest.memory.write32(0x1000 + 4 * i, i);
  const answers = [0, 1, 2].map(() => {
    call.begin(guest.vcpu);
    return [memoryOp(targets, call), call.goesOn, regs[3]];
  });
  assertEquals(answers, [
    [1024, true, 1024 << 6 | 1],
    [2048, true, 2048 << 6 | 1],
    [2500, false, 2048 << 6 | 1],
  ]);
  assertEquals(given, Array.from({ length: 2500 }, (_, i) => i));
});

// Source: do_memory_op() of xen/common/memory.c.
Deno.test("memory_op goes on with nothing that has no extents", () => {
  const guest = new XenGuest();
  assertEquals([2, 3, 4, 15].map((command) => guest.call(12, 1 << 6 | command, 0xe0000000)), [
    ...[EINVAL, EINVAL, EINVAL, EINVAL],
  ]);
});

// Source: populate_physmap() there.
Deno.test("XENMEM_populate_physmap gives a guest no pages on its own demand", () => {
  const guest = new XenGuest();
  decrease(guest, [20]);
  guest.memory.write32(LIST, 20);
  const populateOnDemand = 1 << 16;
  const fields = [[0, 4, LIST], [4, 4, 1], [8, 4, 0], [12, 4, populateOnDemand], [
    16,
    2,
    1,
  ]] as const;
  assertEquals(guest.call(12, 6, guest.struct(...fields)), 0);
  assertEquals(guest.memory.page(20), undefined);
});

// ---- memory map --------------------------------------------------------------------------------

const BUFFER = 0xb800;
const memoryMap = (guest: XenGuest, entries: number, buffer = BUFFER) =>
  guest.call(12, 9, guest.struct([0, 4, entries], [4, 4, buffer]));

Deno.test("XENMEM_memory_map gives what the toolstack has set, as far as there is room", () => {
  const guest = new XenGuest();
  const entry = (i: number) => [
    Number(guest.memory.read64(BUFFER + 20 * i)),
    Number(guest.memory.read64(BUFFER + 20 * i + 8)),
    guest.memory.read32(BUFFER + 20 * i + 16),
  ];
  assertEquals([memoryMap(guest, 9), guest.u32(0)], [0, 2]);
  assertEquals([entry(0), entry(1)], [[0, PAGES * 4096, 1], [0xfec00000, 0x1400000, 2]]);
  guest.memory.write32(BUFFER + 20, 77);
  assertEquals([memoryMap(guest, 1), guest.u32(0), guest.memory.read32(BUFFER + 20)], [0, 1, 77]);
  assertEquals(memoryMap(guest, 2, 0xe0000000), EFAULT);
});

Deno.test("memory_op has no other commands", () => {
  const guest = new XenGuest();
  const others = [0, 5, 8, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22, 24, 25, 26, 27, 28];
  assertEquals(others.map((op) => guest.call(12, op, SCRATCH)), others.map(() => ENOSYS));
});
