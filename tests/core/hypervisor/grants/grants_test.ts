import { assertEquals, assertThrows } from "@std/assert";
import { GRANT_GFN, XenGuest } from "../../../helpers/xen_guest.ts";
import { InternalError } from "../../../../core/errors.ts";

const EINVAL = -22;

const PERMIT = 1;
const READONLY = 4;
const READING = 8;
const WRITING = 16;

function grantingGuest(): XenGuest {
  const guest = new XenGuest();
  guest.mapGrantTable();
  return guest;
}

Deno.test("GrantTable.map() marks the entry by the access, and shows the granted page", () => {
  const guest = grantingGuest();
  guest.grant(8, 20);
  guest.grant(9, 21);
  assertEquals(guest.xen.grants.map(8, "read") === guest.memory.page(20), true);
  assertEquals(guest.grantFlags(8), PERMIT | READING);
  assertEquals(guest.xen.grants.map(9, "write") === guest.memory.page(21), true);
  assertEquals(guest.grantFlags(9), PERMIT | READING | WRITING);
  assertEquals(guest.errors, []);
});

Deno.test("GrantTable.unmap() clears the marks when the last mapping goes", () => {
  const guest = grantingGuest();
  const { grants } = guest.xen;
  guest.grant(8, 20);
  grants.map(8, "write");
  grants.map(8, "read");
  grants.unmap(8);
  assertEquals(guest.grantFlags(8), PERMIT | READING | WRITING);
  grants.unmap(8);
  assertEquals(guest.grantFlags(8), PERMIT);
  assertEquals(grants.counters, { map: 2, unmap: 2, copy: 0 });
});

Deno.test("GrantTable.map() keeps the page of a mapping when the guest rewrites the frame", () => {
  const guest = grantingGuest();
  guest.grant(8, 20);
  guest.xen.grants.map(8, "read");
  guest.memory.write32(GRANT_GFN * 4096 + 8 * 8 + 4, 33);
  assertEquals(guest.xen.grants.map(8, "write") === guest.memory.page(20), true);
  guest.xen.grants.unmapAll([8, 8]);
  assertEquals(guest.xen.grants.map(8, "write") === guest.memory.page(33), true);
});

const REFUSALS: readonly {
  why: string;
  flags: number;
  gfn: number;
  domid?: number;
  access: "read" | "write";
}[] = [
  { why: "the entry is empty", flags: 0, gfn: 20, access: "read" },
  { why: "it accepts a transfer", flags: 2, gfn: 20, access: "read" },
  { why: "it is transitive", flags: 3, gfn: 20, access: "read" },
  { why: "it is for another domain", flags: 1, gfn: 20, domid: 2, access: "read" },
  { why: "it is read-only", flags: PERMIT | READONLY, gfn: 20, access: "write" },
  { why: "the frame is no memory", flags: 1, gfn: 0x50000, access: "write" },
  { why: "the frame is far out", flags: 1, gfn: 0xffffffff, access: "read" },
];

for (const { why, flags, gfn, domid, access } of REFUSALS) {
  Deno.test(`GrantTable.map() refuses when ${why}, and leaves the entry as it was`, () => {
    const guest = grantingGuest();
    guest.grant(8, gfn, flags, domid);
    assertEquals(guest.xen.grants.map(8, access), undefined);
    assertEquals(guest.grantFlags(8), flags);
    assertEquals(guest.errors.length, 1);
    assertEquals(guest.dom0Copy(8, access, 0, new Uint8Array(4)), false);
    assertEquals(guest.errors.length, 2);
    assertEquals(guest.grantFlags(8), flags);
  });
}

Deno.test("GrantTable.map() lets a read-only entry be read", () => {
  const guest = grantingGuest();
  guest.grant(8, 20, PERMIT | READONLY);
  assertEquals(guest.xen.grants.map(8, "read") === guest.memory.page(20), true);
  assertEquals(guest.grantFlags(8), PERMIT | READONLY | READING);
});

Deno.test("GrantTable.map() refuses references beyond the table until it has grown", () => {
  const guest = grantingGuest();
  assertEquals(guest.xen.grants.map(512, "read"), undefined);
  assertEquals(guest.xen.grants.map(0xffffffff, "read"), undefined);
  assertEquals(guest.addToPhysmap(1, 1, GRANT_GFN + 1), 0);
  guest.grant(512, 22);
  assertEquals(guest.xen.grants.map(512, "read") === guest.memory.page(22), true);
  assertEquals(guest.errors.length, 2);
});

Deno.test("GrantTable grows to 64 frames in any order, one page each", () => {
  const guest = grantingGuest();
  assertEquals(guest.addToPhysmap(1, 63, GRANT_GFN + 63), 0);
  assertEquals(guest.xen.grantTables.guest.frames.count, 64);
  assertEquals(guest.addToPhysmap(1, 64, GRANT_GFN + 64), EINVAL);
  assertEquals(guest.addToPhysmap(1, 0x80000000, GRANT_GFN), EINVAL); // status frames of version 2
  guest.grant(63 * 512 + 511, 23);
  assertEquals(guest.xen.grants.map(32767, "read") === guest.memory.page(23), true);
});

Deno.test("GrantTable charges dom0: one shootdown for each 32 unmaps", () => {
  const guest = grantingGuest();
  const { grants } = guest.xen;
  const grefs = Array.from({ length: 33 }, (_, i) => 8 + i);
  for (const gref of grefs) {
    guest.grant(gref, 20);
    grants.map(gref, "read");
  }
  assertEquals(guest.dom0.total("grantMap"), 33 * 10);
  grants.unmapAll(grefs.slice(0, 32));
  assertEquals(guest.dom0.total("grantUnmap"), 32 * 20 + 400);
  grants.unmap(grefs[32]!);
  assertEquals(guest.dom0.total("grantUnmap"), 33 * 20 + 800);
  for (const gref of grefs) grants.map(gref, "read");
  grants.unmapAll(grefs);
  assertEquals(guest.dom0.total("grantUnmap"), 66 * 20 + 1600);
  grants.unmapAll([]);
  assertEquals(guest.dom0.total("grantUnmap"), 66 * 20 + 1600);
});

Deno.test("Dom0Grants.copyAll() moves bytes both ways and leaves no marks", () => {
  const guest = grantingGuest();
  const { grants } = guest.xen;
  guest.grant(8, 20);
  guest.memory.write32(20 * 4096 + 4092, 0x04030201);
  const bytes = new Uint8Array(4);
  assertEquals(guest.dom0Copy(8, "read", 4092, bytes), true);
  assertEquals([...bytes], [1, 2, 3, 4]);
  assertEquals(guest.dom0Copy(8, "write", 0, new Uint8Array(2048).fill(9)), true);
  assertEquals(guest.memory.read32(20 * 4096 + 2046), 0x0909);
  assertEquals(guest.memory.written > 0, true);
  assertEquals(guest.grantFlags(8), PERMIT);
  assertEquals(guest.dom0.total("grantCopy"), 30 + 30 + 80 + 2 * 5);
  assertEquals(grants.counters, { map: 0, unmap: 0, copy: 2 });
});

Deno.test("Dom0Grants.copyAll() takes a hypercall for 16 copies, and ends at the first refused", () => {
  const guest = grantingGuest();
  const { grants } = guest.xen;
  guest.grant(8, 20);
  const bytes = new Uint8Array(4);
  const copies = Array.from({ length: 17 }, () => ({ gref: 8, offset: 0, bytes }));
  assertEquals(grants.copyAll(copies, "read"), true);
  assertEquals(guest.dom0.total("grantCopy"), 17 * 30 + 2 * 5);
  assertEquals(grants.copyAll([copies[0]!, { ...copies[0]!, gref: 9 }, copies[1]!], "read"), false);
  assertEquals([grants.counters.copy, guest.errors.length], [19, 1]);
});

Deno.test("GrantTable tells mistakes of dom0 from mistakes of the guest", () => {
  const guest = grantingGuest();
  guest.grant(8, 20);
  assertThrows(() => guest.xen.grants.unmap(8), InternalError);
  assertThrows(() => guest.dom0Copy(8, "read", 4000, new Uint8Array(97)), InternalError);
  assertEquals(guest.errors, []);
});

Deno.test("GrantTable.grantToDom0() fills a reserved entry as the toolstack does", () => {
  const guest = grantingGuest();
  guest.xen.grants.grantToDom0(1, 40);
  assertEquals(guest.memory.read64(GRANT_GFN * 4096 + 8), 40n << 32n | 1n);
  assertEquals(guest.xen.grants.map(1, "write") === guest.memory.page(40), true);
});

Deno.test("GrantTable.map() goes by what it has seen while dom0 still has the page", () => {
  const guest = grantingGuest();
  const { grants } = guest.xen;
  guest.grant(8, 20);
  grants.map(8, "write");
  guest.grant(8, 21, 0); // revoked by force
  assertEquals(grants.map(8, "write") === guest.memory.page(20), true);
  assertEquals(guest.grantFlags(8), 0);
  grants.unmapAll([8, 8]);
  assertEquals(guest.grantFlags(8), 0);
  assertEquals(grants.map(8, "read"), undefined);
  assertEquals(guest.errors.length, 1);
});

Deno.test("GrantTable.map() lets a page that is read be written only if the entry says so", () => {
  const guest = grantingGuest();
  const { grants } = guest.xen;
  guest.grant(8, 20, PERMIT | READONLY);
  grants.map(8, "read");
  assertEquals(grants.map(8, "write"), undefined);
  assertEquals(guest.grantFlags(8), PERMIT | READONLY | READING);
  guest.grant(8, 20, PERMIT | READING);
  assertEquals(grants.map(8, "write") === guest.memory.page(20), true);
  assertEquals(guest.grantFlags(8), PERMIT | READING | WRITING);
});

Deno.test("GrantTable.map() refuses more mappings of a page than Xen can count", () => {
  const guest = grantingGuest();
  const { grants } = guest.xen;
  guest.grant(8, 20);
  for (let i = 0; i < 128; i++) grants.map(8, "read");
  assertEquals([grants.map(8, "read"), grants.map(8, "write")], [undefined, undefined]);
  for (let i = 0; i < 128; i++) grants.unmap(8);
  assertEquals(guest.grantFlags(8), PERMIT);
});

Deno.test("GrantTable.map() never takes a part of a page", () => {
  const guest = grantingGuest();
  guest.grant(8, 20, PERMIT | 1 << 8);
  assertEquals(guest.xen.grants.map(8, "read"), undefined);
  assertEquals(guest.dom0Copy(8, "read", 0, new Uint8Array(4)), true, "version 1 has none");
});
