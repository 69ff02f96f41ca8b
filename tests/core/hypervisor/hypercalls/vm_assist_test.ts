import { assertEquals } from "@std/assert";
import { XenGuest } from "../../../helpers/xen_guest.ts";

const EINVAL = -22;
const ENOSYS = -38;

Deno.test("vm_assist has the runstate flag, on and off", () => {
  const guest = new XenGuest();
  const rows = [[0, 5, 0], [1, 5, 0], [2, 5, ENOSYS], [0, 4, EINVAL], [7, 4, EINVAL]] as const;
  for (const [command, type, result] of rows) assertEquals(guest.call(21, command, type), result);
  assertEquals([0, 1, 2, 3, 31, 32, 0xffffffff].map((type) => guest.call(21, 0, type)), [
    ...[EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, EINVAL],
  ]);
});
