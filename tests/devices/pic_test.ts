import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { InternalError } from "../../core/errors.ts";
import { IoPortBus } from "../../devices/bus.ts";
import { Pic8259Pair } from "../../devices/pic.ts";
import { RecordingLine } from "../helpers/pc_devices.ts";

const MASTER = 0x20;
const SLAVE = 0xa0;

/** A guest's view of the pair: ports, sixteen lines, INTR. */
class Board {
  readonly ports: IoPortBus = new IoPortBus();
  readonly pic: Pic8259Pair = new Pic8259Pair();

  constructor() {
    this.ports.map("pic1", MASTER, 2, this.pic.master);
    this.ports.map("pic2", SLAVE, 2, this.pic.slave);
    this.ports.map("elcr", 0x4d0, 2, this.pic.elcr);
  }
  out(port: number, ...bytes: number[]): void {
    for (const byte of bytes) this.ports.write(port, 1, byte);
  }
  in(port: number): number {
    return this.ports.read(port, 1);
  }
  raise(...irqs: number[]): void {
    for (const irq of irqs) this.pic.line(irq).set(true);
  }
  lower(...irqs: number[]): void {
    for (const irq of irqs) this.pic.line(irq).set(false);
  }
  irr(port: number): number {
    this.out(port, 0x0a);
    return this.in(port);
  }
  isr(port: number): number {
    this.out(port, 0x0b);
    return this.in(port);
  }
}

/** Initialised as Linux does: vectors 0x30-0x3F; everything unmasked. */
function linuxBoard(icw4: number = 0x01): Board {
  const board = new Board();
  board.out(MASTER, 0x11);
  board.out(MASTER + 1, 0x30, 0x04, icw4, 0x00);
  board.out(SLAVE, 0x11);
  board.out(SLAVE + 1, 0x38, 0x02, icw4, 0x00);
  return board;
}

Deno.test("Pic8259Pair passes Linux's probe: the mask reads back", () => {
  const board = new Board();
  assertEquals(board.in(MASTER + 1), 0x00);
  board.out(SLAVE + 1, 0xff);
  board.out(MASTER + 1, 0xfb);
  assertEquals([board.in(MASTER + 1), board.in(SLAVE + 1)], [0xfb, 0xff]);
});

Deno.test("Pic8259Pair.acknowledge() gives the vector of the highest request, and EOI lets the next through", () => {
  const board = linuxBoard();
  board.raise(4, 1);
  assertEquals(board.pic.pending, true);
  assertEquals(board.pic.acknowledge(), 0x31);
  assertEquals(board.pic.pending, false);
  assertEquals([board.isr(MASTER), board.irr(MASTER)], [0x02, 0x10]);
  board.out(MASTER, 0x20);
  assertEquals(board.pic.acknowledge(), 0x34);
});

Deno.test("Pic8259Pair.irq is the input that was acknowledged last, of either chip", () => {
  const board = linuxBoard();
  assertEquals(board.pic.irq, undefined);
  board.raise(14);
  board.pic.acknowledge();
  assertEquals(board.pic.irq, 14);
  board.raise(1);
  board.pic.acknowledge();
  assertEquals(board.pic.irq, 1);
});

Deno.test("Pic8259Pair lets a higher request interrupt a lower one in service", () => {
  const board = linuxBoard();
  board.raise(4);
  board.pic.acknowledge();
  board.raise(0);
  assertEquals(board.pic.acknowledge(), 0x30);
  board.out(MASTER, 0x20);
  assertEquals(board.isr(MASTER), 0x10);
});

Deno.test("Pic8259Pair serves the slave through input 2 as Linux does: mask, specific EOIs, unmask", () => {
  const board = linuxBoard();
  board.raise(14);
  assertEquals(board.pic.acknowledge(), 0x3e);
  assertEquals([board.isr(MASTER), board.isr(SLAVE)], [0x04, 0x40]);
  board.out(SLAVE + 1, 0x40);
  board.out(SLAVE, 0x66);
  board.out(MASTER, 0x62);
  assertEquals([board.isr(MASTER), board.isr(SLAVE), board.pic.pending], [0, 0, false]);
  board.out(SLAVE + 1, 0x00);
  assertEquals(board.pic.pending, false);
  board.lower(14);
  board.raise(14);
  assertEquals(board.pic.acknowledge(), 0x3e);
});

Deno.test("Pic8259Pair brings a second slave request after the first has ended", () => {
  const board = linuxBoard();
  board.raise(14, 12);
  assertEquals(board.pic.acknowledge(), 0x3c);
  board.out(SLAVE, 0x20);
  board.out(MASTER, 0x20);
  assertEquals(board.pic.acknowledge(), 0x3e);
});

Deno.test("Pic8259Pair brings every slave request in automatic EOI mode", () => {
  const board = linuxBoard(0x03);
  board.raise(14, 12, 8);
  const vectors = [1, 2, 3].map(() => board.pic.acknowledge());
  assertEquals(vectors, [0x38, 0x3c, 0x3e]);
  assertEquals([board.isr(MASTER), board.isr(SLAVE), board.pic.pending], [0, 0, false]);
});

Deno.test("Pic8259Pair.acknowledge() is spurious IRQ 7 when the line falls before INTA", () => {
  const board = linuxBoard();
  board.raise(5);
  board.lower(5);
  assertEquals([board.pic.pending, board.pic.acknowledge(), board.isr(MASTER)], [false, 0x37, 0]);
});

Deno.test("Pic8259Pair withdraws a slave request that is masked before INTA", () => {
  const board = linuxBoard();
  board.raise(10);
  board.out(SLAVE + 1, 0x04);
  assertEquals([board.pic.pending, board.pic.acknowledge(), board.isr(SLAVE)], [false, 0x37, 0]);
  board.out(SLAVE + 1, 0x00);
  assertEquals(board.pic.acknowledge(), 0x3a);
});

Deno.test("Pic8259Pair holds an edge only once, a level for as long as it lasts", () => {
  const board = linuxBoard();
  board.out(0x4d1, 0x0c);
  board.raise(4, 10);
  board.pic.acknowledge();
  board.out(SLAVE, 0x20);
  board.out(MASTER, 0x20);
  assertEquals(board.pic.acknowledge(), 0x3a);
  board.out(SLAVE, 0x20);
  board.lower(10);
  board.out(MASTER, 0x20);
  assertEquals(board.pic.acknowledge(), 0x34);
  board.out(MASTER, 0x20);
  assertEquals(board.pic.pending, false);
});

Deno.test("Pic8259Pair.elcr keeps timer, keyboard, cascade, RTC and FPU on edges", () => {
  const board = new Board();
  board.out(0x4d0, 0xff);
  board.out(0x4d1, 0xff);
  assertEquals(board.ports.read(0x4d0, 2), 0xdef8);
});

Deno.test("Pic8259Pair.elcr takes a line that is already high as a request, and back as none", () => {
  const board = linuxBoard();
  board.raise(5);
  board.pic.acknowledge();
  board.out(MASTER, 0x20);
  board.out(0x4d0, 0x20);
  assertEquals(board.irr(MASTER), 0x20);
  board.out(0x4d0, 0x00);
  assertEquals(board.irr(MASTER), 0x00);
});

Deno.test("Pic8259Pair ICW1 forgets edges, masks and service, and reads IRR again", () => {
  const board = linuxBoard();
  board.raise(3, 4);
  board.pic.acknowledge();
  board.out(MASTER + 1, 0xf0);
  board.isr(MASTER);
  board.out(MASTER, 0x11);
  board.out(MASTER + 1, 0x20, 0x04, 0x01);
  assertEquals([board.in(MASTER + 1), board.in(MASTER), board.isr(MASTER)], [0, 0, 0]);
  board.lower(3);
  board.raise(3);
  assertEquals(board.pic.acknowledge(), 0x23);
});

Deno.test("Pic8259Pair takes ICW2 alone when ICW1 says single and no ICW4", () => {
  const board = new Board();
  board.out(MASTER, 0x12);
  board.out(MASTER + 1, 0x47, 0xa5);
  assertEquals(board.in(MASTER + 1), 0xa5);
  board.raise(1);
  assertEquals(board.pic.acknowledge(), 0x41);
});

Deno.test("Pic8259Pair OCW2 set priority makes an input the lowest, rotation the one just ended", () => {
  const board = linuxBoard();
  board.out(MASTER, 0xc4);
  board.raise(0, 5);
  assertEquals(board.pic.acknowledge(), 0x35);
  board.out(MASTER, 0xa0);
  board.raise(6);
  assertEquals(board.pic.acknowledge(), 0x36);
  board.out(MASTER, 0xe7);
  assertEquals(board.isr(MASTER), 0x40);
  board.out(MASTER, 0x66);
  assertEquals(board.pic.acknowledge(), 0x30);
});

Deno.test("Pic8259Pair rotates in automatic EOI mode when OCW2 says so", () => {
  const board = linuxBoard(0x03);
  board.out(MASTER, 0x80);
  board.raise(0);
  assertEquals(board.pic.acknowledge(), 0x30);
  board.lower(0);
  board.raise(0, 1);
  assertEquals(board.pic.acknowledge(), 0x31);
});

Deno.test("Pic8259Pair special mask mode lets lower requests pass a masked one in service", () => {
  const board = linuxBoard();
  board.raise(3);
  board.pic.acknowledge();
  board.raise(6);
  board.out(MASTER + 1, 0x08);
  assertEquals(board.pic.pending, false);
  board.out(MASTER, 0x68);
  assertEquals(board.pic.acknowledge(), 0x36);
  board.out(MASTER, 0x20);
  assertEquals(board.isr(MASTER), 0x08);
  board.out(MASTER, 0x48);
  board.out(MASTER, 0x20);
  assertEquals(board.isr(MASTER), 0x00);
});

Deno.test("Pic8259Pair special fully nested mode lets a higher slave request through", () => {
  for (const [icw4, pending] of [[0x01, false], [0x11, true]] as const) {
    const board = linuxBoard(icw4);
    board.raise(14);
    board.pic.acknowledge();
    board.raise(9);
    assertEquals(board.pic.pending, pending);
    if (pending) assertEquals(board.pic.acknowledge(), 0x39);
  }
});

Deno.test("Pic8259Pair poll command takes the request in place of INTA", () => {
  const board = linuxBoard();
  board.out(MASTER, 0x0c);
  assertEquals(board.in(MASTER), 0x00);
  board.raise(6);
  board.out(MASTER, 0x0c);
  assertEquals([board.in(MASTER), board.isr(MASTER), board.pic.pending], [0x86, 0x40, false]);
});

Deno.test("Pic8259Pair.line() gives one line an IRQ and none for the cascade", () => {
  const { pic } = new Board();
  assertStrictEquals(pic.line(14), pic.line(14));
  for (const irq of [2, 16, -1]) assertThrows(() => pic.line(irq), InternalError, `IRQ ${irq}`);
});

Deno.test("Pic8259Pair.connect() shows INTR to whoever it is wired to, edge by edge", () => {
  const board = linuxBoard();
  const intr = new RecordingLine();
  board.pic.connect(intr);
  board.raise(4);
  assertEquals([intr.asserted, intr.risesAt.length], [true, 1]);
  board.raise(3);
  board.pic.acknowledge();
  assertEquals(intr.asserted, false);
  board.out(MASTER, 0x20);
  assertEquals([intr.asserted, intr.risesAt.length], [true, 2]);
});
