import { assertEquals } from "@std/assert";
import { KEYS } from "../../devices/keyboard_keys.ts";
import { Ps2Board } from "../helpers/ps2.ts";

const ACK = 0xfa;

Deno.test("Keyboard answers its commands", () => {
  const rows: readonly [bytes: number[], answer: number[]][] = [
    [[0xff], [ACK, 0xaa]],
    [[0xf2], [ACK, 0xab, 0x83]],
    [[0xed, 0x07], [ACK, ACK]],
    [[0xf3, 0x20], [ACK, ACK]],
    [[0xee], [0xee]],
    [[0xf4], [ACK]],
    [[0xf5], [ACK]],
    [[0xf6], [ACK]],
    [[0xf0, 0x00], [ACK, ACK, 0x02]],
    [[0xf0, 0x04], [ACK, 0xfe]],
    [[0xfa], [ACK]],
    [[0x00], [0xfe]],
    [[0xff, 0xfe], [ACK, 0xaa, 0xaa]],
  ];
  for (const [bytes, answer] of rows) {
    assertEquals(new Ps2Board().toKeyboard(...bytes), answer, bytes.join());
  }
});

Deno.test("Keyboard sends the codes of the set that F0 has chosen, until it is reset", () => {
  const rows: readonly [set: number, codes: number[]][] = [
    [1, [0x1d, 0xe0, 0x47, 0xe0, 0xc7, 0x9d]],
    [2, [0x14, 0xe0, 0x6c, 0xe0, 0xf0, 0x6c, 0xf0, 0x14]],
    [3, [0x11, 0x6e, 0xf0, 0x6e, 0xf0, 0x11]],
  ];
  const board = new Ps2Board();
  for (const [set, codes] of rows) {
    assertEquals(board.toKeyboard(0xf0, set, 0xf0, 0x00), [ACK, ACK, ACK, ACK, set]);
    board.keyboard.type(["Control", "Home"]);
    assertEquals(board.drain(), codes);
  }
  board.toKeyboard(0xff);
  board.keyboard.type(["Control", "Home"]);
  assertEquals(board.drain(), rows[1]![1]);
});

Deno.test("Keyboard has no two keys with the same codes, in any set", () => {
  for (const set of ["set2", "set3"] as const) {
    assertEquals(new Set([...KEYS.values()].map((key) => key[set])).size, KEYS.size);
  }
});

Deno.test("Keyboard ignores its keys between F5 and F4", () => {
  const board = new Ps2Board();
  board.toKeyboard(0xf5);
  board.keyboard.type(["a"]);
  assertEquals([board.drain(), board.keyboard.isIdle], [[], false]);
  board.toKeyboard(0xf4);
  board.keyboard.type(["a"]);
  assertEquals(board.drain(), [0x1c, 0xf0, 0x1c]);
});

Deno.test("Keyboard keeps sixteen bytes and an overrun code", () => {
  const board = new Ps2Board();
  board.command(0xad);
  for (let press = 0; press < 10; press++) board.keyboard.type(["a"]);
  const codes = board.command(0xae);
  assertEquals(codes.slice(0, 15), Array.from({ length: 5 }, () => [0x1c, 0xf0, 0x1c]).flat());
  assertEquals(codes.slice(15), [0x1c, 0x00]);
});

Deno.test("Keyboard answers before it goes on with its keys", () => {
  const board = new Ps2Board();
  board.command(0xad);
  board.keyboard.type(["a"]);
  assertEquals(board.toKeyboard(0xed, 0x02), [ACK, 0x1c, 0xf0, 0x1c, ACK]);
});
