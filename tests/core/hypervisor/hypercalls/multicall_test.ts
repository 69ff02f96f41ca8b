import { assertEquals } from "@std/assert";
import { SCRATCH, XenGuest } from "../../../helpers/xen_guest.ts";

const EFAULT = -14;
const EINVAL = -22;
const ENOSYS = -38;

const ENTRIES = 0xa000;

/** Writes entries of 32 bytes; results are garbage before. */
function write(guest: XenGuest, ...entries: readonly (readonly number[])[]): void {
  entries.forEach(([op = 0, ...args], i) => {
    const at = ENTRIES + i * 32;
    guest.memory.write32(at, op);
    guest.memory.write32(at + 4, 0xa5a5a5a5);
    args.forEach((value, n) => guest.memory.write32(at + 8 + n * 4, value));
  });
}

const result = (guest: XenGuest, i: number) => guest.memory.read32(ENTRIES + i * 32 + 4) | 0;

/** The call until it is finished, as a vCPU makes it. */
function multicall(guest: XenGuest, count: number, entries: number = ENTRIES): number {
  const { regs } = guest.vcpu;
  [regs[0], regs[3], regs[1]] = [13, entries, count];
  while (guest.xen.hypercall(guest.vcpu));
  return regs[0]! | 0;
}

Deno.test("multicall gives each entry the result that it would have alone", () => {
  const guest = new XenGuest();
  guest.struct([0, 4, 0]);
  write(guest, [17, 0], [17, 6, SCRATCH], [99], [24, 3, 0], [13, ENTRIES, 1], [34, 5, 1]);
  assertEquals(multicall(guest, 6), 0);
  assertEquals([0, 1, 2, 3, 4, 5].map((i) => result(guest, i)), [
    ...[4 << 16 | 17, 0, ENOSYS, 1, EINVAL, EINVAL],
  ]);
  assertEquals(guest.u32(4), 0x305);
  assertEquals(guest.charged.slice(0, 4), ["multicall", "xen_version", "xen_version", "unknown"]);
});

Deno.test("multicall of many entries is made again for the rest, and counts each", () => {
  const guest = new XenGuest();
  write(guest, ...Array.from({ length: 100 }, () => [17, 7]));
  assertEquals(multicall(guest, 100), 0);
  for (let i = 0; i < 100; i++) assertEquals(result(guest, i), 4096);
  assertEquals(guest.xen.stats().hypercalls.byName, { multicall: 4, xen_version: 100 });
});

Deno.test("multicall goes on with an entry that takes long", () => {
  const guest = new XenGuest();
  write(guest, [17, 7], [18, 0, 3000, 0x1000], [17, 7]);
  for (let i = 0; i < 3000; i++) guest.memory.write8(0x1000 + i, i % 100 === 99 ? 10 : 97);
  assertEquals(multicall(guest, 3), 0);
  assertEquals([0, 1, 2].map((i) => result(guest, i)), [4096, 0, 4096]);
  assertEquals(guest.console.length, 30 * 105);
});

Deno.test("multicall ends where its entries do, with -EFAULT", () => {
  const guest = new XenGuest();
  assertEquals([multicall(guest, 0, 0xe0000000), multicall(guest, 1, 0xe0000000)], [0, EFAULT]);
  guest.vcpu.mapped.set(ENTRIES / 4096, ENTRIES / 4096);
  guest.vcpu.mapped.set(ENTRIES / 4096 + 1, undefined);
  write(guest, [17, 7]);
  assertEquals(multicall(guest, 0xffffffff), EFAULT);
  assertEquals(result(guest, 0), 4096);
});
