import { assertEquals } from "@std/assert";
import { GrantGuest, STATUS_GFN } from "../../../helpers/grants.ts";
import { GRANT_GFN, SCRATCH } from "../../../helpers/xen_guest.ts";

const [EPERM, ESRCH, EFAULT, EBUSY, EINVAL, ERANGE, ENOSYS] = [
  ...[-1, -3, -14, -16, -22, -34, -38],
] as const;
const [OKAY, GENERAL_ERROR, BAD_DOMAIN, BAD_GNTREF, BAD_VIRT_ADDR, DENIED, EAGAIN] = [
  ...[0, -1, -2, -3, -5, -8, -12],
] as const;

const WILD = 0xe0000000;

Deno.test("GNTTABOP_query_size tells present and greatest size", () => {
  const guest = new GrantGuest();
  const query = (domid: number) => {
    assertEquals(guest.op(6, guest.struct([0, 2, domid])), 0);
    return [guest.u32(4), guest.u32(8), guest.status(12)];
  };
  assertEquals(query(0x7ff0), [1, 64, OKAY]);
  guest.addToPhysmap(1, 4, GRANT_GFN + 4);
  assertEquals(query(1), [5, 64, OKAY]);
  assertEquals([query(0)[2], query(3)[2]], [DENIED, BAD_DOMAIN]);
  assertEquals([0, 2].map((count) => guest.op(6, guest.struct([0, 2, 1]), count)), [
    EINVAL,
    EINVAL,
  ]);
});

Deno.test("GNTTABOP_setup_table grows the table and tells where the guest has put it", () => {
  const guest = new GrantGuest();
  const list = SCRATCH + 0x100;
  const setup = (frames: number, domid = 0x7ff0, at = list) => {
    guest.memory.write64(list, 0x7777_7777_7777_7777n);
    const table = guest.struct([0, 2, domid], [4, 4, frames], [12, 4, at]);
    assertEquals(guest.op(2, table), 0);
    return guest.status(8);
  };
  assertEquals(setup(2), OKAY);
  assertEquals([guest.memory.read32(list), guest.memory.read32(list + 4)], [GRANT_GFN, 0xffffffff]);
  assertEquals(guest.xen.grantTables.guest.frames.count, 2);
  assertEquals([setup(64), setup(65), setup(0xffffffff)], [OKAY, GENERAL_ERROR, GENERAL_ERROR]);
  assertEquals([setup(1, 0), setup(1, 9), setup(1, 1, WILD)], [DENIED, BAD_DOMAIN, BAD_VIRT_ADDR]);
  assertEquals(guest.op(2, SCRATCH, 0), EINVAL);
});

Deno.test("GNTTABOP_set_version changes to 2 and back, and tells the version in force", () => {
  const guest = new GrantGuest();
  const set = (version: number) => [guest.setVersion(version), guest.u32(0)];
  const get = (domid: number) => [guest.op(10, guest.struct([0, 2, domid])), guest.u32(4)];
  assertEquals([set(0), set(3), set(1)], [[EINVAL, 1], [EINVAL, 1], [0, 1]]);
  assertEquals([set(2), get(0x7ff0), get(1)], [[0, 2], [0, 2], [0, 2]]);
  assertEquals([set(1), get(0x7ff0)], [[0, 1], [0, 1]]);
  assertEquals([get(0)[0], get(5)[0]], [EPERM, ESRCH]);
});

Deno.test("GNTTABOP_set_version takes the reserved entries along, marks included", () => {
  const guest = new GrantGuest();
  guest.grant(1, 40);
  guest.grant(8, 20);
  guest.xen.grants.map(1, "write");
  guest.useVersion2();
  assertEquals(guest.memory.read64(GRANT_GFN * 4096 + 16), 1n);
  assertEquals(guest.memory.read64(GRANT_GFN * 4096 + 24), 40n);
  assertEquals([guest.statusWord(1), guest.statusWord(0)], [0x18, 0]);
  assertEquals(guest.memory.read64(GRANT_GFN * 4096 + 8 * 16), 0n, "the others are gone");
  assertEquals(guest.setVersion(1), 0);
  assertEquals(guest.memory.read64(GRANT_GFN * 4096 + 8), 40n << 32n | 0x19n);
  guest.xen.grants.unmap(1);
  assertEquals(guest.grantFlags(1), 1);
});

Deno.test("GNTTABOP_set_version fails while an entry is in use, and what version 1 cannot say", () => {
  const guest = new GrantGuest();
  guest.grant(8, 20);
  guest.xen.grants.map(8, "read");
  assertEquals([guest.setVersion(2), guest.u32(0)], [EBUSY, 1]);
  assertEquals(guest.setVersion(1), 0);
  guest.xen.grants.unmap(8);
  guest.useVersion2();
  guest.grantV2(3, 1, 0, 0, 1n << 32n);
  assertEquals(guest.setVersion(1), ERANGE);
  guest.grantV2(3, 3, 0, 0, 0n);
  assertEquals([guest.setVersion(1), guest.u32(0)], [ERANGE, 2]);
  guest.grantV2(3, 2, 0, 0, 77n);
  assertEquals(guest.setVersion(1), 0);
  assertEquals(guest.memory.read64(GRANT_GFN * 4096 + 3 * 8), 0n);
});

Deno.test("GNTTABOP_set_version takes the pages of status words out of the guest's sight", () => {
  const guest = new GrantGuest().useVersion2();
  assertEquals(guest.statusWord(0), 0);
  guest.setVersion(1);
  assertEquals(guest.statusWord(0), 0xffff);
  assertEquals(guest.addToPhysmap(1, 0x80000000, STATUS_GFN), EINVAL);
});

Deno.test("XENMEM_add_to_physmap grows the table for a page of status words", () => {
  const guest = new GrantGuest().useVersion2();
  assertEquals(guest.addToPhysmap(1, 0x80000001, STATUS_GFN + 1), 0);
  assertEquals(guest.xen.grantTables.guest.frames.count, 16);
  assertEquals(guest.addToPhysmap(1, 0x80000007, STATUS_GFN + 7), 0);
  assertEquals(guest.addToPhysmap(1, 0x80000008, STATUS_GFN + 8), EINVAL);
});

Deno.test("GNTTABOP_swap_grant_ref exchanges entries that nobody uses", () => {
  const guest = new GrantGuest();
  guest.grant(8, 20);
  guest.grant(9, 21, 5, 3);
  const swap = (a: number, b: number) => {
    assertEquals(guest.op(11, guest.struct([0, 4, a], [4, 4, b])), 0);
    return guest.status(8);
  };
  assertEquals(swap(8, 9), OKAY);
  assertEquals(guest.memory.read64(GRANT_GFN * 4096 + 64), 21n << 32n | 0x30005n);
  assertEquals(guest.memory.read64(GRANT_GFN * 4096 + 72), 20n << 32n | 1n);
  assertEquals([swap(512, 8), swap(8, 512), swap(8, 8)], [BAD_GNTREF, BAD_GNTREF, OKAY]);
  guest.xen.grants.map(9, "read");
  assertEquals([swap(8, 9), swap(9, 8)], [EAGAIN, EAGAIN]);
});

Deno.test("GNTTABOP_swap_grant_ref exchanges entries of version 2", () => {
  const guest = new GrantGuest().useVersion2();
  guest.grantV2(8, 1, 0, 0, 20n);
  guest.grantV2(300, 1, 0, 0, 21n);
  assertEquals(guest.op(11, guest.struct([0, 4, 8], [4, 4, 255])), 0);
  assertEquals(guest.memory.read64(GRANT_GFN * 4096 + 255 * 16 + 8), 20n);
});

// Source: hvm_grant_table_op() of xen/arch/x86/hvm/hypercall.c lets eight commands pass.
Deno.test("grant_table_op has no commands but those that Xen has for HVM guests", () => {
  const guest = new GrantGuest();
  for (const command of [3, 4, 7, 9, 12, 13, 99, 0x1005, 0x1000c]) {
    for (const count of [0, 1, 0x80000000]) {
      assertEquals(guest.op(command, WILD, count), ENOSYS, `command ${command}, count ${count}`);
    }
  }
  assertEquals(guest.errors, []);
});

Deno.test("grant_table_op refuses bad counts and pointers", () => {
  const guest = new GrantGuest();
  for (const command of [0, 1, 2, 5, 6, 8, 10, 11]) {
    assertEquals(guest.op(command, SCRATCH, 0x80000000), EINVAL, `command ${command}`);
    assertEquals(guest.op(command, WILD), EFAULT, `command ${command}`);
  }
  for (const command of [0, 1, 5, 11]) assertEquals(guest.op(command, WILD, 0), 0);
});

Deno.test("grant_table_op serves a long array in parts, and each element once", () => {
  const guest = new GrantGuest();
  const array = 0x10000;
  const count = 3000;
  for (let i = 0; i < count; i++) guest.memory.write64(array + i * 12, 0x0000_0009_0000_0008n);
  guest.grant(8, 20);
  assertEquals(guest.op(11, array, count), 0);
  assertEquals(guest.memory.read32(GRANT_GFN * 4096 + 68), 20, "an even number of swaps");
  assertEquals(guest.memory.read16(array + 12 * (count - 1) + 8), 0);
  assertEquals(guest.charged.filter((name) => name === "grant_table_op").length, 3);
});

Deno.test("grant_table_op keeps what it has done when a later element cannot be read", () => {
  const guest = new GrantGuest();
  const last = 63 * 4096 + 4096 - 12; // of the guest's memory
  guest.memory.write64(last, 0x0000_0009_0000_0008n);
  guest.memory.write32(last + 8, 0xa5a5a5a5);
  guest.grant(8, 20);
  assertEquals(guest.op(11, last, 2), EFAULT);
  assertEquals(guest.memory.read16(last + 8), 0);
  assertEquals(guest.memory.read32(GRANT_GFN * 4096 + 76), 20);
});
