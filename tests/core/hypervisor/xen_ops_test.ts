import { assertEquals } from "@std/assert";
import { SCRATCH, SHARED, XenGuest } from "../../helpers/xen_guest.ts";

const EPERM = -1;
const ENOENT = -2;
const ESRCH = -3;
const EFAULT = -14;
const EINVAL = -22;
const ENOSYS = -38;
const ETIME = -62;

const PENDING = SHARED + 2048;

/** With the timer VIRQ on port 1. */
function timedGuest(): XenGuest {
  const guest = new XenGuest();
  guest.mapSharedInfo();
  assertEquals(guest.call(32, 1, guest.struct([0, 4, 0], [4, 4, 0])), 0);
  return guest;
}

const fired = (guest: XenGuest) => guest.memory.read32(PENDING) === 2;
const acknowledge = (guest: XenGuest) => guest.memory.write32(PENDING, 0);

// ---- hvm_op ------------------------------------------------------------------------------------

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
  assertEquals([getParam(guest, 1, 9), getParam(guest, 1, 0)], [ESRCH, EPERM]);
});

Deno.test("HVM_PARAM_CALLBACK_IRQ takes a vector or nothing", () => {
  const guest = new XenGuest();
  assertEquals(guest.xen.callbackVector, undefined);
  assertEquals(setParam(guest, 0, 0x02000000_000000f3n), 0);
  assertEquals(guest.xen.callbackVector, 0xf3);
  assertEquals(guest.xen.params.get(0), 0x02000000_000000f3n);
  assertEquals(setParam(guest, 0, 1n), EINVAL); // GSI 1
  assertEquals(setParam(guest, 0, 0x01000000_00001000n), EINVAL); // INTA of device 2
  assertEquals(setParam(guest, 0, 0x03000000_000000f3n), EINVAL);
  assertEquals(guest.xen.callbackVector, 0xf3);
  assertEquals(setParam(guest, 0, 0n), 0);
  assertEquals(guest.xen.callbackVector, undefined);
});

Deno.test("hvm_op has no pagetable_dying and no per-vCPU vector, and tells the time", () => {
  const guest = new XenGuest();
  guest.clock.now = 123_456;
  assertEquals([9, 15, 23].map((op) => guest.call(34, op, SCRATCH)), [ENOSYS, ENOSYS, ENOSYS]);
  assertEquals([guest.call(34, 5), guest.call(34, 5, SCRATCH)], [0, EINVAL]);
  assertEquals(guest.call(34, 10, SCRATCH), 0);
  assertEquals(guest.memory.read64(SCRATCH), 123_456n);
});

// ---- memory_op ---------------------------------------------------------------------------------

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

// ---- vcpu_op and set_timer_op ------------------------------------------------------------------

const singleshot = (guest: XenGuest, at: bigint, flags = 0) =>
  guest.call(24, 8, 0, guest.struct([0, 8, at], [8, 4, flags]));

Deno.test("VCPUOP_set_singleshot_timer raises VIRQ_TIMER at its time, once", () => {
  const guest = timedGuest();
  assertEquals(singleshot(guest, 5_000n), 0);
  guest.clock.moveTo(4_999);
  assertEquals(fired(guest), false);
  guest.clock.moveTo(5_000);
  assertEquals(fired(guest), true);
  assertEquals(guest.xen.upcallPending, true);
  assertEquals(guest.clock.armed, 0);
});

Deno.test("VCPUOP_set_singleshot_timer replaces the timer before it", () => {
  const guest = timedGuest();
  singleshot(guest, 5_000n);
  singleshot(guest, 9_000n);
  guest.clock.moveTo(8_999);
  assertEquals(fired(guest), false);
  guest.clock.moveTo(9_000);
  assertEquals(fired(guest), true);
});

Deno.test("VCPUOP_set_singleshot_timer raises at once when the time is past", () => {
  for (const past of [0n, 999n, 1_000n, 1n << 63n]) {
    const guest = timedGuest();
    guest.clock.moveTo(1_000);
    assertEquals(singleshot(guest, past), 0);
    assertEquals(fired(guest), true, `${past}`);
  }
});

Deno.test("VCPUOP_set_singleshot_timer fails with -ETIME only when asked to", () => {
  const guest = timedGuest();
  guest.clock.moveTo(1_000);
  assertEquals(singleshot(guest, 999n, 1), ETIME);
  assertEquals(fired(guest), false);
  assertEquals(singleshot(guest, 1_001n, 1), 0);
});

Deno.test("VCPUOP_set_singleshot_timer never fires beyond what the clock can count", () => {
  const guest = timedGuest();
  singleshot(guest, 5_000n);
  assertEquals(singleshot(guest, (1n << 63n) - 1n), 0);
  assertEquals(guest.clock.armed, 0);
});

Deno.test("VCPUOP_stop_singleshot_timer and set_timer_op(0) stop it, armed or not", () => {
  const guest = timedGuest();
  assertEquals(guest.call(24, 9, 0), 0);
  singleshot(guest, 5_000n);
  assertEquals(guest.call(24, 9, 0), 0);
  assertEquals(guest.call(15, 6_000, 0), 0);
  assertEquals(guest.clock.armed, 1);
  assertEquals(guest.call(15, 0, 0), 0);
  guest.clock.moveTo(10_000);
  assertEquals(fired(guest), false);
});

Deno.test("set_timer_op takes the high half in ECX", () => {
  const guest = timedGuest();
  guest.call(15, 1, 2);
  guest.clock.moveTo(2 * 2 ** 32);
  assertEquals(fired(guest), false);
  guest.clock.moveTo(2 * 2 ** 32 + 1);
  assertEquals(fired(guest), true);
});

Deno.test("VCPUOP_set_periodic_timer fires from its own deadlines until it is stopped", () => {
  const guest = timedGuest();
  const set = (period: bigint) => guest.call(24, 6, 0, guest.struct([0, 8, period]));
  assertEquals([set(999_999n), set(1n << 60n)], [EINVAL, EINVAL]);
  assertEquals(set(1_000_000n), 0);
  for (const tick of [1, 2, 3]) {
    guest.clock.moveTo(tick * 1_000_000 - 1);
    assertEquals(fired(guest), false);
    guest.clock.moveTo(tick * 1_000_000);
    assertEquals(fired(guest), true);
    acknowledge(guest);
  }
  assertEquals(guest.call(24, 7, 0), 0);
  guest.clock.moveTo(9_000_000);
  assertEquals(fired(guest), false);
});

Deno.test("vcpu_op knows one vCPU, which is up", () => {
  const guest = new XenGuest();
  assertEquals(guest.call(24, 3, 0), 1);
  assertEquals(guest.call(24, 1, 0), 0);
  for (const op of [1, 3, 5, 7, 8, 9, 10]) assertEquals(guest.call(24, op, 1, SCRATCH), ENOENT);
  for (const op of [0, 2, 11, 12, 13, 14, 15]) assertEquals(guest.call(24, op, 0), ENOSYS);
});

Deno.test("VCPUOP runstate: the area is accepted, the record says running", () => {
  const guest = new XenGuest();
  guest.clock.now = 5_000;
  assertEquals(guest.call(24, 5, 0, guest.struct([0, 8, 0xc0001000])), 0);
  assertEquals(guest.call(24, 4, 0, guest.struct()), 0);
  assertEquals(guest.u32(0), 0);
  assertEquals(guest.memory.read64(SCRATCH + 12), 5_000n);
  assertEquals(guest.memory.read64(SCRATCH + 36), 0n);
  assertEquals(guest.memory.read8(SCRATCH + 44), 0xa5);
});

// ---- sched_op ----------------------------------------------------------------------------------

Deno.test("SCHEDOP_shutdown tells the reason", () => {
  const guest = new XenGuest();
  const shutdown = (reason: number) => guest.call(29, 2, guest.struct([0, 4, reason]));
  assertEquals([0, 1, 2, 3, 4, 5, 6].map(shutdown), [0, 0, 1, 0, 0, 0, EINVAL]);
  assertEquals(guest.shutdowns, ["poweroff", "reboot", "crash", "watchdog", "soft_reset"]);
});

const PORTS = SCRATCH + 0x200;
function poll(guest: XenGuest, ports: readonly number[], timeout = 0n): number {
  ports.forEach((port, i) => guest.memory.write32(PORTS + i * 4, port));
  return guest.call(29, 3, guest.struct([0, 4, PORTS], [4, 4, ports.length], [8, 8, timeout]));
}

Deno.test("SCHEDOP_poll returns at once when a port is pending, masked or not", () => {
  const guest = timedGuest();
  guest.memory.write32(SHARED + 2176, 0xffffffff);
  guest.memory.write32(PENDING, 1 << 1 | 1 << 5);
  assertEquals(poll(guest, [5]), 0);
  assertEquals(guest.xen.blocked, true); // nobody has bound port 5
  assertEquals(poll(guest, [5, 1, 1024]), 0);
  assertEquals(guest.xen.blocked, false);
});

Deno.test("SCHEDOP_poll blocks until one of its ports is pending", () => {
  const guest = timedGuest();
  assertEquals(poll(guest, [1, 7]), 0);
  assertEquals(guest.xen.blocked, true);
  guest.memory.write32(PENDING, 1 << 6);
  assertEquals(guest.xen.blocked, true);
  guest.xen.events.raiseVirq(0);
  assertEquals(guest.xen.blocked, false);
});

Deno.test("SCHEDOP_poll ends with its timeout", () => {
  const guest = timedGuest();
  guest.clock.moveTo(1_000);
  assertEquals(poll(guest, [1], 1_000n), 0);
  assertEquals(guest.xen.blocked, false);
  assertEquals(poll(guest, [1], 2_000n), 0);
  guest.clock.moveTo(1_999);
  assertEquals(guest.xen.blocked, true);
  guest.clock.moveTo(2_000);
  assertEquals(guest.xen.blocked, false);
});

Deno.test("XenInterface.unblock() ends a poll and its timer", () => {
  const guest = timedGuest();
  poll(guest, [1], 2_000n);
  guest.xen.unblock();
  assertEquals(guest.xen.blocked, false);
  assertEquals(guest.clock.armed, 0);
});

Deno.test("SCHEDOP_poll refuses bad ports and more than 128", () => {
  const guest = timedGuest();
  assertEquals(poll(guest, [1024]), EINVAL);
  assertEquals(poll(guest, new Array(129).fill(1)), EINVAL);
  assertEquals(poll(guest, new Array(128).fill(1)), 0);
  const badList = guest.struct([0, 4, 0xe0000000], [4, 4, 1], [8, 8, 0]);
  assertEquals(guest.call(29, 3, badList), EFAULT);
});

Deno.test("SCHEDOP_block sleeps until an upcall is pending, yield not at all", () => {
  const guest = timedGuest();
  assertEquals(guest.call(29, 0), 0);
  assertEquals(guest.xen.blocked, false);
  assertEquals(guest.call(29, 1), 0);
  assertEquals(guest.xen.blocked, true);
  guest.xen.events.raiseVirq(0);
  assertEquals(guest.xen.blocked, false);
});
