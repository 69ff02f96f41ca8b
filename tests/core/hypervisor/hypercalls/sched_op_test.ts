import { assertEquals } from "@std/assert";
import { SCRATCH, SHARED, timedGuest, XenGuest } from "../../../helpers/xen_guest.ts";

const EPERM = -1;
const ESRCH = -3;
const EFAULT = -14;
const EINVAL = -22;
const ENOSPC = -28;

const PENDING = SHARED + 2048;

Deno.test("SCHEDOP_shutdown tells the reason", () => {
  const guest = new XenGuest();
  const shutdown = (reason: number) => guest.call(29, 2, guest.struct([0, 4, reason]));
  assertEquals([0, 1, 2, 3, 4, 5, 6, 0x101].map(shutdown), [0, 0, 0, 0, 0, 0, 0, 0]);
  const reasons = ["poweroff", "reboot", "suspend", "crash", "watchdog", "soft_reset"];
  assertEquals(guest.shutdowns, [...reasons, "crash", "reboot"]);
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

// Source: do_poll(), and evtchn_check_pollers() of xen/common/event_channel.c.
Deno.test("SCHEDOP_poll for no port, or for several, ends with whatever event comes", () => {
  for (const ports of [[], [5, 6]]) {
    const guest = timedGuest();
    guest.memory.write32(SHARED + 2176, 0xffffffff);
    guest.memory.write32(PENDING, 1 << 5 | 1 << 6); // nobody's
    assertEquals([poll(guest, ports), guest.xen.blocked], [0, true]);
    guest.xen.events.raiseVirq(0);
    assertEquals(guest.xen.blocked, false);
    assertEquals([poll(guest, ports), guest.xen.blocked], [0, true], "it has been pending before");
    guest.xen.events.raiseVirq(0);
    assertEquals(guest.xen.blocked, true, "nothing new");
  }
  const guest = timedGuest();
  const ipi = guest.xen.events.bindIpi(0);
  poll(guest, [ipi]);
  guest.xen.events.raiseVirq(0);
  assertEquals(guest.xen.blocked, true, "of one, nothing else counts");
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

Deno.test("SCHEDOP_poll looks at its ports in their order, up to the first that is pending", () => {
  const guest = timedGuest();
  guest.xen.events.raiseVirq(0);
  assertEquals([poll(guest, [1, 1024]), poll(guest, [1024, 1])], [0, EINVAL]);
});

Deno.test("SCHEDOP_shutdown_code goes before the reason of a later shutdown, the first one", () => {
  const guest = new XenGuest();
  const call = (command: number, reason: number) =>
    guest.call(29, command, guest.struct([0, 4, reason]));
  assertEquals([call(5, 3), call(5, 1), guest.shutdowns.length], [0, 0, 0]);
  assertEquals([call(2, 0), guest.shutdowns], [0, ["crash"]]);
});

const watchdog = (guest: XenGuest, id: number, seconds: number) =>
  guest.call(29, 6, guest.struct([0, 4, id], [4, 4, seconds]));

Deno.test("SCHEDOP_watchdog has two timers", () => {
  const guest = new XenGuest();
  const rows = [
    [1, 5, EINVAL], // taken by nobody
    [0, 10, 1],
    [0, 20, 2],
    [0, 30, ENOSPC],
    [3, 5, EINVAL],
    [0xffffffff, 5, EINVAL],
    [1, 15, 0],
    [2, 0, 0],
    [2, 5, EINVAL],
    [0, 7, 2],
  ] as const;
  for (const [id, seconds, result] of rows) assertEquals(watchdog(guest, id, seconds), result);
});

Deno.test("SCHEDOP_watchdog ends a domain that does not set it again", () => {
  const guest = new XenGuest();
  watchdog(guest, 0, 10);
  guest.clock.moveTo(9e9);
  watchdog(guest, 1, 10);
  guest.clock.moveTo(19e9 - 1);
  assertEquals(guest.shutdowns, []);
  guest.clock.moveTo(19e9);
  assertEquals(guest.shutdowns, ["watchdog"]);
});

Deno.test("sched_op lets a guest shut down or pin nobody else", () => {
  const guest = new XenGuest();
  const remote = (domid: number) => guest.call(29, 4, guest.struct([0, 2, domid], [4, 4, 0]));
  assertEquals([0, 1, 7, 0x7ff0].map(remote), [EPERM, EPERM, ESRCH, ESRCH]);
  assertEquals(guest.call(29, 7, SCRATCH), EPERM);
  assertEquals(guest.shutdowns, []);
});

Deno.test("SCHEDOP_watchdog never fires beyond what the clock can count", () => {
  const guest = new XenGuest();
  assertEquals(watchdog(guest, 0, 0xffffffff), 1);
  assertEquals(guest.clock.armed, 0);
  assertEquals(watchdog(guest, 1, 10), 0);
  assertEquals(watchdog(guest, 1, 0xffffffff), 0);
  assertEquals(guest.clock.armed, 0);
});
