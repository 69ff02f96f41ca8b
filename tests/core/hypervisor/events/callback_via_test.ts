import { assertEquals } from "@std/assert";
import { SHARED, XenGuest } from "../../../helpers/xen_guest.ts";

const GSI_11 = 11n;
const INTA_3 = 1n << 56n | 3n << 11n;
const INTC_31 = 1n << 56n | 31n << 11n | 2n;
const VECTOR = 2n << 56n | 0xf3n;

/** With VIRQ_TIMER on port 1. */
function guestWithPort(): XenGuest {
  const guest = new XenGuest();
  guest.mapSharedInfo();
  assertEquals(guest.call(32, 1, guest.struct([0, 4, 0], [4, 4, 0])), 0);
  return guest;
}

const setCallback = (guest: XenGuest, value: bigint) =>
  guest.call(34, 0, guest.struct([0, 2, 0x7ff0], [4, 4, 0], [8, 8, value]));
const raise = (guest: XenGuest) => guest.xen.events.raiseVirq(0);
/** What an upcall handler does, and the exit after it. */
function takeNote(guest: XenGuest): void {
  guest.memory.write8(SHARED, 0);
  guest.memory.write32(SHARED + 4, 0);
  guest.memory.write32(SHARED + 2048, 0);
  guest.xen.settleCallback();
}

for (const [value, line] of [[GSI_11, "gsi 11"], [INTA_3, "intx 3 0"], [INTC_31, "intx 31 2"]]) {
  Deno.test(`HVM_PARAM_CALLBACK_IRQ: ${line} is asserted until the guest takes note of events`, () => {
    const guest = guestWithPort();
    assertEquals(setCallback(guest, value as bigint), 0);
    assertEquals([guest.xen.callbackAsserted, guest.xen.callbackVector], [false, undefined]);
    raise(guest);
    assertEquals([[...guest.asserted], guest.xen.callbackAsserted], [[line as string], true]);
    guest.xen.settleCallback();
    assertEquals(guest.asserted.size, 1, "as long as evtchn_upcall_pending says so");
    takeNote(guest);
    assertEquals([guest.asserted.size, guest.xen.callbackAsserted], [0, false]);
    raise(guest);
    assertEquals(guest.asserted.size, 1);
  });
}

Deno.test("HVM_PARAM_CALLBACK_IRQ tells of what is pending already", () => {
  const guest = guestWithPort();
  raise(guest);
  setCallback(guest, GSI_11);
  assertEquals([...guest.asserted], ["gsi 11"]);
});

Deno.test("HVM_PARAM_CALLBACK_IRQ lets go of the line before", () => {
  const guest = guestWithPort();
  raise(guest);
  setCallback(guest, GSI_11);
  setCallback(guest, INTA_3);
  assertEquals([...guest.asserted], ["intx 3 0"]);
  setCallback(guest, VECTOR);
  assertEquals([guest.asserted.size, guest.xen.callbackVector], [0, 0xf3]);
});

Deno.test("HVM_PARAM_CALLBACK_IRQ: no event tells by GSI 0, one that is not there, other types", () => {
  const guest = guestWithPort();
  raise(guest);
  for (const value of [0n, 200n, 3n << 56n, 255n << 56n | 11n]) {
    assertEquals(setCallback(guest, value), 0);
    assertEquals([guest.asserted.size, guest.xen.callbackVector], [0, undefined]);
  }
});

Deno.test("HVM_PARAM_CALLBACK_IRQ: masked events assert nothing", () => {
  const guest = guestWithPort();
  setCallback(guest, GSI_11);
  guest.memory.write32(SHARED + 2176, 2);
  raise(guest);
  assertEquals(guest.asserted.size, 0);
  assertEquals(guest.call(32, 9, guest.struct([0, 4, 1])), 0);
  assertEquals(guest.asserted.size, 1);
});
