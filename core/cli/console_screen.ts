/**
 * The guest's text screen, live on the user's terminal: what the VGA shows, redrawn where it has
 * changed; keys go to the guest's keyboard.
 * @module
 */

import type { Machine } from "../machine/machine.ts";
import { colourRow } from "./console_colours.ts";
import type { Channel } from "./console_mux.ts";

const ESC = "\x1b[";
/** The other screen, without wrapping: a row that is too long ends at the edge. */
const ENTER = `${ESC}?1049h${ESC}?7l`;
const LEAVE = `${ESC}?7h${ESC}?1049l${ESC}?25h`;
const CLEAR = `${ESC}H${ESC}J`;
const CLEAR_TO_END = `${ESC}K`;
const GRAPHICS_NOTE = "(the guest's screen is in a graphics mode)";
const BACK_NOTE = "\nAny key goes back to the guest's screen";

/** A text screen as a terminal is to show it. */
export interface Picture {
  readonly lines: readonly string[];
  /** From 0; `undefined` when there is none. */
  readonly cursor: { readonly row: number; readonly column: number } | undefined;
}

/** Turns pictures into what a terminal must be told to show one after the other. */
export class ScreenPainter {
  #shown: readonly string[] = [];
  #top = 0;
  #place = "";

  /** Forgets what is there: the next picture is drawn as a whole. */
  reset(): void {
    this.#shown = [];
  }

  /** @param rows of the terminal; on one that is too small the rows down to the cursor are shown */
  paint({ lines, cursor }: Picture, rows: number): string {
    const top = Math.max(0, (cursor?.row ?? 0) - rows + 1);
    const visible = lines.slice(top, top + rows);
    const isNew = this.#shown.length !== visible.length || top !== this.#top;
    const drawn = visible.map((line, row) =>
      isNew || line !== this.#shown[row] ? `${at(row, 0)}${CLEAR_TO_END}${line}` : ""
    );
    const place = cursor ? `${at(cursor.row - top, cursor.column)}${ESC}?25h` : `${ESC}?25l`;
    const isSame = !isNew && place === this.#place && drawn.every((line) => line === "");
    this.#shown = visible;
    this.#top = top;
    this.#place = place;
    return isSame ? "" : `${isNew ? CLEAR : ""}${drawn.join("")}${place}`;
  }
}

function at(row: number, column: number): string {
  return `${ESC}${row + 1};${column + 1}H`;
}

/** What a screen needs of its terminal. */
export interface ScreenTerminal {
  /** Shows escape sequences; else only the last screen is written, when all is over. */
  readonly isLive: boolean;
  /** Shows colours. */
  readonly colours: boolean;
  rows(): number;
  write(text: string): void;
}

/** The screen and the keyboard, when they have the terminal. */
export class ScreenChannel implements Channel {
  readonly name = "screen";
  readonly #machine: Machine;
  readonly #terminal: ScreenTerminal;
  readonly #painter = new ScreenPainter();
  #inFront = false;
  #covered = false;
  #changes = -1;
  #rows = 0;

  constructor(machine: Machine, terminal: ScreenTerminal) {
    this.#machine = machine;
    this.#terminal = terminal;
  }

  /** Nothing else may be written on the terminal. */
  get ownsTerminal(): boolean {
    return this.#inFront && this.#terminal.isLive;
  }

  input(bytes: Uint8Array): void {
    if (this.#covered) this.#redraw();
    else this.#machine.input("keyboard", bytes);
  }

  show(inFront: boolean): void {
    this.#inFront = inFront;
    if (!this.#terminal.isLive) return;
    this.#terminal.write(inFront ? ENTER : LEAVE);
    if (inFront) this.#redraw();
  }

  /** Shows a text instead of the screen until a key is hit. */
  cover(text: string): void {
    this.#covered = true;
    this.#terminal.write(`${CLEAR}${text.trimStart()}${BACK_NOTE}`);
  }

  /** Shows what has changed. */
  update(): void {
    if (!this.ownsTerminal || this.#covered) return;
    const changes = this.#machine.screenChanges;
    const rows = this.#terminal.rows();
    if (changes === this.#changes && rows === this.#rows) return;
    this.#changes = changes;
    this.#rows = rows;
    this.#terminal.write(this.#painter.paint(this.#livePicture(), rows));
  }

  /** Leaves the last picture as text, unless the user has turned to something else. */
  close(): void {
    if (!this.#inFront) return;
    this.show(false);
    const lines = this.#picture().lines.map((line) => `${line}\n`);
    this.#terminal.write(`${lines.join("").trimEnd()}\n`);
  }

  #redraw(): void {
    this.#covered = false;
    this.#changes = -1;
    this.#painter.reset();
    this.update();
  }

  #livePicture(): Picture {
    const screen = this.#machine.screen();
    if (screen === undefined || !this.#terminal.colours) return this.#picture();
    const { lines, attributes, cursor } = screen;
    return { lines: lines.map((line, row) => colourRow(line, attributes[row]!)), cursor };
  }

  #picture(): Picture {
    return this.#machine.screen() ?? { lines: [GRAPHICS_NOTE], cursor: undefined };
  }
}
