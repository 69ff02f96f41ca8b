import { assertEquals } from "@std/assert";
import { SCRATCH, XenGuest } from "../../../helpers/xen_guest.ts";

const EPERM = -1;
const ESRCH = -3;
const EINVAL = -22;
const ENOSYS = -38;

const setParam = (guest: XenGuest, index: number, value: bigint, domid = 0x7ff0) =>
  guest.call(34, 0, guest.struct([0, 2, domid], [4, 4, index], [8, 8, value]));
const getParam = (guest: XenGuest, index: number, domid = 0x7ff0) =>
  guest.call(34, 1, guest.struct([0, 2, domid], [4, 4, index]));

Deno.test("HVMOP_get_param gives what the toolstack has set, and 0 for the rest", () => {
  const guest = new XenGuest();
  guest.xen.params.set(1, 0xfeffcn);
  assertEquals(getParam(guest, 1), 0);
  assertEquals(guest.memory.read64(SCRATCH + 8), 0xfeffcn);
  assertEquals(getParam(guest, 18), 0);
  assertEquals(guest.memory.read64(SCRATCH + 8), 0n);
});

Deno.test("HVM parameters have the guest's permissions of Xen", () => {
  const guest = new XenGuest();
  const allowed = (op: (index: number) => number) =>
    Array.from({ length: 39 }, (_, index) => index).filter((index) => {
      const result = op(index);
      assertEquals(result === 0 || result === EPERM, true, `index ${index}`);
      return result === 0;
    });
  assertEquals(allowed((i) => setParam(guest, i, 0n)), [0, 2, 15, 18, 19, 34, 36, 37]);
  assertEquals(allowed((i) => getParam(guest, i)), [0, 1, 2, 15, 17, 18, 19, 34, 35, 36, 37]);
  assertEquals([getParam(guest, 39), setParam(guest, 39, 0n)], [EINVAL, EINVAL]);
  assertEquals([getParam(guest, 1, 9), setParam(guest, 0, 0n, 9)], [ESRCH, ESRCH]);
  assertEquals([getParam(guest, 1, 0), setParam(guest, 0, 0n, 0)], [EINVAL, EINVAL]); // dom0 is PV
});

Deno.test("HVM_PARAM_CALLBACK_IRQ takes a vector, and anything else as no vector", () => {
  const guest = new XenGuest();
  assertEquals(guest.xen.callbackVector, undefined);
  assertEquals(setParam(guest, 0, 0x02000000_000000f3n), 0);
  assertEquals(guest.xen.callbackVector, 0xf3);
  assertEquals(guest.xen.params.get(0), 0x02000000_000000f3n);
  for (const other of [0n, 1n, 0x01000000_00001000n, 0x03000000_000000f3n]) {
    assertEquals(setParam(guest, 0, 0x02000000_000000f4n), 0);
    assertEquals(setParam(guest, 0, other), 0);
    assertEquals(guest.xen.callbackVector, undefined);
  }
});

Deno.test("hvm_op has no pagetable_dying and no per-vCPU vector, and tells the time", () => {
  const guest = new XenGuest();
  guest.clock.now = 123_456;
  assertEquals([9, 15, 23].map((op) => guest.call(34, op, SCRATCH)), [ENOSYS, ENOSYS, ENOSYS]);
  assertEquals([guest.call(34, 5), guest.call(34, 5, SCRATCH)], [0, EINVAL]);
  assertEquals(guest.call(34, 10, SCRATCH), 0);
  assertEquals(guest.memory.read64(SCRATCH), 123_456n);
});
