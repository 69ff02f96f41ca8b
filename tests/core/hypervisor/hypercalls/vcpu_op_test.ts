import { assertEquals } from "@std/assert";
import { SCRATCH, SHARED, timedGuest, XenGuest } from "../../../helpers/xen_guest.ts";

const ENOENT = -2;
const EFAULT = -14;
const EINVAL = -22;
const ENOSYS = -38;
const ETIME = -62;

const PENDING = SHARED + 2048;

const fired = (guest: XenGuest) => guest.memory.read32(PENDING) === 2;
const acknowledge = (guest: XenGuest) => guest.memory.write32(PENDING, 0);

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

Deno.test("set_timer_op takes times that make no sense for 100 ms", () => {
  const times = [[0, 0x80000000], [0xffffffff, 0xffffffff], [0, 1 << 19], [0, 0x7fffffff]] as const;
  for (const [low, high] of times) {
    const guest = timedGuest();
    guest.call(15, low, high);
    guest.clock.moveTo(99_999_999);
    assertEquals(fired(guest), false);
    guest.clock.moveTo(100_000_000);
    assertEquals(fired(guest), true);
  }
  const guest = timedGuest();
  guest.call(15, 0, (1 << 18) - 1);
  assertEquals([guest.clock.armed, guest.clock.moveTo(100_000_000), fired(guest)], [
    ...[1, undefined, false],
  ]);
});

Deno.test("VCPUOP_set_periodic_timer fires from its own deadlines until it is stopped", () => {
  const guest = timedGuest();
  const set = (period: bigint) => guest.call(24, 6, 0, guest.struct([0, 8, period]));
  assertEquals([set(999_999n), set((1n << 62n) + 2048n)], [EINVAL, EINVAL]);
  assertEquals([set(1n << 62n), guest.clock.armed], [0, 0]); // beyond what the clock can count
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
  for (let op = 0; op < 16; op++) assertEquals(guest.call(24, op, 1, SCRATCH), ENOENT);
  for (const op of [0, 14, 15]) assertEquals(guest.call(24, op, 0, SCRATCH), ENOSYS);
  assertEquals(guest.call(24, 12, 0, SCRATCH), EINVAL);
});

Deno.test("VCPUOP_down of the last vCPU switches the domain off", () => {
  const guest = new XenGuest();
  assertEquals(guest.call(24, 2, 0), 0);
  assertEquals(guest.shutdowns, ["poweroff"]);
});

Deno.test("VCPUOP_send_nmi is an NMI, and takes no argument", () => {
  const guest = new XenGuest();
  assertEquals([guest.call(24, 11, 0, SCRATCH), guest.nmis], [EINVAL, 0]);
  assertEquals([guest.call(24, 11, 0), guest.nmis], [0, 1]);
});

Deno.test("vcpu_op refuses structures that are not there", () => {
  const guest = new XenGuest();
  for (const op of [4, 5, 6, 8, 10, 13]) {
    assertEquals(guest.call(24, op, 0, 0xe0000000), EFAULT, `command ${op}`);
  }
});

Deno.test("VCPUOP_register_vcpu_info refuses frames that are not memory", () => {
  const guest = new XenGuest();
  const register = (gfn: bigint, offset: number) =>
    guest.call(24, 10, 0, guest.struct([0, 8, gfn], [8, 4, offset]));
  const far = [0xe0000n, 1n << 20n, 1n << 32n, (1n << 64n) - 1n];
  assertEquals(far.map((gfn) => register(gfn, 0)), far.map(() => EINVAL));
  assertEquals([register(9n, 4033), register(9n, 4032)], [EINVAL, 0]);
});

// ---- runstate ----------------------------------------------------------------------------------

const AREA = 0x9000;

/** State, entry time, times running, runnable, blocked and offline. */
function runstateAt(guest: XenGuest, at: number): number[] {
  const times = [4, 12, 20, 28, 36].map((offset) => Number(guest.memory.read64(at + offset)));
  return [guest.memory.read32(at), ...times];
}

Deno.test("VCPUOP_get_runstate_info adds up to the time that has passed", () => {
  const guest = new XenGuest();
  guest.clock.now = 5_000;
  guest.xen.slept(3_000);
  guest.xen.slept(500);
  guest.xen.unblock();
  guest.clock.now = 6_000;
  assertEquals(guest.call(24, 4, 0, guest.struct()), 0);
  assertEquals(runstateAt(guest, SCRATCH), [0, 5_000, 2_500, 0, 3_500, 0]);
  assertEquals(guest.memory.read8(SCRATCH + 44), 0xa5);
});

Deno.test("VCPUOP_register_runstate_memory_area is kept up to date whenever the vCPU wakes", () => {
  const guest = new XenGuest();
  guest.vcpu.mapped.set(0xc0000, AREA / 4096);
  guest.clock.now = 2_000;
  assertEquals(guest.call(24, 5, 0, guest.struct([0, 8, 0xc0000000])), 0);
  assertEquals(runstateAt(guest, AREA), [0, 0, 2_000, 0, 0, 0]);
  guest.clock.now = 9_000;
  guest.xen.unblock(); // it has not slept
  assertEquals(runstateAt(guest, AREA), [0, 0, 2_000, 0, 0, 0]);
  guest.xen.slept(4_000);
  guest.xen.unblock();
  assertEquals(runstateAt(guest, AREA), [0, 9_000, 5_000, 0, 4_000, 0]);
});

Deno.test("VCPUOP_register_runstate_memory_area survives an address that leads nowhere", () => {
  const guest = new XenGuest();
  guest.vcpu.mapped.set(0xc0000, undefined);
  for (const address of [0xc0000000, 0xe0000000, 0]) {
    assertEquals(guest.call(24, 5, 0, guest.struct([0, 8, address])), 0);
    guest.xen.slept(1);
    guest.xen.unblock();
  }
});

// ---- time area ---------------------------------------------------------------------------------

Deno.test("VCPUOP_register_vcpu_time_memory_area copies the time record", () => {
  const guest = new XenGuest();
  guest.mapSharedInfo();
  guest.memory.write32(AREA, 7);
  assertEquals(guest.call(24, 13, 0, guest.struct([0, 8, AREA])), 0);
  const record = (at: number) => [...guest.memory.range(at + 4, 28)!];
  assertEquals(record(AREA), record(SHARED + 32));
  assertEquals(guest.memory.read32(AREA), 8);
  assertEquals(guest.call(24, 13, 0, guest.struct([0, 8, 0])), 0);
  assertEquals(guest.call(24, 13, 0, guest.struct([0, 8, 0xe0000000])), 0);
});
