import { assertEquals } from "@std/assert";
import { VgaBoard } from "../helpers/vga.ts";

const CRTC = 0x3d4;

Deno.test("textScreen() gives rows without the blanks at their ends", () => {
  const board = new VgaBoard();
  board.print(0, 0, "GRUB  2.06 ");
  board.print(24, 79, "!");
  const screen = board.vga.screen()!;
  assertEquals([screen.columns, screen.rows, screen.lines.length], [80, 25, 25]);
  assertEquals([screen.lines[0], screen.lines[1]], ["GRUB  2.06", ""]);
  assertEquals(screen.lines[24], "!".padStart(80));
});

Deno.test("textScreen() gives the attributes of every column", () => {
  const board = new VgaBoard();
  board.memory.write(0xb8000 + 2 * 81, 2, 0x9f20);
  const { attributes } = board.vga.screen()!;
  assertEquals([attributes.length, attributes[1]!.length], [25, 80]);
  assertEquals([...attributes[1]!.subarray(0, 3)], [0x00, 0x9f, 0x00]);
});

Deno.test("textScreen() has a character of Unicode for each of code page 437", () => {
  const board = new VgaBoard();
  const all = String.fromCharCode(...Array.from({ length: 255 }, (_, i) => i + 1));
  board.print(0, 0, all);
  const text = board.vga.screen()!.lines.join("");
  assertEquals(text.length, 254);
  assertEquals([text[0], text[0x40], text[0x7e], text[0x7f]], ["☺", "A", "⌂", "Ç"]);
  assertEquals([text[0xb2], text[0xc3], text[0xda], text[0xe0], text[0xfd]], [
    "│",
    "─",
    "█",
    "ß",
    "■",
  ]);
});

Deno.test("textScreen() follows the start address, and the CPU's addresses with it", () => {
  const board = new VgaBoard();
  board.print(1, 0, "second");
  board.set(CRTC, 0x0d, 80);
  assertEquals(board.vga.screen()!.lines[0], "second");
  board.set(CRTC, 0x0c, 0x3f);
  board.set(CRTC, 0x0d, 0xb0);
  board.memory.write(0xbff60, 2, 0x0758);
  assertEquals(board.vga.screen()!.lines[0], "X");
});

Deno.test("textScreen() follows columns, rows and the height of characters", () => {
  const board = new VgaBoard();
  board.set(CRTC, 0x11, 0x0e);
  board.set(CRTC, 0x01, 0x27);
  board.set(CRTC, 0x13, 0x14);
  board.set(CRTC, 0x09, 0x47);
  board.print(0, 40, "under");
  const { columns, rows, lines } = board.vga.screen()!;
  assertEquals([columns, rows, lines[1]], [40, 50, "under"]);
});

Deno.test("textScreen() shows the cursor while it is on and on the screen", () => {
  const board = new VgaBoard();
  assertEquals(board.vga.screen()!.cursor, { row: 0, column: 0 });
  board.set(CRTC, 0x0e, 1);
  board.set(CRTC, 0x0f, 0x45);
  assertEquals(board.vga.screen()!.cursor, { row: 4, column: 5 });
  board.set(CRTC, 0x0e, 0xff);
  assertEquals(board.vga.screen()!.cursor, undefined);
  board.set(CRTC, 0x0e, 0);
  board.set(CRTC, 0x0a, 0x20);
  assertEquals(board.vga.screen()!.cursor, undefined);
});

Deno.test("textScreen() is no screen in a graphics mode", () => {
  const board = new VgaBoard();
  board.set(0x3ce, 6, 0x05);
  assertEquals(board.vga.screen(), undefined);
});
