import { assertEquals } from "@std/assert";
import { dateOf, dayNumber } from "../../devices/calendar.ts";

Deno.test("dayNumber() counts from 1970-01-01 and dateOf() counts back", () => {
  const rows: readonly [days: number, year: number, month: number, day: number][] = [
    [0, 1970, 1, 1],
    [-1, 1969, 12, 31],
    [11_016, 2000, 2, 29],
    [11_017, 2000, 3, 1],
    [20_454, 2026, 1, 1],
    [47_540, 2100, 2, 28],
    [47_541, 2100, 3, 1],
  ];
  for (const [days, year, month, day] of rows) {
    assertEquals(dayNumber({ year, month, day }), days);
    assertEquals(dateOf(days), { year, month, day });
  }
});

Deno.test("dateOf() is the inverse of dayNumber() on every day of four centuries", () => {
  for (let days = 0; days < 146_097; days++) {
    if (dayNumber(dateOf(days)) !== days) assertEquals(dayNumber(dateOf(days)), days);
  }
});

Deno.test("dayNumber() lets days and months outside the calendar count on", () => {
  assertEquals(dayNumber({ year: 2025, month: 13, day: 1 }), 20_454);
  assertEquals(dayNumber({ year: 2025, month: 12, day: 32 }), 20_454);
  assertEquals(dayNumber({ year: 2026, month: 0, day: 32 }), 20_454);
});
