import { assertEquals, assertThrows } from "@std/assert";
import { VirtualClock } from "../../core/clock.ts";
import { InternalError } from "../../core/errors.ts";
import { Books } from "../../core/ledger.ts";
import { COST } from "../../core/types.ts";

Deno.test("Books.charge() moves the clock by what it books", () => {
  const clock = new VirtualClock();
  const books = new Books(clock);
  books.charge(COST.exit, 700);
  books.charge(COST.guest, 42);
  books.charge(COST.exit, 300);
  const { exit, guest, idle } = books.snapshot();
  assertEquals([exit, guest, idle, clock.now], [1000, 42, 0, 1042]);
  books.assertClosed();
});

Deno.test("Books.assertClosed() throws when time has passed unbooked", () => {
  const clock = new VirtualClock();
  const books = new Books(clock);
  books.charge(COST.guest, 10);
  clock.advance(1);
  assertThrows(() => books.assertClosed(), InternalError, "11 ns elapsed, 10 ns booked");
});

Deno.test("Books.assertClosed() throws when books add up but one is negative or broken", () => {
  const books = new Books(new VirtualClock());
  books.charge(COST.guest, 10);
  books.charge(COST.idle, -3);
  assertThrows(() => books.assertClosed(), InternalError);
  const fractions = new Books(new VirtualClock());
  fractions.charge(COST.guest, 0.5);
  assertThrows(() => fractions.assertClosed(), InternalError);
});

Deno.test("Books opened later account for the time since then", () => {
  const clock = new VirtualClock();
  clock.advance(500);
  const books = new Books(clock);
  books.charge(COST.idle, 1);
  books.assertClosed();
});
