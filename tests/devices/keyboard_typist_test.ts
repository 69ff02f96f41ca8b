import { assertEquals } from "@std/assert";
import { KEYS } from "../../devices/keyboard_keys.ts";
import { Ps2Board } from "../helpers/ps2.ts";

/** Names of the keys that a terminal's bytes press, in order. */
function pressed(text: string): string[] {
  const board = new Ps2Board();
  board.toKeyboard(0xf0, 3);
  const codes = board.type(text);
  board.run(1_000_000_000);
  codes.push(...board.drain());
  const makes = codes.filter((code, i) => code !== 0xf0 && codes[i - 1] !== 0xf0);
  return makes.map((code) => [...KEYS].find(([, { set3 }]) => set3 === code)![0]);
}

Deno.test("Typist presses the keys that a terminal's bytes stand for", () => {
  const rows: readonly [text: string, keys: string][] = [
    ["aZ1!", "a Shift z 1 Shift 1"],
    ["\r\n\t", "Enter Enter Tab"],
    ["\b\x7f", "Backspace Backspace"],
    ["\x03\x1c\x00", "Control c Control \\ Control Shift 2"],
    ["\x1b", "Escape"],
    ["\x1b\x1b", "Escape Escape"],
    ["\x1bx\x1bX", "Alt x Alt Shift x"],
    ["\x1b[A\x1bOB\x1b[C\x1bOD", "Up Down Right Left"],
    ["\x1b[H\x1b[4~\x1b[5~\x1b[6~\x1b[2~\x1b[3~", "Home End PageUp PageDown Insert Delete"],
    ["\x1bOP\x1b[15~\x1b[24~\x1b[11~", "F1 F5 F12 F1"],
    ["\x1b[1;5C\x1b[3;4~\x1b[Z", "Control Right Shift Alt Delete Shift Tab"],
    ["\x1b[", "Alt ["],
    ["\x1b[99~x", "x"],
    ["é€x", "x"],
  ];
  for (const [text, keys] of rows) assertEquals(pressed(text).join(" "), keys, text);
});

Deno.test("Typist has a key for every character of ASCII", () => {
  for (let code = 0x20; code < 0x7f; code++) {
    const character = String.fromCharCode(code);
    const keys = pressed(character);
    assertEquals(keys.length, /[a-z0-9`=[\];',./\\ -]/.test(character) ? 1 : 2, character);
  }
});

Deno.test("Typist waits until the keys of the last byte have been taken", () => {
  const board = new Ps2Board();
  let calls = 0;
  board.typist.onRoom = () => calls++;
  board.typist.receive(0x61);
  assertEquals(board.typist.hasRoom, false);
  board.drain();
  assertEquals([board.typist.hasRoom, calls > 0], [true, true]);
});
