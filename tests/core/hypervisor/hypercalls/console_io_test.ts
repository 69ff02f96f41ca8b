import { assertEquals } from "@std/assert";
import { SCRATCH, XenGuest } from "../../../helpers/xen_guest.ts";

const EPERM = -1;
const EFAULT = -14;

/** console_io(write) of a text that lies at SCRATCH. */
function write(guest: XenGuest, text: string): number {
  const bytes = new TextEncoder().encode(text);
  bytes.forEach((byte, i) => guest.memory.write8(SCRATCH + i, byte));
  return guest.call(18, 0, bytes.length, SCRATCH);
}

Deno.test("CONSOLEIO_write prints whole lines behind the number of the domain", () => {
  const guest = new XenGuest();
  assertEquals(write(guest, "hel"), 0);
  assertEquals(guest.console, "");
  assertEquals(write(guest, "lo\nwor\tld\n\n."), 0);
  assertEquals(guest.console, "(d1) hello\n(d1) wor\tld\n(d1) \n");
  assertEquals(write(guest, ""), 0);
});

Deno.test("CONSOLEIO_write leaves out what cannot be printed, and breaks lines of 199", () => {
  const guest = new XenGuest();
  write(guest, "\r\x1b[1mé\x7fa\n");
  assertEquals(guest.console, "(d1) [1ma\n");
  write(guest, "x".repeat(250) + "\n");
  assertEquals(guest.console.split("\n").map((line) => line.length), [9, 204, 56, 0]);
});

Deno.test("CONSOLEIO_write stops where the buffer is no memory; to read is not for guests", () => {
  const guest = new XenGuest();
  assertEquals(guest.call(18, 0, 10, 0xe0000000), EFAULT);
  guest.vcpu.mapped.set(0xc0000, 9);
  guest.vcpu.mapped.set(0xc0001, undefined);
  guest.memory.write8(0x9000 + 4095 - 128, 10);
  assertEquals(guest.call(18, 0, 400, 0xc0001000 - 200), EFAULT);
  assertEquals(guest.call(18, 1, 10, SCRATCH), EPERM);
});
