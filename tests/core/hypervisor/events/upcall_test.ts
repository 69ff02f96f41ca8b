import { assertEquals } from "@std/assert";
import { SCRATCH, SHARED, XenGuest } from "../../../helpers/xen_guest.ts";

const ENOENT = -2;
const EFAULT = -14;
const EINVAL = -22;
const ENOSYS = -38;

const VECTOR = 0xf3;

function makeGuest(): XenGuest {
  const guest = new XenGuest(1_000_000_000, { upcallVector: true });
  guest.mapSharedInfo();
  return guest;
}

const setVector = (guest: XenGuest, vcpu: number, vector: number) =>
  guest.call(34, 23, guest.struct([0, 4, vcpu], [4, 1, vector]));
const bindIpi = (guest: XenGuest) => guest.call(32, 7, guest.struct([0, 4, 0]));

Deno.test("HVMOP_set_evtchn_upcall_vector is there with its CPUID bit, and not without", () => {
  const rows = [[true, 0x40, 0], [false, 0, ENOSYS]] as const;
  for (const [upcallVector, bit, result] of rows) {
    const guest = new XenGuest(1_000_000_000, { upcallVector });
    assertEquals(guest.xen.cpuid(0x40000004, 0)![0]! & 0x40, bit);
    assertEquals(setVector(guest, 0, VECTOR), result);
    assertEquals(guest.xen.upcallVector, upcallVector ? VECTOR : undefined);
  }
});

Deno.test("HVMOP_set_evtchn_upcall_vector checks vector and vCPU", () => {
  const guest = makeGuest();
  assertEquals([0, 15, 16, 255].map((vector) => setVector(guest, 0, vector)), [
    ...[EINVAL, EINVAL, 0, 0],
  ]);
  assertEquals([setVector(guest, 1, VECTOR), setVector(guest, 1, 3)], [ENOENT, EINVAL]);
  assertEquals(guest.call(34, 23, 0xe0000000), EFAULT);
});

Deno.test("Upcall requests the vector when evtchn_upcall_pending goes up, and then not again", () => {
  const guest = makeGuest();
  bindIpi(guest);
  bindIpi(guest);
  assertEquals(setVector(guest, 0, VECTOR), 0);
  guest.vectors.length = 0;
  guest.send(1);
  guest.send(2);
  assertEquals(guest.vectors, [VECTOR]);
  guest.memory.write8(SHARED, 0);
  guest.memory.write32(SHARED + 4, 0);
  guest.memory.write32(SHARED + 2048, 0);
  guest.send(2);
  assertEquals(guest.vectors, [VECTOR, VECTOR]);
  assertEquals(guest.xen.callbackVector, undefined);
});

Deno.test("HVMOP_set_evtchn_upcall_vector tells again what has been pending before", () => {
  const guest = makeGuest();
  assertEquals(guest.call(24, 10, 0, guest.struct([0, 8, 9], [8, 4, 0])), 0); // marks all pending
  assertEquals(guest.vectors, []);
  setVector(guest, 0, VECTOR);
  assertEquals(guest.vectors, [VECTOR]);
});

Deno.test("HVM_PARAM_CALLBACK_IRQ means nothing to a vCPU that has a vector", () => {
  const guest = makeGuest();
  setVector(guest, 0, VECTOR);
  const gsi1 = guest.struct([0, 2, 0x7ff0], [4, 4, 0], [8, 8, 1n]);
  assertEquals(guest.call(34, 0, gsi1), 0);
  assertEquals(guest.call(34, 1, guest.struct([0, 2, 0x7ff0], [4, 4, 0])), 0);
  assertEquals(guest.memory.read64(SCRATCH + 8), 1n);
  assertEquals(guest.xen.callbackVector, undefined);
});
