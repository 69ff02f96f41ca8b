import { assertEquals } from "@std/assert";
import { Ps2Board } from "../helpers/ps2.ts";

const TRANSLATE = 0x40;

Deno.test("I8042 starts with status 18, after its self-test 1C", () => {
  const board = new Ps2Board();
  assertEquals(board.status(), 0x18);
  assertEquals(board.command(0xaa), [0x55]);
  assertEquals(board.status(), 0x1c);
});

Deno.test("I8042 answers each command of the controller", () => {
  const rows: readonly [command: number, data: number[], answer: number[]][] = [
    [0x20, [], [0x03]],
    [0x60, [0x47], []],
    [0x20, [], [0x47]],
    [0xa7, [], []],
    [0x20, [], [0x67]],
    [0xad, [], []],
    [0x20, [], [0x77]],
    [0xa8, [], []],
    [0xae, [], []],
    [0x20, [], [0x47]],
    [0xa9, [], [0x00]],
    [0xab, [], [0x00]],
    [0xc0, [], [0x80]],
    [0xd0, [], [0xcf]],
    [0xd2, [0x81], [0x81]],
    [0xd3, [0xa5], [0xa5]],
    [0x5a, [], []],
    [0xff, [], []],
  ];
  const board = new Ps2Board();
  for (const [command, data, answer] of rows) {
    assertEquals(board.command(command, ...data), answer, command.toString(16));
  }
});

Deno.test("I8042 passes Linux's loop test of the mouse port, its interrupt included", () => {
  const board = new Ps2Board();
  board.command(0xaa);
  board.command(0x60, 0x70);
  assertEquals(board.status(), 0x1c);
  board.send(0xd3, 0x5a);
  assertEquals([board.status(), board.read()], [0x3d, 0x5a]);
  assertEquals(board.command(0x60, 0x52), []);
  assertEquals(board.command(0xd3, 0xa5), [0xa5]);
  assertEquals([board.mouseIrq.risesAt.length, board.mouseIrq.asserted], [1, false]);
  assertEquals(board.keyboardIrq.risesAt.length, 1); // of the self-test
});

Deno.test("I8042 status tells whose byte waits", () => {
  const board = new Ps2Board();
  board.command(0xaa);
  board.keyboard.type(["a"]);
  assertEquals(board.status(), 0x1d);
  board.drain();
  board.command(0x60, 0x00);
  board.keyboard.type(["a"]);
  assertEquals([board.status(), board.keyboardIrq.asserted], [0x1d, false]);
});

Deno.test("I8042 raises IRQ 1 anew for every byte, and an empty buffer repeats the last", () => {
  const board = new Ps2Board();
  board.keyboard.type(["a"]);
  assertEquals(board.drain(), [0x1c, 0xf0, 0x1c]);
  assertEquals([board.keyboardIrq.risesAt.length, board.keyboardIrq.asserted], [3, false]);
  assertEquals(board.read(), 0x1c);
});

Deno.test("I8042 holds bytes back while a cable is off, and opens it by speaking to the device", () => {
  const board = new Ps2Board();
  board.command(0xad);
  board.keyboard.type(["a"]);
  assertEquals(board.status() & 1, 0);
  assertEquals(board.toKeyboard(0xee), [0xee, 0x1c, 0xf0, 0x1c]);
  board.command(0xa7);
  assertEquals(board.command(0x20), [0x23]);
  assertEquals(board.toMouse(0xf4), [0xfa]);
  assertEquals(board.command(0x20), [0x03]);
});

Deno.test("I8042 translates set 2 to set 1, answers included, the mouse's bytes never", () => {
  const board = new Ps2Board();
  board.command(0x60, TRANSLATE);
  board.keyboard.type(["Right"]);
  assertEquals(board.drain(), [0xe0, 0x4d, 0xe0, 0xcd]);
  board.keyboard.type(["F7"]);
  assertEquals(board.drain(), [0x41, 0xc1]);
  assertEquals(board.toKeyboard(0xf2), [0xfa, 0xab, 0x41]);
  assertEquals(board.toMouse(0xe8, 0x03, 0xe9), [0xfa, 0xfa, 0xfa, 0x00, 0x03, 0x64]);
});

Deno.test("I8042 gates A20 by the output port and by commands", () => {
  const board = new Ps2Board();
  const gate = (command: number, ...data: readonly number[]) => {
    board.command(command, ...data);
    return [board.a20.asserted, board.command(0xd0)[0]! & 0x02];
  };
  assertEquals(gate(0xdf), [true, 2]);
  assertEquals(gate(0xdd), [false, 0]);
  assertEquals(gate(0xd1, 0xdf), [true, 2]);
  assertEquals(gate(0xd1, 0xdd), [false, 0]);
  assertEquals(board.resets, 0);
});

Deno.test("I8042 resets the machine by FE and by bit 0 of the output port", () => {
  const board = new Ps2Board();
  board.command(0xff);
  board.command(0xfd);
  assertEquals(board.resets, 0);
  board.command(0xfe);
  board.command(0xd1, 0x02);
  assertEquals(board.resets, 2);
});
