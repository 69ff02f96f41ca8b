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
  return parse(option, text, { ...BINARY, "": BINARY.m! }, "a size, as 64, 64M or 1G");
}

/** `10m` is ten million. */
export function parseCount(option: string, text: string): number {
  return parse(option, text, DECIMAL, "a positive number, as 1000, 10m or 1g");
}

/** `2026-01-01T00:00:00` or `2026-01-01` in seconds since 1970, as QEMU's `-rtc base=`. */
export function parseDate(option: string, text: string): number {
  const isDate = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d)?$/.test(text);
  const time = isDate ? Date.parse(text.includes("T") ? `${text}Z` : text) : NaN;
  if (!(time >= 0) || !new Date(time).toISOString().startsWith(text)) {
    throw new UsageError(
      `Cannot read ${option}${text}: wanted a date from 1970 on, with or without the time of day`,
      `${option}2026-01-01T00:00:00`,
    );
  }
  return time / 1000;
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
