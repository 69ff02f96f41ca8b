/**
 * Numbers with units, as users type them.
 * @module
 */

import { UsageError } from "../errors.ts";

const BINARY: Readonly<Record<string, number>> = { "": 1, k: 1 << 10, m: 1 << 20, g: 1 << 30 };
const DECIMAL: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9 };
const TIME: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

/** `4k` and `4096` are 4096. */
export function parseBytes(option: string, text: string): number {
  return parse(option, text, BINARY, "bytes, as 4096, 4k or 1m");
}

/** Memory size as QEMU's `-m`: mebibytes unless a unit says otherwise. */
export function parseMemory(option: string, text: string): number {
  return parse(option, /^\d+$/.test(text) ? `${text}m` : text, BINARY, "a size, as 64, 64M or 1G");
}

/** `10m` is ten million. */
export function parseCount(option: string, text: string): number {
  return parse(option, text, DECIMAL, "a positive number, as 1000, 10m or 1g");
}

/** `5s` in nanoseconds. */
export function parseTime(option: string, text: string): number {
  return parse(option, text, TIME, "a virtual time with its unit, as 5s, 100ms or 20us");
}

function parse(
  option: string,
  text: string,
  units: Readonly<Record<string, number>>,
  wanted: string,
): number {
  const [, digits = "", unit = ""] = /^(\d+(?:\.\d+)?)([a-z]*)$/i.exec(text) ?? [];
  const value = Math.round(Number(digits) * (units[unit.toLowerCase()] ?? NaN));
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new UsageError(`Cannot read ${option} "${text}": wanted ${wanted}`);
  }
  return value;
}
