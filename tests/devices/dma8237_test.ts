import { assertEquals } from "@std/assert";
import { IoPortBus } from "../../devices/bus.ts";
import { Dma8237, DMA_PAGE_PORTS, DmaPages } from "../../devices/dma8237.ts";

function makeBoard() {
  const ports = new IoPortBus();
  ports.map("dma", 0x00, 16, new Dma8237(0));
  ports.map("dma2", 0xc0, 32, new Dma8237(1));
  ports.map("dma pages", 0x81, DMA_PAGE_PORTS, new DmaPages());
  return {
    in: (port: number) => ports.read(port, 1),
    out: (port: number, ...values: readonly number[]) =>
      values.forEach((value) => ports.write(port, 1, value)),
  };
}

Deno.test("Dma8237 reads addresses and counts back byte by byte, in both controllers", () => {
  const board = makeBoard();
  board.out(0x0c, 0);
  board.out(0x04, 0x34, 0x12);
  board.out(0x05, 0xff, 0x01);
  assertEquals([0x04, 0x04, 0x05, 0x05].map(board.in), [0x34, 0x12, 0xff, 0x01]);
  board.out(0xd8, 0);
  board.out(0xc4, 0xcd, 0xab);
  assertEquals([0xc4, 0xc4].map(board.in), [0xcd, 0xab]);
});

Deno.test("Dma8237 begins with the low byte after C and after a master clear", () => {
  for (const port of [0x0c, 0x0d]) {
    const board = makeBoard();
    board.out(0x00, 0x11, 0x22, 0x33);
    board.out(port, 0);
    assertEquals([board.in(0x00), board.in(0x00)], [0x33, 0x22]);
  }
});

Deno.test("Dma8237 starts with every channel masked and follows its three mask registers", () => {
  const board = makeBoard();
  assertEquals(board.in(0x0f), 0x0f);
  board.out(0x0a, 0x02);
  assertEquals(board.in(0x0f), 0x0b);
  board.out(0x0e, 0);
  assertEquals(board.in(0x0f), 0x00);
  board.out(0x0a, 0x07);
  assertEquals(board.in(0x0f), 0x08);
  board.out(0x0f, 0xf5);
  assertEquals(board.in(0x0f), 0x05);
  board.out(0x0d, 0);
  assertEquals(board.in(0x0f), 0x0f);
});

Deno.test("Dma8237 shows requests by software, and never an end", () => {
  const board = makeBoard();
  assertEquals(board.in(0x08), 0x00);
  board.out(0x09, 0x06);
  assertEquals(board.in(0x08), 0x40);
  board.out(0x09, 0x02);
  assertEquals([board.in(0x08), board.in(0x0d)], [0x00, 0x00]);
});

Deno.test("DmaPages keep what is written", () => {
  const board = makeBoard();
  for (let port = 0x81; port <= 0x8f; port++) board.out(port, port ^ 0xff);
  assertEquals([0x81, 0x87, 0x8f].map(board.in), [0x7e, 0x78, 0x70]);
});
