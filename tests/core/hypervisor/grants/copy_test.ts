import { assertEquals } from "@std/assert";
import { GrantGuest, HOST, READONLY_MAP } from "../../../helpers/grants.ts";

const [OKAY, GENERAL_ERROR, BAD_DOMAIN, BAD_GNTREF, DENIED, BAD_PAGE, BAD_COPY_ARG] = [
  ...[0, -1, -2, -3, -8, -9, -10],
] as const;
const PERMIT = 1, READONLY = 4, SUB_PAGE = 1 << 8, TRANSITIVE = 3;

/** With bytes in frame 20 and in dom0's grant 8. */
function copyingGuest(): { guest: GrantGuest; page: Uint8Array } {
  const guest = new GrantGuest();
  const page = guest.dom0Grants(8);
  page.set([5, 6, 7, 8], 100);
  guest.memory.write32(20 * 4096 + 4092, 0x04030201);
  return { guest, page };
}

Deno.test("GNTTABOP_copy copies between frames of the guest and granted pages, each way", () => {
  const { guest, page } = copyingGuest();
  const dom0 = { gref: 8, dom: 0 };
  assertEquals(guest.copy({ ...dom0, offset: 100 }, { gfn: 21, offset: 1 }, 4), OKAY);
  assertEquals(guest.memory.read32(21 * 4096 + 1), 0x08070605);
  assertEquals(guest.copy({ gfn: 20, offset: 4092 }, { ...dom0, offset: 8 }, 4), OKAY);
  assertEquals([...page.subarray(8, 12)], [1, 2, 3, 4]);
  assertEquals(guest.copy({ gfn: 20, offset: 4092 }, { gfn: 22 }, 4), OKAY);
  assertEquals(guest.memory.read32(22 * 4096), 0x04030201);
  guest.dom0Grants(9);
  assertEquals(guest.copy({ ...dom0, offset: 100 }, { gref: 9, dom: 0 }, 4), OKAY);
  assertEquals([guest.dom0Flags(8), guest.dom0Flags(9)], [PERMIT, PERMIT]);
  assertEquals([guest.errors, guest.work], [[], 4 * 3]);
});

Deno.test("GNTTABOP_copy takes the guest's own grants by its number and as itself", () => {
  const { guest } = copyingGuest();
  guest.grant(8, 20, PERMIT | READONLY, 1);
  guest.grant(9, 21, PERMIT, 1);
  for (const dom of [1, 0x7ff0]) {
    assertEquals(
      guest.copy({ gref: 8, dom, offset: 4092 }, { gref: 9, dom, offset: dom & 1 }, 4),
      0,
    );
  }
  assertEquals(guest.memory.read32(21 * 4096), 0x04030201);
  assertEquals([guest.grantFlags(8), guest.grantFlags(9)], [PERMIT | READONLY, PERMIT]);
});

Deno.test("GNTTABOP_copy moves bytes within one page, overlapping or none at all", () => {
  const { guest } = copyingGuest();
  guest.grant(8, 20, PERMIT, 1);
  const own = { gref: 8, dom: 1 };
  assertEquals(guest.copy({ ...own, offset: 4090 }, { ...own, offset: 4091 }, 5), OKAY);
  assertEquals(guest.memory.read32(20 * 4096 + 4092), 0x03020100);
  assertEquals(guest.copy({ ...own, offset: 4096 }, own, 0), OKAY);
  assertEquals(guest.copy({ ...own, offset: 4097 }, own, 0), BAD_COPY_ARG);
  assertEquals(guest.grantFlags(8), PERMIT);
});

Deno.test("GNTTABOP_copy does not write to a page granted read-only by a grant that reads it", () => {
  const guest = new GrantGuest();
  const page = guest.dom0Grants(8, PERMIT | READONLY);
  page[0] = 7;
  assertEquals(guest.map({ gref: 8, gfn: 0x5000, flags: HOST | READONLY_MAP }), OKAY);
  guest.grant(9, 0x5000, PERMIT, 1);
  const own = { gref: 9, dom: 1 };
  assertEquals(guest.copy(own, { ...own, offset: 1 }, 1), BAD_PAGE);
  assertEquals([page[1], guest.grantFlags(9)], [0, PERMIT]);
  assertEquals(guest.copy(own, { gfn: 20 }, 1), OKAY);
});

Deno.test("GNTTABOP_copy refuses bytes beyond a page", () => {
  const { guest } = copyingGuest();
  const dom0 = { gref: 8, dom: 0 };
  assertEquals(guest.copy(dom0, { gfn: 21 }, 4096), OKAY);
  assertEquals(guest.copy(dom0, { gfn: 21 }, 4097), BAD_COPY_ARG);
  assertEquals(guest.copy({ ...dom0, offset: 1 }, { gfn: 21 }, 4096), BAD_COPY_ARG);
  assertEquals(guest.copy(dom0, { gfn: 21, offset: 0xffff }, 1), BAD_COPY_ARG);
  assertEquals(guest.dom0Flags(8), PERMIT);
});

Deno.test("GNTTABOP_copy refuses what is not granted, no memory, or another's by frame", () => {
  const { guest } = copyingGuest();
  const from = { gfn: 20 };
  const toDom0 = (gref: number, flags: number, domid = 1) => {
    guest.dom0Grants(gref, flags, domid);
    return guest.copy(from, { gref, dom: 0 }, 4);
  };
  assertEquals([toDom0(9, 0), toDom0(9, 2), toDom0(9, PERMIT, 0)], [-1, -1, -1]);
  assertEquals(toDom0(9, PERMIT | READONLY), GENERAL_ERROR);
  assertEquals(guest.copy(from, { gref: 512, dom: 0 }, 4), BAD_GNTREF);
  assertEquals(guest.copy(from, { gref: 8, dom: 7 }, 4), BAD_DOMAIN);
  assertEquals([0, 1, 7].map((dom) => guest.copy(from, { gfn: 21, dom }, 4)), [
    ...[DENIED, DENIED, DENIED],
  ]);
  assertEquals(guest.copy({ gfn: 0x50000 }, { gfn: 21 }, 4), BAD_PAGE);
  assertEquals(guest.copy(from, { gfn: 0xfffff }, 4), BAD_PAGE);
  assertEquals(guest.errors.length, 11);
});

Deno.test("GNTTABOP_copy of a page that is mapped for reading leaves that mark alone", () => {
  const { guest } = copyingGuest();
  guest.map({ gref: 8, gfn: 0x5000, flags: 6 });
  assertEquals(guest.dom0Flags(8), PERMIT | 8);
  assertEquals(guest.copy({ gfn: 20 }, { gref: 8, dom: 0 }, 4), OKAY);
  assertEquals(guest.dom0Flags(8), PERMIT | 8);
});

// ---- version 2 ---------------------------------------------------------------------------------

Deno.test("Version 2: dom0 maps whole pages and is told by the status words", () => {
  const guest = new GrantGuest().useVersion2();
  guest.grantV2(8, PERMIT, 0, 0, 20n);
  guest.grantV2(255, PERMIT | READONLY, 0, 0, 21n);
  const { grants } = guest.xen;
  assertEquals(grants.map(8, "write") === guest.memory.page(20), true);
  assertEquals(grants.map(255, "read") === guest.memory.page(21), true);
  assertEquals([guest.statusWord(8), guest.statusWord(255)], [0x18, 8]);
  assertEquals(guest.memory.read16(0xf0000 * 4096 + 8 * 16), PERMIT, "the flags are the guest's");
  assertEquals(grants.map(255, "write"), undefined);
  grants.unmapAll([8, 255]);
  assertEquals([guest.statusWord(8), guest.statusWord(255)], [0, 0]);
  assertEquals(grants.map(256, "read"), undefined);
});

Deno.test("Version 2: a frame beyond 4 GiB is no memory", () => {
  const guest = new GrantGuest().useVersion2();
  guest.grantV2(8, PERMIT, 0, 0, 1n << 32n | 20n);
  assertEquals(guest.xen.grants.map(8, "read"), undefined);
  assertEquals(guest.statusWord(8), 0);
});

Deno.test("Version 2: a part of a page can be copied and not mapped", () => {
  const guest = new GrantGuest().useVersion2();
  guest.grantV2(8, PERMIT | SUB_PAGE, 0, 100 | 8 << 16, 20n);
  const { grants } = guest.xen;
  assertEquals(grants.map(8, "read"), undefined);
  const copy = (offset: number, length: number) =>
    guest.dom0Copy(8, "write", offset, new Uint8Array(length).fill(9));
  assertEquals([copy(100, 8), copy(104, 4)], [true, true]);
  assertEquals([copy(99, 2), copy(104, 5), copy(0, 4)], [false, false, false]);
  assertEquals([guest.memory.read8(20 * 4096 + 100), guest.memory.read8(20 * 4096 + 99)], [9, 0]);
  assertEquals(guest.statusWord(8), 0);
  guest.grantV2(9, PERMIT | SUB_PAGE, 1, 100 | 8 << 16, 20n);
  const own = { gref: 9, dom: 1, offset: 100 };
  assertEquals([guest.copy(own, { gfn: 22 }, 8), guest.copy(own, { gfn: 22 }, 9)], [0, -1]);
});

Deno.test("Version 2: a transitive grant passes on one of another domain, to be copied", () => {
  const { guest, page } = copyingGuest();
  guest.useVersion2();
  guest.grantV2(8, TRANSITIVE, 0, 0, 8n); // dom0's reference 8, granted to the guest, for dom0
  const bytes = new Uint8Array(4);
  assertEquals(guest.dom0Copy(8, "read", 100, bytes), true);
  assertEquals([...bytes], [5, 6, 7, 8]);
  assertEquals(guest.dom0Copy(8, "write", 0, bytes), true);
  assertEquals([page[0], guest.statusWord(8), guest.dom0Flags(8)], [5, 0, PERMIT]);
  assertEquals(guest.xen.grants.map(8, "read"), undefined);
  guest.dom0Grants(9, PERMIT | READONLY);
  guest.grantV2(9, TRANSITIVE, 0, 0, 9n);
  assertEquals(guest.dom0Copy(9, "write", 0, bytes), false);
  assertEquals([guest.statusWord(9), guest.dom0Flags(9)], [0, PERMIT | READONLY]);
});

Deno.test("Version 2: a transitive grant of itself, of nobody or of another such one is refused", () => {
  const guest = new GrantGuest().useVersion2();
  const { frames } = guest.xen.grantTables.dom0;
  guest.grantV2(8, TRANSITIVE, 0, 1, 9n);
  guest.grantV2(9, TRANSITIVE, 0, 77, 9n);
  guest.grantV2(10, TRANSITIVE, 0, 0, 0xffffn);
  frames.changeVersion(2);
  frames.write(11, { flags: TRANSITIVE, domid: 1, gfn: 8 });
  guest.grantV2(11, TRANSITIVE, 0, 0, 11n);
  for (const gref of [8, 9, 10, 11]) {
    assertEquals(guest.dom0Copy(gref, "read", 0, new Uint8Array(1)), false, `${gref}`);
    assertEquals(guest.statusWord(gref), 0);
  }
});

Deno.test("Version 1 has no transitive grants", () => {
  const { guest } = copyingGuest();
  guest.grant(8, 8, TRANSITIVE);
  assertEquals(guest.dom0Copy(8, "read", 0, new Uint8Array(1)), false);
});
