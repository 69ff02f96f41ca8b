import { assertEquals } from "@std/assert";
import { VirtualClock } from "../../core/clock.ts";
import { IoPortBus } from "../../devices/bus.ts";
import { CMOS_BYTES, Rtc } from "../../devices/rtc.ts";
import { RecordingLine, runUntil } from "../helpers/pc_devices.ts";

const [A, B, C, D, CENTURY] = [0x0a, 0x0b, 0x0c, 0x0d, 0x32];
const SECOND = 1_000_000_000;
/** 2026-01-01T00:00:00, a Thursday. */
const NEW_YEAR = 1_767_225_600;

class Board {
  readonly clock: VirtualClock = new VirtualClock();
  readonly irq: RecordingLine = new RecordingLine(this.clock);
  readonly #ports: IoPortBus = new IoPortBus();

  constructor(base: number = NEW_YEAR) {
    const cmos = new Uint8Array(CMOS_BYTES).fill(0x5a);
    this.#ports.map("rtc", 0x70, 2, new Rtc(this.clock, this.irq, { base, cmos }));
  }
  get(register: number): number {
    this.#ports.write(0x70, 1, register);
    return this.#ports.read(0x71, 1);
  }
  set(register: number, value: number): void {
    this.#ports.write(0x70, 1, register);
    this.#ports.write(0x71, 1, value);
  }
  /** Reads an index register, which floats. */
  index(): number {
    return this.#ports.read(0x70, 1);
  }
  /** Hours, minutes, seconds, as they stand in the registers. */
  time(): number[] {
    return [4, 2, 0].map((register) => this.get(register));
  }
  /** Century, year, month, day, weekday. */
  date(): number[] {
    return [CENTURY, 9, 8, 7, 6].map((register) => this.get(register));
  }
  run(ns: number): void {
    runUntil(this.clock, this.clock.now + ns);
  }
}

Deno.test("Rtc starts at its base with the registers that a BIOS left", () => {
  const board = new Board();
  assertEquals(board.time(), [0x00, 0x00, 0x00]);
  assertEquals(board.date(), [0x20, 0x26, 0x01, 0x01, 0x05]);
  assertEquals([A, B, C, D].map((register) => board.get(register)), [0x26, 0x02, 0x00, 0x80]);
  assertEquals(board.index(), 0xff);
});

Deno.test("Rtc keeps the other bytes, the century under two numbers", () => {
  const board = new Board();
  assertEquals([board.get(0x0e), board.get(0x7f), board.get(0x37)], [0x5a, 0x5a, 0x20]);
  board.set(0x8f, 0x0a);
  assertEquals([board.get(0x0f), board.get(0x8f)], [0x0a, 0x0a]);
  board.set(0x37, 0x19);
  assertEquals(board.get(0x32), 0x19);
});

Deno.test("Rtc counts on through the end of a leap year's February", () => {
  const board = new Board(1_709_251_199); // 2024-02-29T23:59:59, a Thursday
  assertEquals([board.date(), board.time()], [[0x20, 0x24, 0x02, 0x29, 0x05], [0x23, 0x59, 0x59]]);
  board.run(SECOND);
  assertEquals([board.date(), board.time()], [[0x20, 0x24, 0x03, 0x01, 0x06], [0x00, 0x00, 0x00]]);
});

Deno.test("Rtc counts on into the next century", () => {
  const board = new Board(946_684_799); // 1999-12-31T23:59:59
  board.run(2 * SECOND);
  assertEquals([board.date(), board.time()], [[0x20, 0x00, 0x01, 0x01, 0x07], [0x00, 0x00, 0x01]]);
});

Deno.test("Rtc UIP warns 244 µs before each update and not while SET", () => {
  const board = new Board();
  board.run(SECOND - 245_000);
  assertEquals(board.get(A), 0x26);
  board.run(1_000);
  assertEquals(board.get(A), 0xa6);
  board.set(B, 0x82);
  assertEquals(board.get(A), 0x26);
  board.set(B, 0x02);
  board.run(244_000);
  assertEquals([board.get(A), board.get(0)], [0x26, 0x01]);
});

Deno.test("Rtc SET stops the time, lets a guest write it, and ends UIE", () => {
  const board = new Board();
  board.set(B, 0x92);
  assertEquals(board.get(B), 0x82);
  for (const [register, value] of [[0, 0x58], [2, 0x59], [4, 0x23]] as const) {
    board.set(register, value);
  }
  board.run(3 * SECOND);
  assertEquals(board.time(), [0x23, 0x59, 0x58]);
  board.set(B, 0x02);
  board.run(2 * SECOND);
  assertEquals([board.time(), board.get(7)], [[0x00, 0x00, 0x00], 0x02]);
});

Deno.test("Rtc counts in binary and in twelve hours when B says so", () => {
  const board = new Board();
  board.set(B, 0x84);
  for (const [register, value] of [[0, 59], [2, 59], [4, 0x8b], [7, 31], [8, 12]] as const) {
    board.set(register, value);
  }
  board.set(9, 99);
  board.set(CENTURY, 20);
  board.set(B, 0x04);
  board.run(SECOND);
  assertEquals([board.time(), board.date()], [[12, 0, 0], [21, 0, 1, 1, 6]]);
  board.set(4, 0x0b);
  board.run(3600 * SECOND);
  assertEquals(board.time(), [0x8c, 0, 0]);
});

Deno.test("Rtc update-ended interrupt comes each second that C has been read", () => {
  const board = new Board();
  board.set(B, 0x12);
  board.run(2.5 * SECOND);
  assertEquals(board.irq.risesAt, [SECOND]);
  assertEquals([board.get(C), board.irq.asserted, board.get(C)], [0xd0, false, 0x00]);
  board.run(SECOND);
  assertEquals(board.irq.risesAt, [SECOND, 3 * SECOND]);
});

Deno.test("Rtc sets its flags without interrupts too, IRQF only with them", () => {
  const board = new Board();
  board.run(SECOND);
  assertEquals([board.get(C), board.irq.risesAt.length], [0x50, 0]);
});

Deno.test("Rtc alarm matches to the second, and any value from C0 on", () => {
  const rows: readonly [hour: number, minute: number, second: number, risesAt: number][] = [
    [0x00, 0x01, 0x05, 65],
    [0xff, 0xc0, 0x05, 5],
    [0x23, 0xff, 0xff, 23 * 3600],
    [0xff, 0xff, 0xff, 1],
    [0x00, 0x00, 0x00, 86_400],
  ];
  for (const [hour, minute, second, risesAt] of rows) {
    const board = new Board();
    [[5, hour], [3, minute], [1, second]].forEach(([at, value]) => board.set(at!, value!));
    board.set(B, 0x22);
    board.run(86_400 * SECOND);
    assertEquals(board.irq.risesAt, [risesAt * SECOND]);
    assertEquals(board.get(C) & 0xa0, 0xa0);
  }
});

Deno.test("Rtc alarm compares the time of day alone: the date may be before 1970", () => {
  for (const [century, year] of [[0x19, 0x69], [0x00, 0x00]] as const) {
    const board = new Board();
    board.set(CENTURY, century);
    board.set(9, year);
    [[5, 0x00], [3, 0x01], [1, 0x05]].forEach(([at, value]) => board.set(at!, value!));
    board.set(B, 0x22);
    board.run(86_400 * SECOND);
    assertEquals(board.irq.risesAt, [65 * SECOND]);
  }
});

Deno.test("Rtc alarm never comes at a time that no clock shows", () => {
  const board = new Board();
  board.set(B, 0x22);
  assertEquals(board.clock.nextDeadline, Infinity);
});

Deno.test("Rtc periodic interrupt comes at the rate of A, drawn from the crystal", () => {
  const rows: readonly [rate: number, hertz: number][] = [
    [1, 256],
    [2, 128],
    [3, 8192],
    [6, 1024],
    [15, 2],
  ];
  for (const [rate, hertz] of rows) {
    const board = new Board();
    board.set(A, 0x20 | rate);
    board.set(B, 0x42);
    let interrupts = 0;
    for (; board.clock.nextDeadline <= SECOND; interrupts++) {
      board.run(board.clock.nextDeadline - board.clock.now);
      assertEquals(board.get(C) & 0xc0, 0xc0);
    }
    assertEquals([interrupts, board.clock.now], [hertz, SECOND]);
  }
});

Deno.test("Rtc periodic flag never comes at rate 0", () => {
  const board = new Board();
  board.set(A, 0x20);
  board.set(B, 0x42);
  board.run(10 * SECOND);
  assertEquals([board.irq.risesAt.length, board.get(C)], [0, 0x10]);
});

Deno.test("Rtc stands while its divider is held, and updates half a second after", () => {
  const board = new Board();
  board.set(B, 0x12);
  board.set(A, 0x76);
  board.run(5 * SECOND);
  assertEquals([board.time(), board.irq.risesAt.length], [[0, 0, 0], 0]);
  board.set(A, 0x26);
  board.run(SECOND);
  assertEquals([board.time(), board.irq.risesAt], [[0, 0, 1], [5.5 * SECOND]]);
});

Deno.test("Rtc arms no timer while nothing can interrupt", () => {
  const board = new Board();
  board.get(C);
  assertEquals(board.clock.nextDeadline, Infinity);
  board.set(B, 0x12);
  board.run(SECOND);
  assertEquals(board.clock.nextDeadline, Infinity); // the interrupt stands until C is read
});
