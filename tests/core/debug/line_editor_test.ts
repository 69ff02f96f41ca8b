import { assertEquals } from "@std/assert";
import { LineEditor } from "../../../core/debug/line_editor.ts";

/** Types text and returns the lines that were entered. */
function entered(typed: string): string[] {
  const lines: string[] = [];
  const editor = new LineEditor({
    prompt: "> ",
    write: () => {},
    line: (text) => lines.push(text),
    complete: (line) => ["info", "inject"].filter((name) => name.startsWith(line)),
  });
  for (const byte of new TextEncoder().encode(typed)) editor.input(Uint8Array.of(byte));
  return lines;
}

/** What is typed, and the lines that come of it. */
const TYPED: readonly (readonly [string, string, readonly string[]])[] = [
  ["enters a line at CR and at LF", "a b\rc\n", ["a b", "c"]],
  ["rubs out with DEL and with Backspace", "abc\x7f\bd\r", ["ad"]],
  ["inserts where the cursor is", "ac\x1b[Db\r", ["abc"]],
  ["goes to both ends, by letters and by keys", "b\x01a\x05c\x1b[H-\x1b[F+\r", ["-abc+"]],
  ["deletes under the cursor", "abc\x01\x1b[3~\x04\r", ["c"]],
  ["deletes to the begin, to the end, and a word", "ab\x15cd\x02\x0be fg\x17h\r", ["ce h"]],
  ["forgets the line at Ctrl-C", "abc\x03d\r", ["d"]],
  ["recalls lines, up and down", "a\rb\r\x1b[A\x1b[A\r\x1bOA\x1bOA\x1bOB!\r", [
    "a",
    "b",
    "a",
    "a!",
  ]],
  ["completes what is clear", "inf\t\r", ["info "]],
  ["completes as far as it is clear", "i\tx\r", ["inx"]],
  ["ignores keys that it does not know", "a\x1b[15~\x1b[1;5C\x1bOPb\x00\x9b\ufffd\r", ["ab"]],
  ["takes letters of all alphabets", "ü文\x7f😀é\x1b[D\x7f\r", ["üé"]],
  ["goes over letters of two units", "😀a\x01\x1b[C-\x02\x02\x04\r", ["-a"]],
];

for (const [what, typed, lines] of TYPED) {
  Deno.test(`LineEditor.input() ${what}`, () => assertEquals(entered(typed), lines));
}
