import { assertEquals } from "@std/assert";
import { SHARED, XenGuest } from "../../helpers/xen_guest.ts";
import { tscScale, VCPU_TIME } from "../../../core/hypervisor/pvclock.ts";
import { SHARED_INFO, SharedInfo, VCPU_INFO } from "../../../core/hypervisor/shared_info.ts";

const EBUSY = -16;
const EINVAL = -22;

Deno.test("SHARED_INFO has the i386 layout", () => {
  assertEquals(SHARED_INFO, {
    VCPU_INFO: 0,
    EVTCHN_PENDING: 2048,
    EVTCHN_MASK: 2176,
    WC_VERSION: 2304,
    WC_SEC: 2308,
    WC_NSEC: 2312,
    WC_SEC_HI: 2340,
    SIZE: 2344,
  });
  assertEquals(VCPU_INFO, {
    UPCALL_PENDING: 0,
    UPCALL_MASK: 1,
    PENDING_SEL: 4,
    TIME: 32,
    SIZE: 64,
  });
  assertEquals(VCPU_TIME, {
    VERSION: 0,
    TSC_TIMESTAMP: 8,
    SYSTEM_TIME: 16,
    TSC_TO_SYSTEM_MUL: 24,
    TSC_SHIFT: 28,
    FLAGS: 29,
    SIZE: 32,
  });
});

/** As `linux/arch/x86/include/asm/pvclock.h` computes it. */
function guestNs(ticks: bigint, mul: number, shift: number): bigint {
  const delta = shift >= 0 ? ticks << BigInt(shift) : ticks >> BigInt(-shift);
  return delta * BigInt(mul) >> 32n;
}

Deno.test("tscScale() is exact for 1 GHz", () => {
  assertEquals(tscScale(1_000_000_000), { mul: 0x80000000, shift: 1 });
});

Deno.test("tscScale() keeps the top bit of mul set and a second within 2 ns, at every rate", () => {
  for (const tscHz of [1e6, 33_333_333, 999_999_999, 1e9, 2e9, 2_400_000_001, 3.8e9, 5e9]) {
    const { mul, shift } = tscScale(tscHz);
    assertEquals(mul >= 2 ** 31 && mul < 2 ** 32, true, `${tscHz} Hz: mul ${mul}`);
    const error = 1_000_000_000n - guestNs(BigInt(tscHz), mul, shift);
    assertEquals(error >= 0n && error <= 2n, true, `${tscHz} Hz: ${error} ns off`);
  }
});

Deno.test("SharedInfo has clocks before the guest can look, and is zero otherwise", () => {
  const guest = new XenGuest(2_000_000_000);
  guest.mapSharedInfo();
  const { memory } = guest;
  assertEquals(memory.read32(SHARED + 32) % 2, 0); // version
  assertEquals(memory.read32(SHARED + 32) > 0, true);
  assertEquals(memory.read64(SHARED + 40), 0n); // tsc_timestamp
  assertEquals(memory.read64(SHARED + 48), 0n); // system_time
  assertEquals(memory.read32(SHARED + 56), 0x80000000); // mul: 2 ticks a nanosecond
  assertEquals(memory.read8(SHARED + 60), 0); // shift
  assertEquals(memory.read8(SHARED + 61), 0); // flags
  assertEquals(memory.read32(SHARED + 2304) % 2, 0); // wc_version
  assertEquals(memory.read32(SHARED + 2308), Date.UTC(2026, 0, 1) / 1000);
  assertEquals(memory.read32(SHARED + 2312), 0);
  assertEquals(memory.read32(SHARED + 2340), 0);
  const live = (at: number) => (at >= 32 && at < 64) || (at >= 2304 && at < 2312);
  const page = memory.page(SHARED / 4096)!;
  assertEquals(page.every((byte, at) => byte === 0 || live(at)), true);
});

Deno.test("SharedInfo moves when it is mapped again, and the RAM below comes back", () => {
  const guest = new XenGuest();
  guest.memory.write32(0x1000, 0x12345678);
  guest.mapSharedInfo(1);
  assertEquals(guest.memory.read32(0x1000), 0);
  guest.memory.write32(0x1000 + 2176, 0xffffffff);
  guest.mapSharedInfo(2);
  assertEquals(guest.memory.read32(0x1000), 0x12345678);
  assertEquals(guest.memory.read32(0x2000 + 2176), 0xffffffff);
  guest.mapSharedInfo(2);
  assertEquals(guest.memory.read32(0x2000 + 2176), 0xffffffff);
});

Deno.test("SharedInfo stays away from a place that another page has taken", () => {
  const guest = new XenGuest();
  guest.mapSharedInfo(3);
  assertEquals(guest.addToPhysmap(1, 0, 3), 0);
  guest.mapSharedInfo(4);
  guest.xen.grants.grantToDom0(1, 0xfeffc);
  assertEquals(guest.memory.read32(0x3000 + 12), 0xfeffc); // still the grant table
});

const registerVcpuInfo = (guest: XenGuest, gfn: number, offset: number) =>
  guest.call(24, 10, 0, guest.struct([0, 8, gfn], [8, 4, offset], [12, 4, 0]));

Deno.test("VCPUOP_register_vcpu_info moves the record and marks everything pending", () => {
  const guest = new XenGuest();
  guest.mapSharedInfo();
  guest.memory.write8(SHARED + 1, 1); // evtchn_upcall_mask comes along
  assertEquals(registerVcpuInfo(guest, 7, 0x340), 0);
  const place = 0x7340;
  assertEquals(guest.memory.read8(place), 1);
  assertEquals(guest.memory.read8(place + 1), 1);
  assertEquals(guest.memory.read32(place + 4), 0xffffffff);
  assertEquals(guest.memory.read32(place + 32), guest.memory.read32(SHARED + 32) + 2);
  assertEquals(guest.memory.read32(place + 56), 0x80000000);
  assertEquals(guest.memory.read8(place + 60), 1);
  assertEquals(guest.memory.read8(SHARED), 0);
});

Deno.test("VCPUOP_register_vcpu_info decides where later events are shown", () => {
  const guest = new XenGuest();
  guest.mapSharedInfo();
  registerVcpuInfo(guest, 7, 0);
  guest.memory.write8(0x7000, 0);
  guest.memory.write32(0x7004, 0);
  assertEquals(guest.xen.upcallPending, false);
  assertEquals(guest.call(32, 7, guest.struct([0, 4, 0])), 0);
  assertEquals(guest.send(1), 0);
  assertEquals(guest.xen.upcallPending, true);
  assertEquals(guest.memory.read32(0x7004), 1);
  assertEquals(guest.memory.read32(SHARED + 2048), 2);
  assertEquals(guest.memory.read8(SHARED), 0);
});

Deno.test("VCPUOP_register_vcpu_info refuses a second time and places that do not fit", () => {
  const guest = new XenGuest();
  assertEquals(registerVcpuInfo(guest, 7, 4096 - 63), EINVAL);
  assertEquals(registerVcpuInfo(guest, 0xf0000, 0), EINVAL);
  assertEquals(registerVcpuInfo(guest, 7, 4096 - 64), 0);
  assertEquals(registerVcpuInfo(guest, 8, 0), EBUSY);
});

Deno.test("SharedInfo has the wall clock that it is told, 64 bits of it", () => {
  const guest = new XenGuest();
  const { memory } = guest;
  const { frame } = new SharedInfo(memory, memory, 1e9, 2 ** 32 + 5);
  const fields = new DataView(frame.buffer, frame.byteOffset);
  assertEquals(
    [2304, 2308, 2312, 2340].map((at) => fields.getUint32(at, true)),
    [2, 5, 0, 1],
  );
});

Deno.test("XENMEM_add_to_physmap fills in the clocks that hvmloader has emptied", () => {
  const guest = new XenGuest();
  guest.mapSharedInfo();
  const scale = guest.memory.read32(SHARED + 32 + 24);
  for (let at = 0; at < 2344; at += 4) guest.memory.write32(SHARED + at, 0);
  guest.mapSharedInfo(5);
  assertEquals(guest.memory.read32(5 * 4096 + 32 + 24), scale);
  assertEquals(guest.memory.read32(5 * 4096 + 2308), 1_767_225_600);
});
