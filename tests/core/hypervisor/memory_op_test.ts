import { assertEquals } from "@std/assert";
import { SCRATCH, XenGuest } from "../../helpers/xen_guest.ts";

const EPERM = -1;
const ENOENT = -2;
const EINVAL = -22;
const ENOSYS = -38;

Deno.test("XENMEM_add_to_physmap refuses other spaces, indexes, frames and domains", () => {
  const guest = new XenGuest();
  assertEquals(guest.addToPhysmap(0, 1, 1), EINVAL);
  for (const space of [2, 3, 4, 5, 6]) assertEquals(guest.addToPhysmap(space, 0, 1), EINVAL);
  assertEquals(guest.addToPhysmap(0, 0, 0x100000), EINVAL);
  const other = guest.struct([0, 2, 0], [4, 4, 0], [8, 4, 0], [12, 4, 1]);
  assertEquals(guest.call(12, 7, other), EPERM);
});

Deno.test("XENMEM_remove_from_physmap uncovers what was there", () => {
  const guest = new XenGuest();
  guest.memory.write32(0x1000, 77);
  guest.mapSharedInfo();
  const remove = () => guest.call(12, 15, guest.struct([0, 2, 0x7ff0], [4, 4, 1]));
  assertEquals(remove(), 0);
  assertEquals(guest.memory.read32(0x1000), 77);
  assertEquals(remove(), ENOENT);
});

Deno.test("memory_op tells the size of the domain and balloons nothing", () => {
  const guest = new XenGuest();
  assertEquals([3, 4].map((op) => guest.call(12, op, guest.struct([0, 2, 0x7ff0]))), [64, 64]);
  assertEquals([1, 6, 9].map((op) => guest.call(12, op, SCRATCH)), [ENOSYS, ENOSYS, ENOSYS]);
});
