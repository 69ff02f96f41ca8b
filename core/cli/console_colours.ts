/**
 * The colours of a text screen, as a terminal is told of them.
 * Source: IBM PS/2 Hardware Interface Technical Reference, attributes of text modes; ECMA-48, SGR.
 * @module
 */

const FOREGROUND = 0x07;
const BRIGHT = 0x08;
const BACKGROUND_SHIFT = 4;
const BACKGROUND = 0x07;
const BLINK = 0x80;
/** Light grey on black, for which a terminal's own colours stand. */
const NORMAL = 0x07;
const RESET = "\x1b[0m";

/** ANSI's number of a colour: the VGA has red and blue the other way round. */
const ANSI: readonly number[] = [0, 4, 2, 6, 1, 5, 3, 7];

/**
 * One row with its colours. What looks empty at its end is left out.
 * @param line without blanks at its end
 * @param attributes of every column
 */
export function colourRow(line: string, attributes: Uint8Array): string {
  let row = "";
  let last = NORMAL;
  for (let column = 0; column < visibleColumns(line, attributes); column++) {
    const attribute = attributes[column]!;
    if (attribute !== last) row += sgr(attribute);
    row += line[column] ?? " ";
    last = attribute;
  }
  return last === NORMAL ? row : row + RESET;
}

function visibleColumns(line: string, attributes: Uint8Array): number {
  const painted = attributes.findLastIndex((it) => (it >> BACKGROUND_SHIFT & BACKGROUND) !== 0);
  return Math.max(line.length, painted + 1);
}

function sgr(attribute: number): string {
  if (attribute === NORMAL) return RESET;
  const foreground = ANSI[attribute & FOREGROUND]! + ((attribute & BRIGHT) !== 0 ? 90 : 30);
  const background = attribute >> BACKGROUND_SHIFT & BACKGROUND;
  const codes = [0, foreground];
  if (background !== 0) codes.push(40 + ANSI[background]!);
  if ((attribute & BLINK) !== 0) codes.push(5);
  return `\x1b[${codes.join(";")}m`;
}
