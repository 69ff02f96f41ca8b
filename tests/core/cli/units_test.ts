import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import {
  parseBytes,
  parseCount,
  parseDate,
  parseMemory,
  parseTime,
} from "../../../core/cli/units.ts";

Deno.test("parse functions know their units, in either case", () => {
  assertEquals(["512", "4k", "1M"].map((text) => parseBytes("-x", text)), [512, 4096, 1048576]);
  assertEquals(["32", "32M", "1g"].map((text) => parseMemory("-x", text) / 1048576), [
    32,
    32,
    1024,
  ]);
  assertEquals(["7", "2k", "1.5m"].map((text) => parseCount("-x", text)), [7, 2000, 1_500_000]);
  assertEquals(["9ns", "3us", "0.5s"].map((text) => parseTime("-x", text)), [9, 3000, 5e8]);
});

Deno.test("parse functions name the option and what it wants", () => {
  for (const text of ["", "0", "-1", "4x", "k", "1e3", "0x10", "99999999999999999"]) {
    const error = assertThrows(() => parseBytes("--bs", text), UsageError);
    assertEquals(error.message, `Cannot read --bs "${text}": wanted bytes, as 4096, 4k or 1m`);
  }
  assertThrows(() => parseTime("--max-time", "5"), UsageError, "with its unit");
  assertThrows(() => parseMemory("-m", "0"), UsageError, 'Cannot read -m "0"');
});

Deno.test("parseDate() reads a date with or without the time of day, as UTC", () => {
  const dates = ["1970-01-01", "2026-01-01", "2026-01-01T00:00:00", "2024-02-29T23:59:59"];
  assertEquals(dates.map((text) => parseDate("-rtc base=", text)), [
    0,
    1_767_225_600,
    1_767_225_600,
    1_709_251_199,
  ]);
});

Deno.test("parseDate() refuses what is no date of its calendar", () => {
  for (const text of ["", "utc", "2026-02-30", "2026-01-01T24:00:01", "1969-12-31", "2026-1-1"]) {
    assertThrows(() => parseDate("-rtc base=", text), UsageError, `Cannot read -rtc base=${text}`);
  }
});
