import { assertEquals } from "@std/assert";
import { VirtualClock } from "../../core/clock.ts";
import { IoPortBus } from "../../devices/bus.ts";
import { Pit, PIT_HZ } from "../../devices/pit.ts";
import { RecordingLine, runUntil } from "../helpers/pc_devices.ts";

const CONTROL = 0x43;
const SYSTEM = 0x61;
const SECOND = 1_000_000_000;

/** First nanosecond of an input clock. */
const at = (tick: number) => Number((BigInt(tick) * BigInt(SECOND) + 1193181n) / 1193182n);

/** A guest's view, with time counted in input clocks. */
class Board {
  readonly clock: VirtualClock = new VirtualClock();
  readonly irq0: RecordingLine = new RecordingLine(this.clock);
  readonly ports: IoPortBus = new IoPortBus();

  constructor() {
    const pit = new Pit(this.clock, this.irq0);
    this.ports.map("pit", 0x40, 4, pit);
    this.ports.map("port61", SYSTEM, 1, pit.systemPort);
  }
  out(port: number, ...bytes: number[]): void {
    for (const byte of bytes) this.ports.write(port, 1, byte);
  }
  in(port: number): number {
    return this.ports.read(port, 1);
  }
  runTo(tick: number): void {
    runUntil(this.clock, at(tick));
  }
  /** Programs a channel with a two-byte count; it counts from the next clock. */
  load(channel: number, mode: number, count: number): void {
    this.out(CONTROL, (channel << 6) | 0x30 | (mode << 1));
    this.out(0x40 + channel, count & 0xff, (count >> 8) & 0xff);
  }
  /** The count, latched. */
  count(channel: number): number {
    this.out(CONTROL, channel << 6);
    const low = this.in(0x40 + channel);
    return low | (this.in(0x40 + channel) << 8);
  }
  /** The status byte by read-back. */
  status(channel: number): number {
    this.out(CONTROL, 0xe0 | (2 << channel));
    return this.in(0x40 + channel);
  }
  out2(): number {
    return (this.in(SYSTEM) >> 5) & 1;
  }
  /** Rises of IRQ 0 since the last call, in input clocks. */
  rises(): number[] {
    return this.irq0.risesAt.splice(0).map((ns) => Math.floor(ns * PIT_HZ / SECOND));
  }
}

Deno.test("Pit runs IRQ 0 at 18.2 Hz from power-on", () => {
  const board = new Board();
  board.runTo(3 * 65536);
  assertEquals(board.rises(), [0, 65536, 2 * 65536, 3 * 65536]);
});

Deno.test("Pit mode 2 gives Linux its 250 Hz, without drift over a virtual hour", () => {
  const board = new Board();
  board.load(0, 2, 4773);
  board.rises();
  board.runTo(1 + 5 * 4773);
  assertEquals(board.rises(), [1, 2, 3, 4, 5].map((period) => 1 + period * 4773));
  runUntil(board.clock, 3600 * SECOND - 10 * at(4773));
  board.rises();
  runUntil(board.clock, 3600 * SECOND);
  const last = board.irq0.risesAt.at(-1)!;
  assertEquals(last, at(1 + Math.floor((3600 * PIT_HZ - 1) / 4773) * 4773));
});

Deno.test("Pit delivers every edge when time jumps over several", () => {
  const board = new Board();
  board.load(0, 2, 100);
  board.rises();
  board.clock.advance(at(1050));
  board.clock.fireDue();
  assertEquals(board.irq0.risesAt.length, 10);
  assertEquals(board.clock.nextDeadline > board.clock.now, true);
});

Deno.test("Pit delivers the edges that are due before an access that could cancel them", () => {
  const board = new Board();
  board.load(0, 2, 100);
  board.rises();
  board.clock.advance(at(350));
  board.out(CONTROL, 0x30);
  assertEquals(board.irq0.risesAt.length, 3);
  assertEquals(board.irq0.asserted, false);
});

Deno.test("Pit counts down to one in mode 2 and shows its low clock", () => {
  const board = new Board();
  board.load(0, 2, 5);
  const seen: (readonly [number, number])[] = [];
  for (let tick = 1; tick <= 7; tick++) {
    board.runTo(tick);
    seen.push([board.count(0), board.status(0) >> 7]);
  }
  assertEquals(seen, [[5, 1], [4, 1], [3, 1], [2, 1], [1, 0], [5, 1], [4, 1]]);
});

Deno.test("Pit mode 3 counts by twos, and an odd count is high one clock longer", () => {
  const board = new Board();
  board.load(0, 3, 5);
  const seen: (readonly [number, number])[] = [];
  for (let tick = 1; tick <= 6; tick++) {
    board.runTo(tick);
    seen.push([board.count(0), board.status(0) >> 7]);
  }
  assertEquals(seen, [[4, 1], [2, 1], [0, 1], [4, 0], [2, 0], [4, 1]]);
});

Deno.test("Pit mode 0 rises once and counts on through FFFF", () => {
  const board = new Board();
  board.load(0, 0, 100);
  board.rises();
  board.runTo(100);
  assertEquals([board.count(0), board.irq0.asserted], [1, false]);
  board.runTo(103);
  assertEquals([board.count(0), board.irq0.asserted], [0xfffe, true]);
  board.runTo(200_000);
  assertEquals(board.rises(), [101]);
});

Deno.test("Pit mode 0 stops at the first byte of a new count", () => {
  const board = new Board();
  board.load(0, 0, 100);
  board.runTo(50);
  board.out(0x40, 100);
  board.rises();
  board.runTo(1000);
  assertEquals([board.rises(), board.count(0)], [[], 51]);
  board.out(0x40, 0);
  board.runTo(2000);
  assertEquals(board.rises(), [1101]);
});

Deno.test("Pit mode 4 is Linux's one-shot: one low clock, restarted by each new count", () => {
  const board = new Board();
  board.load(0, 4, 1000);
  board.rises();
  board.runTo(500);
  board.out(0x40, 0xe8, 0x03);
  board.runTo(5000);
  assertEquals(board.rises(), [500 + 1 + 1000 + 1]);
  board.out(0x40, 0x64, 0x00);
  board.runTo(6000);
  assertEquals(board.rises(), [5102]);
});

Deno.test("Pit finishes the period of a running mode 2 before it takes a new count", () => {
  const board = new Board();
  board.load(0, 2, 100);
  board.rises();
  board.runTo(50);
  board.out(0x40, 10, 0);
  assertEquals(board.status(0) & 0x40, 0x40);
  board.runTo(121);
  assertEquals(board.rises(), [101, 111, 121]);
  assertEquals(board.status(0) & 0x40, 0);
});

Deno.test("Pit finishes the half period of a running mode 3 before it takes a new count", () => {
  const board = new Board();
  board.out(SYSTEM, 1);
  const load = (count: number) => board.out(0x42, count & 0xff, count >> 8);
  const levels = (...ticks: number[]) =>
    ticks.map((tick) => {
      board.runTo(tick);
      return board.out2();
    });
  board.out(CONTROL, 0xb6);
  load(100); // from clock 1: high to 51, low to 101
  board.runTo(20);
  load(21); // low from 51 for 10 clocks, high for 11, low for 10
  assertEquals(board.status(2) & 0x40, 0x40);
  assertEquals(levels(50, 51, 60, 61, 71, 72, 81, 82), [1, 0, 0, 1, 1, 0, 0, 1]);
  assertEquals(board.status(2) & 0x40, 0);
  board.runTo(94); // in the low half, from 93 to 103
  load(4);
  assertEquals(levels(102, 103, 104, 105, 107), [0, 1, 1, 0, 1]);
});

Deno.test("Pit survives the counts that no mode can use", () => {
  for (const mode of [2, 3]) {
    const board = new Board();
    board.load(0, mode, 1);
    board.rises();
    board.runTo(1000);
    assertEquals(board.rises(), []);
  }
});

Deno.test("Pit latch holds the count until both bytes are read; a second latch is ignored", () => {
  const board = new Board();
  board.load(0, 2, 0x8000);
  board.runTo(0x101);
  board.out(CONTROL, 0x00);
  board.runTo(0x1001);
  board.out(CONTROL, 0x00);
  assertEquals([board.in(0x40), board.in(0x40)], [0x00, 0x7f]);
  assertEquals([board.in(0x40), board.in(0x40)], [0x00, 0x70]);
});

Deno.test("Pit read-back gives status before count, of the chosen channels only", () => {
  const board = new Board();
  board.load(0, 2, 0x1234);
  board.load(1, 3, 0x4321);
  board.runTo(1);
  board.out(CONTROL, 0xc2);
  board.runTo(5);
  assertEquals([board.in(0x40), board.in(0x40), board.in(0x40)], [0xb4, 0x34, 0x12]);
  assertEquals(board.in(0x41), 0x20 - 0x08);
});

Deno.test("Pit status shows a null count until the counter has taken it", () => {
  const board = new Board();
  board.out(CONTROL, 0x34);
  assertEquals(board.status(0), 0xf4);
  board.out(0x40, 0x00, 0x10);
  assertEquals(board.status(0), 0xf4);
  board.runTo(1);
  assertEquals(board.status(0), 0xb4);
});

Deno.test("Pit status shows a null count while the same count waits once more", () => {
  const board = new Board();
  board.load(0, 2, 100);
  board.runTo(50);
  board.out(0x40, 100, 0);
  assertEquals(board.status(0) & 0x40, 0x40);
  board.runTo(101);
  assertEquals(board.status(0) & 0x40, 0);
});

Deno.test("Pit reads and writes one byte only when the access bits say so", () => {
  const board = new Board();
  board.out(CONTROL, 0x14);
  board.out(0x40, 0x80);
  board.runTo(1);
  assertEquals([board.in(0x40), board.in(0x40)], [0x80, 0x80]);
  board.out(CONTROL, 0x24);
  board.out(0x40, 0x80);
  board.runTo(2);
  assertEquals([board.in(0x40), board.in(0x40)], [0x80, 0x80]);
});

Deno.test("Pit counts in decimal when the control word says BCD", () => {
  const board = new Board();
  board.out(CONTROL, 0x31);
  board.out(0x40, 0x00, 0x10);
  board.runTo(2);
  assertEquals(board.count(0), 0x0999);
  board.runTo(1002);
  assertEquals(board.count(0), 0x9999);
});

Deno.test("Pit.systemPort gates channel 2, shows its OUT, and keeps bits 0 and 1 only", () => {
  const board = new Board();
  assertEquals(board.in(SYSTEM) & ~0x30, 0x00);
  board.out(SYSTEM, 0xff);
  assertEquals(board.in(SYSTEM) & ~0x30, 0x03);
  board.load(2, 0, 11932);
  assertEquals(board.out2(), 0);
  board.runTo(11932);
  assertEquals(board.out2(), 0);
  board.runTo(11933);
  assertEquals(board.out2(), 1);
});

Deno.test("Pit.systemPort pauses mode 0 while the gate is low", () => {
  const board = new Board();
  board.out(SYSTEM, 1);
  board.load(2, 0, 1000);
  board.runTo(401);
  board.out(SYSTEM, 0);
  board.runTo(5000);
  assertEquals([board.count(2), board.out2()], [600, 0]);
  board.out(SYSTEM, 1);
  board.runTo(5599);
  assertEquals(board.out2(), 0);
  board.runTo(5600);
  assertEquals(board.out2(), 1);
});

Deno.test("Pit.systemPort starts mode 1 by each rising gate", () => {
  const board = new Board();
  board.load(2, 1, 100);
  board.runTo(500);
  assertEquals(board.out2(), 1);
  board.out(SYSTEM, 1);
  board.runTo(550);
  assertEquals(board.out2(), 0);
  board.out(SYSTEM, 0);
  board.out(SYSTEM, 1);
  board.runTo(650);
  assertEquals(board.out2(), 0);
  board.runTo(651);
  assertEquals(board.out2(), 1);
});

Deno.test("Pit.systemPort holds OUT of mode 3 high while the gate is low and reloads on its rise", () => {
  const board = new Board();
  board.out(SYSTEM, 1);
  board.load(2, 3, 100);
  board.runTo(61);
  assertEquals(board.out2(), 0);
  board.out(SYSTEM, 0);
  assertEquals(board.out2(), 1);
  board.runTo(500);
  board.out(SYSTEM, 1);
  board.runTo(501 + 49);
  assertEquals(board.out2(), 1);
  board.runTo(501 + 50);
  assertEquals(board.out2(), 0);
});

Deno.test("Pit.systemPort holds the count of modes 2 and 3 while the gate is low, a new one waiting", () => {
  for (const [mode, left] of [[2, 60], [3, 20]] as const) {
    const board = new Board();
    board.out(SYSTEM, 1);
    board.load(2, mode, 100);
    board.runTo(41);
    board.out(0x42, 10, 0);
    board.out(SYSTEM, 0);
    board.runTo(500);
    assertEquals([board.count(2), board.status(2) & 0x40], [left, 0x40]);
    board.out(0x42, 20, 0);
    board.runTo(600);
    assertEquals([board.count(2), board.status(2) & 0x40], [left, 0x40]);
    board.out(SYSTEM, 1);
    board.runTo(601);
    assertEquals([board.count(2), board.status(2) & 0x40], [20, 0]);
  }
});

Deno.test("Pit.systemPort toggles the refresh bit every 15 microseconds", () => {
  const board = new Board();
  const bits = [0, 17, 18, 35, 36].map((tick) => {
    board.runTo(tick);
    return (board.in(SYSTEM) >> 4) & 1;
  });
  assertEquals(bits, [0, 0, 1, 1, 0]);
});

Deno.test("Pit passes Linux's quick TSC calibration: the high byte falls by one each 256 clocks", () => {
  const board = new Board();
  board.out(SYSTEM, 1);
  board.out(CONTROL, 0xb0);
  board.out(0x42, 0xff, 0xff);
  const high: number[] = [];
  for (let tick = 1; tick < 1024; tick += 32) {
    board.runTo(tick);
    board.in(0x42);
    high.push(board.in(0x42));
  }
  assertEquals([...new Set(high)], [0xff, 0xfe, 0xfd, 0xfc]);
});
