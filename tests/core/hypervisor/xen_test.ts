import { assertEquals } from "@std/assert";
import { SCRATCH, SHARED, XenGuest } from "../../helpers/xen_guest.ts";

const EPERM = -1;
const EFAULT = -14;
const EINVAL = -22;
const ENOSYS = -38;

Deno.test("XenInterface.cpuid() answers Xen's leaves and no others", () => {
  const { xen } = new XenGuest(3_000_000_000);
  const leaf = (number: number, sub = 0) => [...xen.cpuid(number, sub) ?? []];
  assertEquals(leaf(0x40000000), [0x40000005, 0x566e6558, 0x65584d4d, 0x4d4d566e]);
  assertEquals(leaf(0x40000001), [0x00040011, 0, 0, 0]);
  assertEquals(leaf(0x40000002), [1, 0x40000000, 0, 0]);
  assertEquals(leaf(0x40000003, 0), [2, 0, 3_000_000, 0]);
  // 3 GHz halved is 1.5 GHz: mul = 2^32 / 1.5
  assertEquals(leaf(0x40000003, 1), [0, 0, 2863311530, 0xffffffff]);
  assertEquals(leaf(0x40000003, 2), [3_000_000, 0, 0, 0]);
  assertEquals(leaf(0x40000003, 3), [0, 0, 0, 0]);
  assertEquals(leaf(0x40000004, 77), [0x1c, 0, 1, 0]);
  assertEquals(leaf(0x40000005), [0, 0, 0, 0]);
  assertEquals(xen.cpuid(0x40000006, 0), undefined);
  assertEquals(xen.cpuid(0x3fffffff, 0), undefined);
  assertEquals(xen.cpuid(1, 0), undefined);
});

Deno.test("XenInterface.writeMsr() fills the hypercall page with 128 entries", () => {
  const { xen, memory } = new XenGuest();
  const page = memory.page(5)!;
  page.fill(0x77);
  assertEquals(xen.writeMsr(0x40000000, 0x5000, 0), true);
  assertEquals([...page.subarray(0, 9)], [0xb8, 0, 0, 0, 0, 0x0f, 0x01, 0xc1, 0xc3]);
  assertEquals([...page.subarray(32 * 32, 32 * 32 + 9)], [
    ...[0xb8, 32, 0, 0, 0, 0x0f, 0x01, 0xc1, 0xc3],
  ]);
  assertEquals([...page.subarray(127 * 32, 127 * 32 + 5)], [0xb8, 127, 0, 0, 0]);
  assertEquals([...page.subarray(23 * 32, 23 * 32 + 2)], [0x0f, 0x0b]);
  assertEquals(memory.written, 1);
  assertEquals(xen.readMsr(0x40000000), 0n);
});

Deno.test("XenInterface.writeMsr() refuses page 1, frames without memory and foreign MSRs", () => {
  const { xen } = new XenGuest();
  assertEquals(xen.writeMsr(0x40000000, 0x5001, 0), false);
  assertEquals(xen.writeMsr(0x40000000, 0xf0000000, 0), false);
  assertEquals(xen.writeMsr(0x40000000, 0x5000, 1), false);
  assertEquals(xen.writeMsr(0x10, 0x5000, 0), undefined);
  assertEquals(xen.readMsr(0x10), undefined);
});

Deno.test("XenInterface.hypercall() answers -EPERM outside CPL 0 and does nothing", () => {
  const guest = new XenGuest();
  guest.vcpu.cpl = 3;
  assertEquals(guest.call(17, 0), EPERM);
  guest.vcpu.cpl = 0;
  guest.vcpu.eflags |= 1 << 17;
  assertEquals(guest.call(17, 0), EPERM);
  assertEquals(guest.errors.length, 2);
  guest.vcpu.eflags = 2;
  assertEquals(guest.call(17, 0), 0x00040011);
});

Deno.test("XenInterface.hypercall() answers -ENOSYS to what it does not have", () => {
  const guest = new XenGuest();
  const absent = [0, 7, 11, 33, 40, 99, 0xffffffff];
  assertEquals(absent.map((number) => guest.call(number, 0)), absent.map(() => ENOSYS));
  // Only numbers that mean nothing are the guest's mistake.
  assertEquals(guest.errors, [
    "xen: hypercall 11, command 0: ENOSYS",
    "xen: hypercall 99, command 0: ENOSYS",
    "xen: hypercall 4294967295, command 0: ENOSYS",
  ]);
});

Deno.test("XenInterface.hypercall() answers -ENOSYS to unknown commands of each hypercall", () => {
  const guest = new XenGuest();
  for (const number of [12, 17, 18, 20, 24, 29, 32, 34]) {
    assertEquals(guest.call(number, 63), ENOSYS);
  }
  assertEquals(guest.call(21, 2, 5), ENOSYS);
});

Deno.test("XenInterface.hypercall() changes EAX only", () => {
  const guest = new XenGuest();
  guest.vcpu.regs.set([0, 0, 0, 0, 4, 5, 6, 7]);
  guest.call(17, 7, 0xdead, 0xbeef);
  assertEquals([...guest.vcpu.regs], [4096, 0xdead, 0xbeef, 7, 4, 5, 6, 7]);
  assertEquals(guest.vcpu.eip, 0x1000);
});

Deno.test("XenInterface.hypercall() answers -EFAULT where a pointer leads nowhere", () => {
  const guest = new XenGuest();
  guest.vcpu.mapped.set(9, undefined);
  const commands = [[12, 7], [12, 3], [12, 15], [17, 6], [17, 3], [29, 2], [29, 3], [32, 1], [
    32,
    4,
  ]];
  commands.push([34, 0], [34, 1], [34, 10]);
  for (const [number, command] of commands) {
    assertEquals(guest.call(number!, command, 0x9000), EFAULT, `not mapped: ${number}.${command}`);
    assertEquals(
      guest.call(number!, command, 0xe0000000),
      EFAULT,
      `no memory: ${number}.${command}`,
    );
  }
  for (const command of [4, 5, 6, 8, 10]) assertEquals(guest.call(24, command, 0, 0x9000), EFAULT);
  for (const command of [6, 8, 10]) assertEquals(guest.call(20, command, 0x9000, 1), EFAULT);
});

Deno.test("XenInterface.hypercall() follows a structure over a page boundary", () => {
  const guest = new XenGuest();
  guest.vcpu.mapped.set(0xc0000, 20);
  guest.vcpu.mapped.set(0xc0001, 10);
  const pointer = 0xc0000ffe; // submap_idx: two bytes in frame 20, two in frame 10
  assertEquals(guest.call(17, 6, pointer), 0);
  assertEquals(guest.memory.read32(10 * 4096 + 2), 0x305);
  guest.memory.write16(10 * 4096, 1);
  assertEquals(guest.call(17, 6, pointer), EINVAL);
  guest.vcpu.mapped.set(0xc0001, undefined);
  assertEquals(guest.call(17, 6, pointer), EFAULT);
});

Deno.test("XenInterface.hypercall() wraps a pointer at 4 GiB", () => {
  const guest = new XenGuest();
  guest.vcpu.mapped.set(0xfffff, 20);
  guest.memory.write32(20 * 4096 + 4092, 0);
  assertEquals(guest.call(17, 6, 0xfffffffc), 0);
  assertEquals(guest.memory.read32(0), 0x305);
});

Deno.test("XenInterface.stats() counts hypercalls by name and tells each before it is served", () => {
  const guest = new XenGuest();
  guest.call(17, 0);
  guest.call(29, 0);
  guest.call(17, 0);
  guest.call(55);
  assertEquals(guest.xen.stats().hypercalls, {
    total: 4,
    byName: { sched_op: 1, unknown: 1, xen_version: 2 },
  });
  assertEquals(guest.charged, ["xen_version", "sched_op", "xen_version", "unknown"]);
});

Deno.test("xen_version answers version, page size and texts; two of them are dom0's", () => {
  const guest = new XenGuest();
  const text = (command: number) => {
    assertEquals(guest.call(17, command, guest.struct()), 0);
    const bytes = guest.memory.range(SCRATCH, 1100)!;
    return String.fromCharCode(...bytes.subarray(0, bytes.indexOf(0)));
  };
  assertEquals(guest.call(17, 0), 4 << 16 | 17);
  assertEquals(guest.call(17, 7), 4096);
  assertEquals(guest.call(17, 10), EPERM);
  assertEquals(text(1), ".7");
  assertEquals(guest.memory.read8(SCRATCH + 15), 0);
  assertEquals(guest.memory.read8(SCRATCH + 16), 0xa5);
  assertEquals(text(2), "gcc");
  assertEquals(guest.memory.read8(SCRATCH + 143), 0);
  assertEquals(guest.memory.read8(SCRATCH + 144), 0xa5);
  assertEquals(text(3), "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p ");
  assertEquals([text(4), text(9)], ["unavailable", "<denied>"]);
  assertEquals(guest.call(17, 6, guest.struct([0, 4, 0])), 0);
  assertEquals(guest.u32(4), 0x305);
});

Deno.test("XenInterface.upcallPending is the guest's own byte", () => {
  const guest = new XenGuest();
  guest.mapSharedInfo();
  assertEquals(guest.xen.upcallPending, false);
  guest.memory.write8(SHARED, 1);
  assertEquals(guest.xen.upcallPending, true);
  guest.memory.write8(SHARED, 0);
  assertEquals(guest.xen.upcallPending, false);
});

Deno.test("XENVER_get_features leaves out what a Xen does not offer", () => {
  const rows = [[{}, 0x305], [{ pvclock: false }, 0x105], [
    { callbackVector: false },
    0x205,
  ]] as const;
  for (const [offers, features] of rows) {
    const guest = new XenGuest(1_000_000_000, offers);
    assertEquals(guest.call(17, 6, guest.struct([0, 4, 0])), 0);
    assertEquals(guest.u32(4), features);
  }
});

Deno.test("physdev_op is not for a guest without hvm_pirqs, whatever it asks", () => {
  const guest = new XenGuest();
  const commands = Array.from({ length: 33 }, (_, command) => command);
  assertEquals(commands.map((op) => guest.call(33, op, SCRATCH)), commands.map(() => ENOSYS));
  assertEquals(guest.errors, []);
});
