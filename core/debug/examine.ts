/**
 * `x` and `xp`: memory in rows, in the formats of QEMU's monitor.
 * Source: documentation of QEMU 7.2, "Commands"; columns as its `x` prints them.
 * @module
 */

import { hex } from "../bits.ts";
import type { Inspector } from "../machine/inspect.ts";
import { MonitorError } from "./monitor_error.ts";

/** What stands behind the slash of `x/4xw`. */
export interface Format {
  readonly count: number;
  readonly letter: string;
  /** Bytes of an item. */
  readonly size: number;
}

/** Memory as a command sees it. */
export interface View {
  /** Digits of an address. */
  readonly digits: number;
  byteAt(address: number): number | undefined;
}

const SIZES: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, g: 8 };
const LETTERS = "xduoci";
const BYTES_PER_ROW = 16;
/** A row of single bytes. */
const ITEMS_PER_ROW = 8;
/** More is of no use on a terminal. */
const MAX_COUNT = 65536;

const ESCAPES: Readonly<Record<number, string>> = {
  0x09: "\\t",
  0x0a: "\\n",
  0x0d: "\\r",
  0x27: "\\'",
  0x5c: "\\\\",
};

/** Reads a format; what it does not say stays as in the last one. */
export function parseFormat(text: string, last: Format): Format {
  const [, digits = "", letters = ""] = /^(\d*)(.*)$/s.exec(text)!;
  let { letter, size } = last;
  for (const each of letters) {
    if (LETTERS.includes(each)) letter = each;
    else if (each in SIZES) size = SIZES[each]!;
    else throw new MonitorError(`invalid char in format: '${each}'`);
  }
  const count = digits === "" ? 1 : Number(digits);
  if (count > MAX_COUNT) throw new MonitorError(`at most ${MAX_COUNT} items are shown`);
  return { count, letter, size };
}

/** Memory by linear address. */
export function linearView(inspector: Inspector): View {
  return {
    digits: 8,
    byteAt(address) {
      const gpa = inspector.linearToGpa(address);
      return gpa === undefined ? undefined : inspector.read8(gpa);
    },
  };
}

/** Memory by guest-physical address. */
export function physicalView(inspector: Inspector): View {
  return { digits: 16, byteAt: (address) => inspector.read8(address) };
}

/** Rows of items; the last one says where memory ends. */
export function dumpLines(view: View, address: number, format: Format): string[] {
  const size = format.letter === "c" ? 1 : format.size;
  const perRow = size === 1 ? ITEMS_PER_ROW : BYTES_PER_ROW / size;
  const lines: string[] = [];
  for (let done = 0; done < format.count; done += perRow) {
    const start = (address + done * size) >>> 0;
    const items = readRow(view, start, size, Math.min(perRow, format.count - done));
    const shown = items?.map((item) => ` ${itemText(item, format.letter, size)}`).join("");
    lines.push(`${hex(start, view.digits)}:${shown ?? " Cannot access memory"}`);
    if (items === undefined) break;
  }
  return lines;
}

function readRow(view: View, start: number, size: number, count: number): bigint[] | undefined {
  const items: bigint[] = [];
  for (let i = 0; i < count; i++) {
    let item = 0n;
    for (let lane = size - 1; lane >= 0; lane--) {
      const byte = view.byteAt((start + i * size + lane) >>> 0);
      if (byte === undefined) return undefined;
      item = (item << 8n) | BigInt(byte);
    }
    items.push(item);
  }
  return items;
}

function itemText(item: bigint, letter: string, size: number): string {
  const bits = size * 8;
  const decimals = Math.ceil(bits * 10 / 33);
  switch (letter) {
    case "o":
      return `0${item.toString(8)}`.padStart(Math.ceil(bits / 3));
    case "u":
      return item.toString().padStart(decimals);
    case "d":
      return BigInt.asIntN(bits, item).toString().padStart(decimals);
    case "c":
      return characterText(Number(item));
    default:
      return `0x${item.toString(16).padStart(bits / 4, "0")}`;
  }
}

function characterText(code: number): string {
  const printable = code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : undefined;
  return `'${ESCAPES[code] ?? printable ?? `\\x${hex(code, 2)}`}'`;
}

/** Instructions, one a line. */
export function codeLines(
  inspector: Inspector,
  view: View,
  address: number,
  count: number,
): string[] {
  const byteAt = (at: number) => view.byteAt(at >>> 0);
  const lines = inspector.list(address, count, byteAt).map(({ address, bytes, text }) => {
    const column = [...bytes].map((byte) => hex(byte, 2)).join(" ").padEnd(23);
    return `0x${hex(address)}:  ${column}  ${text}`;
  });
  return lines.length > 0 ? lines : [`0x${hex(address)}: Cannot access memory`];
}
