import { assertEquals } from "@std/assert";
import xterm from "@xterm/headless";
import { colourRow } from "../../../core/cli/console_colours.ts";
import { ScreenPainter } from "../../../core/cli/console_screen.ts";

const [COLUMNS, ROWS] = [20, 4];

/** What a terminal shows after these pictures of one row. */
async function shown(...rows: readonly string[]) {
  const terminal = new xterm.Terminal({ cols: COLUMNS, rows: ROWS, allowProposedApi: true });
  const painter = new ScreenPainter();
  for (const row of rows) {
    const text = painter.paint({ lines: [row, "below"], cursor: undefined }, ROWS);
    await new Promise<void>((done) => terminal.write(text, done));
  }
  const line = (row: number) => terminal.buffer.active.getLine(row)!;
  return {
    text: line(0).translateToString(true),
    cell: (at: number) => line(0).getCell(at)!,
    line,
  };
}

/** A row with one attribute from a column on, up to another. */
function attributes(attribute: number, from: number, to: number): Uint8Array {
  return new Uint8Array(COLUMNS).fill(0x07).fill(attribute, from, to);
}

Deno.test("ScreenPainter fills a row to the last column, and empties it again", async () => {
  const full = "x".repeat(COLUMNS);
  const { text, line } = await shown(full);
  assertEquals([text, line(1).translateToString(true)], [full, "below"]);
  assertEquals((await shown(full, "short")).text, "short");
});

Deno.test("colourRow() is plain text while all is light grey on black", () => {
  assertEquals(colourRow("plain text", attributes(0x07, 0, 0)), "plain text");
});

Deno.test("colourRow() has the VGA's colours, bright ones and backgrounds", async () => {
  const rows: readonly [attribute: number, foreground: number, background: number][] = [
    [0x01, 4, -1],
    [0x04, 1, -1],
    [0x0e, 11, -1],
    [0x1f, 15, 4],
    [0x70, 0, 7],
  ];
  for (const [attribute, foreground, background] of rows) {
    const { text, cell } = await shown(colourRow("abc", attributes(attribute, 1, 2)));
    assertEquals(text, "abc");
    assertEquals([cell(1).getFgColor(), cell(1).getBgColor()], [foreground, background]);
    for (const at of [0, 2]) {
      assertEquals([cell(at).isFgDefault(), cell(at).isBgDefault()], [true, true]);
    }
  }
  const { cell } = await shown(colourRow("abc", attributes(0x87, 0, 1)));
  assertEquals([cell(0).isBlink() !== 0, cell(1).isBlink() !== 0], [true, false]);
});

Deno.test("colourRow() keeps blanks that have a background, to the last column", async () => {
  const row = colourRow("menu", attributes(0x30, 2, COLUMNS));
  const { text, cell, line } = await shown(row);
  assertEquals(text.trimEnd(), "menu");
  assertEquals([cell(1).isBgDefault(), cell(2).getBgColor()], [true, 6]);
  assertEquals(cell(COLUMNS - 1).getBgColor(), 6);
  assertEquals(line(1).getCell(0)!.isBgDefault(), true);
});
