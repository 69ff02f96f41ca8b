import { assertEquals } from "@std/assert";
import { IoPortBus } from "../../devices/bus.ts";
import { Uart16550 } from "../../devices/uart.ts";
import { RecordingLine } from "../helpers/pc_devices.ts";

const BASE = 0x3f8;
const [DATA, IER, IIR, FCR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 2, 3, 4, 5, 6, 7];

class Board {
  readonly irq: RecordingLine = new RecordingLine();
  readonly sent: number[] = [];
  readonly uart: Uart16550 = new Uart16550(this.irq, (byte) => this.sent.push(byte));
  readonly #ports: IoPortBus = new IoPortBus();

  constructor() {
    this.#ports.map("com1", BASE, 8, this.uart);
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

Deno.test("Uart16550 reports a time-out below the trigger level and data at it", () => {
  const board = new Board();
  board.out(FCR, 0x41);
  board.out(IER, 0x01);
  for (const byte of [1, 2, 3]) board.uart.receive(byte);
  assertEquals(board.in(IIR), 0xcc);
  board.uart.receive(4);
  assertEquals(board.in(IIR), 0xc4);
  for (let read = 0; read < 4; read++) board.in(DATA);
  assertEquals([board.in(IIR), board.irq.asserted], [0xc1, false]);
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
