import { assertEquals } from "@std/assert";
import { IoApic } from "../../devices/ioapic.ts";
import { ApicBoard, LAPIC } from "../helpers/apic.ts";

const MASKED = 0x10000;
const LEVEL = 0x8000;
const REMOTE_IRR = 0x4000;

Deno.test("IoApic has version 11h, 24 masked entries, and an id of four bits", () => {
  const board = new ApicBoard();
  assertEquals([board.getIo(0), board.getIo(1), board.getIo(2)], [0, 0x00170011, 0]);
  const entries = Array.from({ length: 48 }, (_, n) => board.getIo(0x10 + n));
  assertEquals(entries, Array.from({ length: 48 }, (_, n) => n % 2 === 0 ? MASKED : 0));
  board.setIo(0, 0xffffffff);
  board.setIo(1, 0xffffffff);
  assertEquals([0, 1, 2, 0x40].map((n) => board.getIo(n)), [0x0f000000, 0x00170011, 0x0f000000, 0]);
});

Deno.test("IoApic keeps what the datasheet says is writable, the index register its byte", () => {
  const board = new ApicBoard();
  board.redirect(7, 0xffffffff, 0xff);
  assertEquals([board.getIo(0x1e), board.getIo(0x1f)], [0x1afff, 0xff000000]);
  board.mmio.write(0xfec00000, 4, 0x123);
  assertEquals(board.mmio.read(0xfec00000, 4), 0x23);
  assertEquals([board.mmio.read(0xfec00004, 4), board.mmio.read(0xfec00020, 4)], [0, 0]);
});

Deno.test("IoApic sends one message for each edge, and none for one at a masked input", () => {
  const board = new ApicBoard().enable();
  board.redirect(2, MASKED | 0x41);
  board.pulse(2);
  board.redirect(2, 0x41);
  assertEquals(board.take(), undefined);
  board.ioapic.line(2).set(true);
  board.ioapic.line(2).set(true);
  assertEquals([board.take(), board.vectors(LAPIC.TMR)], [0x41, []]);
  board.end();
  assertEquals(board.take(), undefined);
  board.ioapic.line(2).set(false);
  board.pulse(2);
  assertEquals([board.take(), board.getIo(0x14)], [0x41, 0x41]);
});

Deno.test("IoApic sends a level again after the end of interrupt, for as long as it lasts", () => {
  const board = new ApicBoard().enable();
  board.redirect(10, LEVEL | 0x51);
  board.ioapic.line(10).set(true);
  assertEquals(board.getIo(0x24), LEVEL | REMOTE_IRR | 0x51);
  assertEquals([board.take(), board.vectors(LAPIC.TMR)], [0x51, [0x51]]);
  board.end();
  assertEquals(board.take(), 0x51);
  board.ioapic.line(10).set(false);
  board.ioapic.line(10).set(true);
  assertEquals(board.take(), undefined); // the end of interrupt is still to come
  board.ioapic.line(10).set(false);
  board.end();
  assertEquals([board.take(), board.getIo(0x24)], [undefined, LEVEL | 0x51]);
});

Deno.test("IoApic sends a level that lasts when its input is unmasked, or its processor found", () => {
  const board = new ApicBoard().enable();
  board.redirect(10, LEVEL | MASKED | 0x51);
  board.ioapic.line(10).set(true);
  assertEquals(board.take(), undefined);
  board.redirect(10, LEVEL | 0x51, 3);
  assertEquals([board.take(), board.getIo(0x24)], [undefined, LEVEL | 0x51]);
  board.redirect(10, LEVEL | 0x51, 0);
  assertEquals(board.take(), 0x51);
});

Deno.test("IoApic offers a level again when the local APIC begins to take messages", () => {
  const board = new ApicBoard();
  board.redirect(10, LEVEL | 0x851, 4);
  board.ioapic.line(10).set(true);
  board.enable();
  assertEquals(board.getIo(0x24) & REMOTE_IRR, 0);
  board.set(LAPIC.LDR, 0x04000000);
  assertEquals([board.getIo(0x24) & REMOTE_IRR, board.take()], [REMOTE_IRR, 0x51]);
});

Deno.test("IoApic forgets that a level waits when software makes the input edge-triggered", () => {
  const board = new ApicBoard().enable();
  board.redirect(10, LEVEL | 0x51);
  board.ioapic.line(10).set(true);
  board.take();
  board.setIo(0x24, MASKED | 0x51);
  assertEquals(board.getIo(0x24), MASKED | 0x51);
  board.setIo(0x24, LEVEL | 0x51);
  assertEquals(board.getIo(0x24), LEVEL | REMOTE_IRR | 0x51);
});

Deno.test("IoApic ends the levels of the vector that has ended, and no others", () => {
  const board = new ApicBoard().enable();
  board.redirect(10, LEVEL | 0x51);
  board.redirect(11, LEVEL | 0x51);
  board.redirect(9, LEVEL | 0x61);
  for (const pin of [9, 10, 11]) board.ioapic.line(pin).set(true);
  for (const pin of [9, 10, 11]) board.ioapic.line(pin).set(false);
  assertEquals([board.take(), board.getIo(0x24) & REMOTE_IRR], [0x61, REMOTE_IRR]);
  board.end();
  assertEquals(board.take(), 0x51);
  board.end();
  assertEquals([0x22, 0x24, 0x26].map((n) => board.getIo(n) & REMOTE_IRR), [0, 0, 0]);
  assertEquals(board.take(), undefined);
});

Deno.test("IoApic sends what an entry's delivery mode says, to whom it says", () => {
  const board = new ApicBoard().enable();
  board.set(LAPIC.LDR, 0x01000000);
  for (
    const [entry, destination] of [[0x400, 0], [0x941, 1], [0x941, 2], [0x500, 0xff], [0x700, 0]]
  ) {
    board.redirect(1, entry!, destination);
    board.pulse(1);
  }
  assertEquals([board.log, board.take(), board.take()], [["nmi", "init"], 0x41, undefined]);
});

Deno.test("IoApic has as many inputs as it is made with, and tells so", () => {
  const sent: number[] = [];
  const io = new IoApic({ send: (message) => sent.push(message) > 0 }, 48);
  const write = (register: number, value: number) => {
    io.writeMmio(0, 4, register);
    io.writeMmio(0x10, 4, value);
  };
  write(1, 0);
  assertEquals([io.readMmio(0x10, 4), io.pinCount], [0x002f0011, 48]);
  write(0x10 + 2 * 47, LEVEL | 0x41);
  io.line(47).set(true);
  assertEquals([sent, io.registers.asserted], [[LEVEL | 0x41], [47]]);
  assertEquals([io.pinOf(0x41), io.line(48)], [47, undefined as unknown]);
});
