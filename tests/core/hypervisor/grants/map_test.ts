import { assertEquals } from "@std/assert";
import { GrantGuest, HOST, READONLY_MAP } from "../../../helpers/grants.ts";
import { SCRATCH } from "../../../helpers/xen_guest.ts";

const [OKAY, GENERAL_ERROR, BAD_DOMAIN, BAD_GNTREF, BAD_HANDLE, BAD_PAGE, NO_SPACE] = [
  ...[0, -1, -2, -3, -4, -9, -13],
] as const;
const [ENXIO, EINVAL] = [-6, -22] as const;
const PERMIT = 1, READONLY = 4, READING = 8, WRITING = 16;
/** A frame without memory behind it. */
const GFN = 0x5000;

Deno.test("GNTTABOP_map_grant_ref shows dom0's page to the guest until it is unmapped", () => {
  const guest = new GrantGuest();
  const page = guest.dom0Grants(8);
  page.set([1, 2, 3, 4]);
  assertEquals(guest.map({ gref: 8, gfn: GFN }), OKAY);
  const { handle, bus } = guest.mapped;
  assertEquals([handle, bus], [0, BigInt(page.byteOffset)]);
  assertEquals(guest.memory.read32(GFN * 4096), 0x04030201);
  guest.memory.write8(GFN * 4096, 9);
  assertEquals([page[0], guest.dom0Flags(8)], [9, PERMIT | READING | WRITING]);
  assertEquals(guest.unmap(handle, GFN), OKAY);
  assertEquals([guest.memory.read8(GFN * 4096), guest.dom0Flags(8)], [0xff, PERMIT]);
  assertEquals(guest.errors, []);
  assertEquals(guest.work, 1 + 2);
});

Deno.test("GNTTABOP_map_grant_ref lets a read-only mapping be read", () => {
  const guest = new GrantGuest();
  const page = guest.dom0Grants(8, PERMIT | READONLY);
  assertEquals(guest.map({ gref: 8, gfn: GFN, flags: HOST | READONLY_MAP }), OKAY);
  const { handle } = guest.mapped;
  guest.memory.write8(GFN * 4096, 9);
  assertEquals([guest.memory.read8(GFN * 4096), page[0]], [0, 0]);
  assertEquals(guest.dom0Flags(8), PERMIT | READONLY | READING);
  assertEquals(guest.unmap(handle, GFN), OKAY);
});

Deno.test("GNTTABOP_map_grant_ref gives the guest a page of its own a second place", () => {
  const guest = new GrantGuest();
  guest.grant(8, 20, PERMIT, 1);
  guest.memory.write32(20 * 4096, 77);
  assertEquals(guest.map({ gref: 8, gfn: 21, dom: 1 }), OKAY);
  assertEquals([guest.memory.read32(21 * 4096), guest.grantFlags(8)], [77, 0x19]);
  const { handle } = guest.mapped;
  guest.memory.write32(21 * 4096, 78);
  assertEquals(guest.unmap(handle, 21), OKAY);
  assertEquals([guest.memory.read32(20 * 4096), guest.memory.read32(21 * 4096)], [78, 0]);
});

Deno.test("GNTTABOP_map_grant_ref refuses what the entry does not permit", () => {
  const guest = new GrantGuest();
  const refused = (flags: number, domid: number, mapping = HOST) => {
    guest.dom0Grants(8, flags, domid);
    const status = guest.map({ gref: 8, gfn: GFN, flags: mapping });
    assertEquals(guest.dom0Flags(8), flags);
    assertEquals(guest.memory.read8(GFN * 4096), 0xff);
    return status;
  };
  assertEquals([refused(0, 1), refused(2, 1), refused(3, 1)], [-1, -1, -1]);
  assertEquals([refused(PERMIT, 0), refused(PERMIT, 2)], [GENERAL_ERROR, GENERAL_ERROR]);
  assertEquals(refused(PERMIT | READONLY, 1), GENERAL_ERROR);
  assertEquals(guest.errors.length, 6);
});

Deno.test("GNTTABOP_map_grant_ref refuses bad references, domains, flags and frames", () => {
  const guest = new GrantGuest();
  guest.dom0Grants(8);
  guest.grant(9, 0x50000, PERMIT, 1);
  const flags = [0, 4, 1, 3, 0x0a, 0x12, 0x10002];
  assertEquals(flags.map((bits) => guest.map({ gref: 8, gfn: GFN, flags: bits })), [
    ...[BAD_GNTREF, BAD_GNTREF],
    ...[GENERAL_ERROR, GENERAL_ERROR, GENERAL_ERROR, GENERAL_ERROR, GENERAL_ERROR],
  ]);
  assertEquals([512, 0xffffffff].map((gref) => guest.map({ gref, gfn: GFN })), [
    ...[BAD_GNTREF, BAD_GNTREF],
  ]);
  assertEquals([2, 0x7ff0].map((dom) => guest.map({ gref: 8, gfn: GFN, dom })), [
    ...[BAD_DOMAIN, BAD_DOMAIN],
  ]);
  assertEquals(guest.map({ gref: 9, gfn: GFN, dom: 1 }), BAD_PAGE);
  assertEquals(guest.map({ gref: 8, address: 1n << 32n }), GENERAL_ERROR);
  assertEquals(guest.map({ gref: 8, address: (1n << 64n) - 1n }), GENERAL_ERROR);
  assertEquals([guest.dom0Flags(8), guest.grantFlags(9)], [PERMIT, PERMIT]);
});

Deno.test("GNTTABOP_map_grant_ref counts mappings of one page, and the marks go with the last", () => {
  const guest = new GrantGuest();
  guest.dom0Grants(8);
  const handles = [GFN, GFN + 1].map((gfn, i) => {
    assertEquals(guest.map({ gref: 8, gfn, flags: HOST | (i === 0 ? 0 : READONLY_MAP) }), OKAY);
    return guest.mapped.handle;
  });
  assertEquals(handles, [0, 1]);
  guest.unmap(0, GFN);
  assertEquals(guest.dom0Flags(8), PERMIT | READING);
  guest.unmap(1, GFN + 1);
  assertEquals(guest.dom0Flags(8), PERMIT);
});

Deno.test("GNTTABOP_map_grant_ref over another mapping crashes the domain, as it does with Xen", () => {
  const guest = new GrantGuest();
  guest.dom0Grants(8);
  guest.dom0Grants(9);
  assertEquals(guest.map({ gref: 8, gfn: GFN }), OKAY);
  assertEquals(guest.map({ gref: 9, gfn: GFN }), GENERAL_ERROR);
  assertEquals([guest.shutdowns, guest.dom0Flags(9)], [["crash"], PERMIT]);
});

// Source: xenmem_add_to_physmap_one() of xen/arch/x86/mm/p2m.c, where guest_remove_page() gets no
// hold of a page that is not the domain's.
Deno.test("XENMEM_add_to_physmap lays nothing over a page that another domain has granted", () => {
  const guest = new GrantGuest();
  const page = guest.dom0Grants(8);
  guest.map({ gref: 8, gfn: GFN });
  const { handle } = guest.mapped;
  assertEquals(
    [[0, 0], [1, 1], [2, 20]].map(([space, index]) => {
      return guest.addToPhysmap(space!, index!, GFN);
    }),
    [ENXIO, ENXIO, ENXIO],
  );
  assertEquals(
    [[0, 1], [1, 64], [2, 0x6000]].map(([space, index]) => {
      return guest.addToPhysmap(space!, index!, GFN);
    }),
    [EINVAL, EINVAL, EINVAL],
  );
  guest.memory.write8(GFN * 4096, 9);
  assertEquals([page[0], guest.memory.page(20) !== undefined], [9, true]);
  assertEquals(guest.unmap(handle, GFN), OKAY);
  assertEquals(guest.addToPhysmap(0, 0, GFN), 0);
});

Deno.test("XENMEM_add_to_physmap takes the place of a page of the guest's own that it has mapped", () => {
  const guest = new GrantGuest();
  guest.grant(8, 20, PERMIT, 1);
  guest.map({ gref: 8, gfn: GFN, dom: 1 });
  assertEquals(guest.addToPhysmap(0, 0, GFN), 0);
});

Deno.test("GNTTABOP_unmap_grant_ref refuses wrong handles, places and bus addresses", () => {
  const guest = new GrantGuest();
  guest.dom0Grants(8);
  guest.dom0Grants(9);
  guest.map({ gref: 8, gfn: GFN });
  const { bus } = guest.mapped;
  guest.map({ gref: 9, gfn: GFN + 1 });
  assertEquals([2, 256, 0xffffffff].map((handle) => guest.unmap(handle, GFN)), [
    ...[BAD_HANDLE, BAD_HANDLE, BAD_HANDLE],
  ]);
  assertEquals([guest.unmap(0, GFN + 1), guest.unmap(0, 20)], [GENERAL_ERROR, GENERAL_ERROR]);
  assertEquals([guest.unmap(0, GFN, bus + 4096n), guest.unmap(0, 0)], [GENERAL_ERROR, OKAY]);
  assertEquals(guest.dom0Flags(8), PERMIT | READING | WRITING);
  assertEquals([guest.unmap(0, GFN, bus), guest.unmap(0, GFN)], [OKAY, BAD_HANDLE]);
});

Deno.test("A page that is granted to the guest cannot be granted on by its frame, but copied", () => {
  const guest = new GrantGuest();
  const page = guest.dom0Grants(8);
  page[0] = 7;
  guest.map({ gref: 8, gfn: GFN, flags: HOST | READONLY_MAP });
  guest.grant(9, GFN, PERMIT | READONLY, 0);
  assertEquals(guest.xen.grants.map(9, "read"), undefined);
  assertEquals(guest.grantFlags(9), PERMIT | READONLY);
  const bytes = new Uint8Array(1);
  assertEquals(guest.dom0Copy(9, "read", 0, bytes), true);
  assertEquals(bytes[0], 7);
});

Deno.test("The guest's own use of an entry keeps dom0 out until it ends", () => {
  const guest = new GrantGuest();
  guest.grant(8, 20, PERMIT, 1);
  assertEquals(guest.map({ gref: 8, gfn: GFN, dom: 1 }), OKAY);
  const { handle } = guest.mapped;
  guest.grant(8, 20, PERMIT, 0);
  assertEquals(guest.xen.grants.map(8, "read"), undefined);
  guest.unmap(handle, GFN);
  assertEquals(guest.xen.grants.map(8, "read") === guest.memory.page(20), true);
});

Deno.test("GNTTABOP_map_grant_ref works through an array, and each element has its status", () => {
  const guest = new GrantGuest();
  guest.dom0Grants(8);
  const array = 0x10000;
  [8, 600, 8].forEach((gref, i) => {
    guest.memory.write64(array + 32 * i, BigInt(GFN + i) << 12n);
    guest.memory.write64(array + 32 * i + 8, BigInt(gref) << 32n | 2n);
    guest.memory.write32(array + 32 * i + 16, 0xffff0000);
  });
  assertEquals(guest.op(0, array, 3), 0);
  const status = (i: number) => guest.memory.read16(array + 32 * i + 18) << 16 >> 16;
  assertEquals([0, 1, 2].map(status), [OKAY, BAD_GNTREF, OKAY]);
  assertEquals([0, 2].map((i) => guest.memory.read32(array + 32 * i + 20)), [0, 1]);
});

Deno.test("GNTTABOP_map_grant_ref ends when there are no more handles", () => {
  const guest = new GrantGuest();
  const { maptrack } = guest.xen.grantTables;
  const mapping = { domid: 0, gref: 8, flags: HOST, gfn: 0 };
  for (let i = 0; i < 1024 * 256 - 1; i++) maptrack.add(mapping);
  guest.dom0Grants(8);
  assertEquals([guest.map({ gref: 8, gfn: GFN }), guest.dom0Flags(8)], [NO_SPACE, PERMIT]);
  maptrack.remove(5);
  assertEquals([guest.map({ gref: 8, gfn: GFN }), guest.mapped.handle > 5], [OKAY, true]);
});

Deno.test("A mapped page stays until its handle is given back, whatever the entry says", () => {
  const guest = new GrantGuest();
  const page = guest.dom0Grants(8);
  guest.map({ gref: 8, gfn: GFN });
  const { handle } = guest.mapped;
  guest.xen.grantTables.dom0.frames.write(8, { flags: 0, domid: 0, gfn: 99 });
  guest.memory.write8(GFN * 4096, 5);
  assertEquals(page[0], 5);
  guest.call(12, 15, guest.struct([0, 2, 1], [4, 4, GFN])); // taken out of the guest's sight
  assertEquals(guest.unmap(handle, GFN), GENERAL_ERROR);
  assertEquals(guest.memory.read64(SCRATCH) >> 12n, BigInt(GFN));
});
