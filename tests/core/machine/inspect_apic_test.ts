import { assertEquals } from "@std/assert";
import { ioApicLines, localApicLines } from "../../../core/machine/inspect_apic.ts";
import { ApicBoard, LAPIC } from "../../helpers/apic.ts";

/** What QEMU 7.2 prints of a Debian kernel that is waiting for its next tick, from the timer on. */
const QEMU_LAPIC = `dumping local APIC state for CPU 0

LVT0	 0x00010700 active-hi edge  masked                      ExtINT (vec 0)
LVT1	 0x00000400 active-hi edge                              NMI
LVTPC	 0x00010000 active-hi edge  masked                      Fixed  (vec 0)
LVTERR	 0x000000fe active-hi edge                              Fixed  (vec 254)
LVTTHMR	 0x00010000 active-hi edge  masked                      Fixed  (vec 0)
LVTT	 0x000000ec active-hi edge                 one-shot     Fixed  (vec 236)
Timer	 DCR=0x3 (divide by 16) initial_count = 141152 current_count = 86454
SPIV	 0x000001ff APIC enabled, focus=off, spurious vec 255
ICR	 0x000c4610 physical edge assert all
ICR2	 0x00000000
ESR	 0x00000000
ISR	 (none)
IRR	 (none)

APR 0x00 TPR 0x10 DFR 0x0f LDR 0x01 PPR 0x10`;

const QEMU_IOAPIC =
  `  pin 0  0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical
  pin 1  0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical
  pin 2  0x0100000000000830 dest=1 vec=48  active-hi edge         fixed  logical
  pin 3  0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical
  pin 4  0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical
  pin 5  0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical
  pin 6  0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical
  pin 7  0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical
  pin 8  0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical
  pin 9  0x0100000000008821 dest=1 vec=33  active-hi level        fixed  logical
  pin 10 0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical`;

Deno.test("localApicLines() prints the registers of a running Linux as QEMU does", () => {
  const board = new ApicBoard().enable();
  board.set(LAPIC.LVT_LINT0, 0x10700);
  board.set(LAPIC.LVT_LINT1, 0x400);
  board.set(LAPIC.LVT_ERROR, 0xfe);
  board.set(LAPIC.LVT_TIMER, 0xec);
  board.set(LAPIC.DIVIDE, 3);
  board.set(LAPIC.INITIAL, 141152);
  board.set(LAPIC.ICR, 0xc4610);
  board.set(LAPIC.TPR, 0x10);
  board.set(LAPIC.LDR, 0x01000000);
  board.runTo((141152 - 86454) * 160);
  assertEquals(localApicLines(board.lapic), QEMU_LAPIC.split("\n"));
});

Deno.test("localApicLines() names the vectors that wait and are served, and the levels among them", () => {
  const board = new ApicBoard().enable();
  board.redirect(10, 0x8051);
  board.ioapic.line(10).set(true);
  board.take();
  board.set(LAPIC.ICR, 1 << 18 | 0x41);
  const lines = localApicLines(board.lapic);
  assertEquals(lines.filter((line) => /^I.R\t .*\d/.test(line)).slice(-2), [
    "ISR\t 81(level)",
    "IRR\t 65",
  ]);
});

Deno.test("ioApicLines() prints redirection entries as QEMU does", () => {
  const board = new ApicBoard();
  board.redirect(2, 0x830, 1);
  board.redirect(9, 0x8821, 1);
  board.getIo(0x22);
  const [head, ...rest] = ioApicLines(board.ioapic);
  assertEquals(head, "ioapic0: ver=0x11 id=0x00 sel=0x22 (redir[9])");
  assertEquals(rest.slice(0, 11), QEMU_IOAPIC.split("\n"));
  assertEquals(rest.slice(24), ["  IRR      (none)", "  Remote IRR (none)"]);
});

Deno.test("ioApicLines() names the inputs that are asserted, and those that wait for an end", () => {
  const board = new ApicBoard().enable();
  board.redirect(10, 0x8051);
  for (const pin of [2, 10]) board.ioapic.line(pin).set(true);
  assertEquals(ioApicLines(board.ioapic).slice(-2), ["  IRR      2  10", "  Remote IRR 10"]);
});
