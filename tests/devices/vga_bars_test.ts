import { assertEquals } from "@std/assert";
import { MovingBars } from "../../devices/moving_bar.ts";
import { makeVgaFunction } from "../../devices/vga_bars.ts";
import { VgaBoard } from "../helpers/vga.ts";

const MEMORY = 0xf1000000;
const PORTS = 0xf1040000;

function makeCard() {
  const board = new VgaBoard();
  const errors: string[] = [];
  const guestError = (_source: string, text: string) => errors.push(text);
  const config = makeVgaFunction(board.vga, new MovingBars(board.memory, { guestError }));
  const place = (memory: number, ports: number) => {
    config.write(0x10, 4, memory);
    config.write(0x18, 4, ports);
    config.write(0x04, 2, 0x0002);
  };
  return { board, config, errors, place };
}

Deno.test("makeVgaFunction() is a display controller with two ranges of memory", () => {
  const { config } = makeCard();
  assertEquals([config.read(0x00, 4), config.read(0x08, 4)], [0x11111234, 0x03000002]);
  assertEquals([0x10, 0x14, 0x18].map((at) => config.read(at, 4)), [0x08, 0x00, 0x00]);
  for (const at of [0x10, 0x18]) config.write(at, 4, 0xffffffff);
  assertEquals([config.read(0x10, 4), config.read(0x18, 4)], [0xfffc0008, 0xfffff000]);
});

Deno.test("makeVgaFunction() shows the planes as one memory in BAR 0", () => {
  const { board, place } = makeCard();
  place(MEMORY, PORTS);
  const before = board.vga.changes;
  board.memory.write(MEMORY, 4, 0x00000741);
  assertEquals(board.vga.screen()?.lines[0], "A");
  assertEquals(board.vga.changes, before + 1);
  board.print(0, 1, "B");
  assertEquals([board.memory.read(MEMORY + 8, 2), board.memory.read(MEMORY + 8, 1)], [0x742, 0x42]);
});

Deno.test("makeVgaFunction() shows the ports in BAR 2, and nothing beside them", () => {
  const { board, place } = makeCard();
  place(MEMORY, PORTS);
  board.memory.write(PORTS + 0x414, 2, 0x120e);
  assertEquals([board.get(0x3d4, 0x0e), board.memory.read(PORTS + 0x415, 1)], [0x12, 0x12]);
  board.memory.write(PORTS + 0x402, 1, 0x63);
  assertEquals([board.in(0x3cc), board.memory.read(PORTS + 0x40c, 1)], [0x63, 0x63]);
  board.memory.write(PORTS + 0x500, 2, 0xb0c0);
  assertEquals(board.memory.read(PORTS + 0x500, 2), 0xffff);
});

Deno.test("makeVgaFunction() moves with its registers, not onto somebody else", () => {
  const { board, errors, place } = makeCard();
  place(MEMORY, PORTS);
  place(MEMORY, MEMORY + 0x100000);
  assertEquals(board.memory.ownerOf(PORTS), undefined);
  assertEquals(board.memory.read(MEMORY + 0x10040c, 1), 0x67);
  place(0xe0000000, 0xe0000000);
  assertEquals(errors, ["BAR of vga ports at 0xe0000000: vga memory"]);
});

Deno.test("makeVgaFunction() shows a range as soon as who kept it out has moved away", () => {
  const { board, config, errors, place } = makeCard();
  place(MEMORY, PORTS);
  config.write(0x18, 4, MEMORY + 0x1000);
  assertEquals(errors, ["BAR of vga ports at 0xf1001000: vga memory"]);
  config.write(0x10, 4, 0xe0000000);
  assertEquals(board.memory.read(MEMORY + 0x140c, 1), 0x67);
  config.write(0x18, 4, 0xe0000000);
  config.write(0x18, 4, PORTS);
  config.write(0x10, 4, MEMORY);
  assertEquals(board.memory.ownerOf(0xe0000000), undefined);
  assertEquals(errors.length, 2);
});
