/**
 * What a VGA in a text mode shows, as Unicode. The font is taken to be the one of its BIOS, code
 * page 437. Blanking, split screens and fine scrolling are not looked at.
 * Source: IBM PS/2 Hardware Interface Technical Reference, video subsystem (CRT controller); mapping
 * of the Unicode Consortium for CP437, with the graphic forms of control codes.
 * @module
 */

import type { VgaMemory } from "./vga_memory.ts";

/** Registers of the CRT controller. */
export const CRTC = {
  COLUMNS: 0x01,
  OVERFLOW: 0x07,
  MAXIMUM_SCAN_LINE: 0x09,
  CURSOR_START: 0x0a,
  START_HIGH: 0x0c,
  START_LOW: 0x0d,
  CURSOR_HIGH: 0x0e,
  CURSOR_LOW: 0x0f,
  VERTICAL_END: 0x11,
  VERTICAL_DISPLAY_END: 0x12,
  OFFSET: 0x13,
  MODE: 0x17,
} as const;

const CURSOR_OFF = 0x20;
const SCAN_LINES = 0x1f;
const DOUBLE_SCAN = 0x80;
const MODE_BYTE = 0x40;
const MODE_WRAP_15 = 0x20;

/** A place on a text screen, from 0. */
export interface ScreenPlace {
  /** From the top. */
  readonly row: number;
  /** From the left. */
  readonly column: number;
}

/** A text screen. */
export interface TextScreen {
  /** Characters in a row. */
  readonly columns: number;
  /** Rows on the screen. */
  readonly rows: number;
  /** One for each row, without the blanks at its end. */
  readonly lines: readonly string[];
  /** Of every column of each row: bits 3:0 the color, 6:4 that behind it, 7 blinking. */
  readonly attributes: readonly Uint8Array[];
  /** `undefined` while it is switched off or elsewhere. */
  readonly cursor: ScreenPlace | undefined;
}

const GLYPHS: readonly string[] = [
  ..." ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼",
  ...Array.from({ length: 0x5f }, (_, i) => String.fromCharCode(0x20 + i)),
  ..."⌂ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌",
  ..."█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ",
];

/** @param crtc registers of the CRT controller */
export function textScreen(crtc: Uint8Array, memory: VgaMemory): TextScreen {
  const columns = crtc[CRTC.COLUMNS]! + 1;
  const rows = Math.floor(displayedLines(crtc) / linesOfRow(crtc));
  const start = crtc[CRTC.START_HIGH]! << 8 | crtc[CRTC.START_LOW]!;
  const pitch = crtc[CRTC.OFFSET]! * 2;
  const lines: string[] = [];
  const attributes: Uint8Array[] = [];
  for (let row = 0; row < rows; row++) {
    const first = start + row * pitch;
    const words = Uint16Array.from(
      { length: columns },
      (_, column) => memory.wordAt(memoryAddress(crtc, first + column)),
    );
    lines.push(Array.from(words, (word) => GLYPHS[word & 0xff]!).join("").trimEnd());
    attributes.push(Uint8Array.from(words, (word) => word >> 8));
  }
  const cursor = cursorOf(crtc, start, pitch, columns, rows);
  return { columns, rows, lines, attributes, cursor };
}

function displayedLines(crtc: Uint8Array): number {
  const overflow = crtc[CRTC.OVERFLOW]!;
  return (crtc[CRTC.VERTICAL_DISPLAY_END]! | (overflow & 0x02) << 7 | (overflow & 0x40) << 3) + 1;
}

function linesOfRow(crtc: Uint8Array): number {
  const register = crtc[CRTC.MAXIMUM_SCAN_LINE]!;
  return ((register & SCAN_LINES) + 1) * ((register & DOUBLE_SCAN) !== 0 ? 2 : 1);
}

/** The address counter turned left by one in word mode, as odd/even addressing of the CPU wants it. */
function memoryAddress(crtc: Uint8Array, counter: number): number {
  const mode = crtc[CRTC.MODE]!;
  if ((mode & MODE_BYTE) !== 0) return counter;
  return counter << 1 | counter >> ((mode & MODE_WRAP_15) !== 0 ? 15 : 13) & 1;
}

function cursorOf(
  crtc: Uint8Array,
  start: number,
  pitch: number,
  columns: number,
  rows: number,
): ScreenPlace | undefined {
  const at = (crtc[CRTC.CURSOR_HIGH]! << 8 | crtc[CRTC.CURSOR_LOW]!) - start;
  const place = { row: Math.floor(at / pitch), column: at % pitch };
  const isShown = (crtc[CRTC.CURSOR_START]! & CURSOR_OFF) === 0 && at >= 0 &&
    place.row < rows && place.column < columns;
  return isShown ? place : undefined;
}
