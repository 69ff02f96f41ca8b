import { assertEquals } from "@std/assert";
import { VirtualClock } from "../../core/clock.ts";
import { IoPortBus } from "../../devices/bus.ts";
import { Uart16550 } from "../../devices/uart.ts";
import { RecordingLine, runUntil } from "../helpers/pc_devices.ts";

const BASE = 0x3f8;
const [DATA, IER, IIR, FCR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 2, 3, 4, 5, 6, 7];

class Board {
  readonly clock: VirtualClock = new VirtualClock();
  readonly irq: RecordingLine = new RecordingLine(this.clock);
  readonly sent: number[] = [];
  readonly uart: Uart16550 = new Uart16550(this.clock, this.irq, (byte) => this.sent.push(byte));
  readonly #ports: IoPortBus = new IoPortBus();

  constructor() {
    this.#ports.map("com1", BASE, 8, this.uart);
  }
  run(ns: number): void {
    runUntil(this.clock, this.clock.now + ns);
  }
  in(register: number): number {
    return this.#ports.read(BASE + register, 1);
  }
  out(register: number, value: number): void {
    this.#ports.write(BASE + register, 1, value);
  }
}

Deno.test("Uart16550 starts as a PC leaves it", () => {
  const board = new Board();
  assertEquals([IER, IIR, LCR, MCR, LSR, MSR, SCR].map((register) => board.in(register)), [
    0x00,
    0x01,
    0x00,
    0x08,
    0x60,
    0xb0,
    0x00,
  ]);
});

Deno.test("Uart16550 passes Linux's detection of a 16550A", () => {
  const board = new Board();
  board.out(IER, 0x00);
  assertEquals(board.in(IER), 0x00);
  board.out(IER, 0x0f);
  assertEquals(board.in(IER), 0x0f);
  board.out(IER, 0x00);
  board.out(LCR, 0xbf);
  board.out(FCR, 0x00);
  board.out(LCR, 0x00);
  board.out(FCR, 0x01);
  assertEquals(board.in(IIR), 0xc1);
});

Deno.test("Uart16550 passes Linux's THRE test: enabling the interrupt raises it each time", () => {
  const board = new Board();
  board.out(IER, 0x02);
  assertEquals(board.in(IIR), 0x02);
  board.out(IER, 0x00);
  board.out(IER, 0x02);
  assertEquals(board.in(IIR), 0x02);
  assertEquals(board.in(IIR), 0x01);
});

Deno.test("Uart16550 ends the THRE interrupt when IIR reports it, and raises it again after a byte", () => {
  const board = new Board();
  board.out(IER, 0x02);
  assertEquals(board.irq.asserted, true);
  board.in(IIR);
  assertEquals(board.irq.asserted, false);
  board.out(DATA, 0x41);
  board.out(DATA, 0x42);
  assertEquals([board.irq.asserted, board.irq.risesAt.length], [true, 3]);
  assertEquals(board.sent, [0x41, 0x42]);
});

Deno.test("Uart16550 keeps the THRE interrupt when IIR reports another", () => {
  const board = new Board();
  board.out(IER, 0x03);
  board.uart.receive(0x55);
  assertEquals(board.in(IIR), 0x04);
  board.in(DATA);
  assertEquals(board.in(IIR), 0x02);
});

Deno.test("Uart16550 holds its interrupt back while OUT2 is off", () => {
  const board = new Board();
  board.out(MCR, 0x03);
  board.out(IER, 0x02);
  assertEquals(board.irq.asserted, false);
  board.out(MCR, 0x0b);
  assertEquals(board.irq.asserted, true);
});

Deno.test("Uart16550 receives bytes in order and reports data ready until they are read", () => {
  const board = new Board();
  board.out(FCR, 0x01);
  board.uart.receive(0x68);
  board.uart.receive(0x69);
  assertEquals(board.in(LSR), 0x61);
  assertEquals([board.in(DATA), board.in(DATA), board.in(LSR)], [0x68, 0x69, 0x60]);
});

Deno.test("Uart16550 reports data at the trigger level, by FCR", () => {
  for (const [control, level] of [[0x01, 1], [0x41, 4], [0x81, 8], [0xc1, 14]] as const) {
    const board = new Board();
    board.out(FCR, control);
    board.out(IER, 0x01);
    for (let byte = 1; byte < level; byte++) board.uart.receive(byte);
    assertEquals(board.irq.asserted, false);
    board.uart.receive(level);
    assertEquals([board.in(IIR), board.irq.asserted], [0xc4, true]);
    board.in(DATA);
    assertEquals([board.in(IIR), board.irq.asserted], [0xc1, false]);
  }
});

Deno.test("Uart16550 reports a time-out after four characters of silence, until a read", () => {
  const board = new Board();
  board.out(LCR, 0x80);
  board.out(DATA, 0x01); // 115200 baud
  board.out(LCR, 0x03); // 10 bits: 86.8 µs a character
  board.out(FCR, 0x81);
  board.out(IER, 0x01);
  board.uart.receive(1);
  board.run(300_000);
  board.uart.receive(2);
  board.run(347_000);
  assertEquals(board.irq.asserted, false);
  board.run(1_000);
  assertEquals([board.irq.asserted, board.in(IIR)], [true, 0xcc]);
  board.in(DATA);
  assertEquals([board.irq.asserted, board.in(IIR)], [false, 0xc1]);
  board.run(348_000);
  assertEquals(board.in(IIR), 0xcc);
  board.in(DATA);
  assertEquals([board.in(IIR), board.clock.nextDeadline], [0xc1, Infinity]);
});

Deno.test("Uart16550 character time follows LCR and the divisor", () => {
  const rows: readonly [control: number, divisor: number, bits: number][] = [
    [0x03, 12, 10],
    [0x00, 12, 7],
    [0x0f, 1, 12],
    [0x1a, 3, 10],
  ];
  for (const [control, divisor, bits] of rows) {
    const board = new Board();
    board.out(LCR, 0x80);
    board.out(DATA, divisor);
    board.out(LCR, control);
    board.out(FCR, 0xc1);
    board.uart.receive(1);
    assertEquals(board.clock.nextDeadline, 4 * Math.ceil(bits * divisor * 1e9 / 115_200));
  }
});

Deno.test("Uart16550.receiveBreak() is a zero byte that LSR marks until it is read", () => {
  const board = new Board();
  board.out(FCR, 0x01);
  board.uart.receiveBreak();
  board.uart.receive(0x68);
  assertEquals(board.in(LSR) & 0x11, 0x11);
  assertEquals([board.in(DATA), board.in(LSR) & 0x11], [0x00, 0x01]);
  assertEquals([board.in(DATA), board.in(LSR) & 0x11], [0x68, 0x00]);
});

Deno.test("Uart16550 shows a looped break with the byte that it came with", () => {
  const board = new Board();
  board.out(FCR, 0x01);
  board.out(IER, 0x04);
  board.out(MCR, 0x18);
  board.out(DATA, 0x41);
  board.out(LCR, 0x43);
  assertEquals([board.in(IIR), board.in(LSR), board.in(DATA)], [0xc1, 0xe1, 0x41]);
  assertEquals([board.in(IIR), board.in(LSR)], [0xc6, 0xf1]);
  assertEquals([board.in(IIR), board.in(LSR), board.in(DATA), board.in(LSR)], [
    0xc1,
    0x61,
    0x00,
    0x60,
  ]);
});

Deno.test("Uart16550 keeps sixteen bytes and reports an overrun once", () => {
  const board = new Board();
  board.out(FCR, 0x01);
  board.out(IER, 0x04);
  for (let byte = 0; byte < 17; byte++) board.uart.receive(byte);
  assertEquals(board.in(IIR), 0xc6);
  assertEquals([board.in(LSR), board.in(LSR), board.in(IIR)], [0x63, 0x61, 0xc1]);
  const read = Array.from({ length: 16 }, () => board.in(DATA));
  assertEquals(read, Array.from({ length: 16 }, (_, index) => index));
});

Deno.test("Uart16550 keeps the newest byte when overrun without FIFO", () => {
  const board = new Board();
  board.uart.receive(1);
  board.uart.receive(2);
  assertEquals([board.in(LSR), board.in(DATA), board.in(LSR)], [0x63, 2, 0x60]);
});

Deno.test("Uart16550 FCR empties the FIFO on request and when the FIFO is switched", () => {
  for (const control of [0x03, 0x00]) {
    const board = new Board();
    board.out(FCR, 0x01);
    board.uart.receive(1);
    board.out(FCR, control);
    assertEquals(board.in(LSR), 0x60);
  }
});

Deno.test("Uart16550 DLAB swaps data and IER for the divisor, and sends nothing", () => {
  const board = new Board();
  board.out(LCR, 0x83);
  board.out(DATA, 0x01);
  board.out(IER, 0x02);
  assertEquals([board.in(DATA), board.in(IER)], [0x01, 0x02]);
  board.out(LCR, 0x03);
  assertEquals([board.in(IER), board.sent.length], [0x00, 0]);
});

Deno.test("Uart16550 loopback turns output to input and modem outputs to inputs", () => {
  const board = new Board();
  board.out(MCR, 0x1a);
  assertEquals(board.in(MSR) & 0xf0, 0x90);
  board.out(DATA, 0x5a);
  board.uart.receive(0x33);
  assertEquals([board.in(DATA), board.in(LSR), board.sent.length], [0x5a, 0x60, 0]);
});

Deno.test("Uart16550 MSR deltas show what changed, RI only when it falls, until read", () => {
  const board = new Board();
  board.out(IER, 0x08);
  board.out(MCR, 0x1f);
  assertEquals([board.in(MSR), board.in(IIR)], [0xf0, 0x01]);
  board.out(MCR, 0x1a);
  assertEquals(board.in(IIR), 0x00);
  assertEquals([board.in(MSR), board.in(MSR)], [0x96, 0x90]);
});

Deno.test("Uart16550 scratch register keeps a byte; LSR and MSR cannot be written", () => {
  const board = new Board();
  for (const register of [LSR, MSR, SCR]) board.out(register, 0xa5);
  assertEquals([board.in(LSR), board.in(MSR), board.in(SCR)], [0x60, 0xb0, 0xa5]);
});
