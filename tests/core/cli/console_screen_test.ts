import { assertEquals } from "@std/assert";
import xterm from "@xterm/headless";
import { type Picture, ScreenPainter } from "../../../core/cli/console_screen.ts";

const picture = (text: string, row?: number, column = 0): Picture => ({
  lines: text.split("|"),
  cursor: row === undefined ? undefined : { row, column },
});

/** What the terminal is told, readable: E for the escape character. */
function painted(painter: ScreenPainter, shown: Picture, rows = 25): string {
  return painter.paint(shown, rows).replaceAll("\x1b[", "E");
}

Deno.test("ScreenPainter.paint() draws all of the first picture, and where the cursor is", () => {
  const painter = new ScreenPainter();
  assertEquals(painted(painter, picture("ab|c", 1, 1)), "EHEJE1;1HEKabE2;1HEKcE2;2HE?25h");
  assertEquals(painted(new ScreenPainter(), picture("a")), "EHEJE1;1HEKaE?25l");
});

Deno.test("ScreenPainter.paint() draws what has changed, and nothing when nothing has", () => {
  const painter = new ScreenPainter();
  painter.paint(picture("ab|c", 0), 25);
  assertEquals(painted(painter, picture("ab|d", 0)), "E2;1HEKdE1;1HE?25h");
  assertEquals(painted(painter, picture("ab|d", 0)), "");
  assertEquals(painted(painter, picture("ab|d", 1)), "E2;1HE?25h");
  painter.reset();
  assertEquals(painted(painter, picture("ab|d", 1)), "EHEJE1;1HEKabE2;1HEKdE2;1HE?25h");
});

Deno.test("ScreenPainter.paint() follows the cursor down on a terminal that is too small", () => {
  const painter = new ScreenPainter();
  assertEquals(painted(painter, picture("a|b|c", 0), 2), "EHEJE1;1HEKaE2;1HEKbE1;1HE?25h");
  assertEquals(painted(painter, picture("a|b|c", 2), 2), "EHEJE1;1HEKbE2;1HEKcE2;1HE?25h");
});

Deno.test("ScreenPainter.paint() fills a row to its last column, where a terminal would wrap", async () => {
  const terminal = new xterm.Terminal({ cols: 80, rows: 2, allowProposedApi: true });
  const text = new ScreenPainter().paint(picture(`${"x".repeat(79)}y|z`, 1), 2);
  await new Promise<void>((resolve) => terminal.write(text, resolve));
  const { active } = terminal.buffer;
  assertEquals(active.getLine(0)!.translateToString(true), `${"x".repeat(79)}y`);
  assertEquals(active.getLine(1)!.translateToString(true), "z");
});
