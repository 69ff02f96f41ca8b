import { assertEquals } from "@std/assert";
import { Ps2Board } from "../helpers/ps2.ts";

const ACK = 0xfa;

Deno.test("Mouse answers its commands", () => {
  const rows: readonly [bytes: number[], answer: number[]][] = [
    [[0xff], [ACK, 0xaa, 0x00]],
    [[0xf2], [ACK, 0x00]],
    [[0xf3, 0x50, 0xe8, 0x01], [ACK, ACK, ACK, ACK]],
    [[0xf4, 0xf5, 0xf6, 0xe6, 0xe7, 0xea, 0xf0], [ACK, ACK, ACK, ACK, ACK, ACK, ACK]],
    [[0xe9], [ACK, 0x00, 0x02, 0x64]],
    [[0xeb], [ACK, 0x08, 0x00, 0x00]],
    [[0xfe], [0x00]],
    [[0xe1], [0xfe]],
  ];
  for (const [bytes, answer] of rows) {
    assertEquals(new Ps2Board().toMouse(...bytes), answer, bytes.join());
  }
});

Deno.test("Mouse status shows what has been set, and F6 takes it back", () => {
  const board = new Ps2Board();
  board.toMouse(0xf4, 0xe7, 0xf0, 0xe8, 0x03, 0xf3, 0x28);
  assertEquals(board.toMouse(0xe9), [ACK, 0x70, 0x03, 0x28]);
  board.toMouse(0xf6);
  assertEquals(board.toMouse(0xe9), [ACK, 0x00, 0x02, 0x64]);
});

Deno.test("Mouse echoes in wrap mode all but EC and FF", () => {
  const board = new Ps2Board();
  assertEquals(board.toMouse(0xee, 0xf2, 0x55, 0xec, 0xf2), [ACK, 0xf2, 0x55, ACK, ACK, 0x00]);
  assertEquals(board.toMouse(0xee, 0xff), [ACK, ACK, 0xaa, 0x00]);
});

Deno.test("Mouse speaks by IRQ 12 alone", () => {
  const board = new Ps2Board();
  board.toMouse(0xf2);
  assertEquals([board.mouseIrq.risesAt.length, board.keyboardIrq.risesAt.length], [2, 0]);
});
