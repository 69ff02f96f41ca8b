import { assertEquals, assertThrows } from "@std/assert";
import { ClockScope, VirtualClock } from "../../core/clock.ts";
import { InternalError } from "../../core/errors.ts";
import type { Clock } from "../../core/types.ts";

Deno.test("VirtualClock.fireDue() fires in the order of deadlines, equal ones in arming order", () => {
  const clock = new VirtualClock();
  const fired: string[] = [];
  const timer = (name: string) => clock.timer(name, () => fired.push(name));
  timer("late").armAt(20);
  timer("first of two").armAt(10);
  timer("second of two").armAt(10);
  timer("early").armAt(5);
  timer("future").armAt(31);
  clock.advance(30);
  clock.fireDue();
  assertEquals(fired, ["early", "first of two", "second of two", "late"]);
  assertEquals(clock.nextDeadline, 31);
});

Deno.test("VirtualClock.advance() fires nothing", () => {
  const clock = new VirtualClock();
  let fired = 0;
  clock.timer("t", () => fired++).armAfter(1);
  clock.advance(100);
  assertEquals([fired, clock.now], [0, 100]);
});

Deno.test("Timer is disarmed when it fires, so that it can arm itself from its own deadline", () => {
  const clock = new VirtualClock();
  const at: number[] = [];
  let due = 10;
  const timer = clock.timer("periodic", () => {
    assertEquals(timer.deadline, undefined);
    at.push(due);
    timer.armAt(due += 10);
  });
  timer.armAt(due);
  clock.advance(35);
  clock.fireDue();
  assertEquals(at, [10, 20, 30]);
  assertEquals(timer.deadline, 40);
});

Deno.test("Timer.armAt() moves an armed timer, Timer.cancel() takes it out", () => {
  const clock = new VirtualClock();
  const fired: string[] = [];
  const moved = clock.timer("moved", () => fired.push("moved"));
  const cancelled = clock.timer("cancelled", () => fired.push("cancelled"));
  moved.armAt(50);
  cancelled.armAt(20);
  moved.armAt(10);
  cancelled.cancel();
  cancelled.cancel();
  clock.advance(30);
  clock.fireDue();
  assertEquals(fired, ["moved"]);
  assertEquals(clock.nextDeadline, Infinity);
});

Deno.test("Timer.armAt() of a timer that is due fires in the same round", () => {
  const clock = new VirtualClock();
  const fired: string[] = [];
  const second = clock.timer("second", () => fired.push("second"));
  clock.timer("first", () => {
    fired.push("first");
    second.armAfter(0);
  }).armAt(0);
  clock.fireDue();
  assertEquals(fired, ["first", "second"]);
});

Deno.test("Timer.armAt() refuses a fraction of a nanosecond", () => {
  const timer = new VirtualClock().timer("t", () => {});
  assertThrows(() => timer.armAt(0.5), InternalError, "timer t");
});

Deno.test("ClockScope.end() cancels the timers made with it and no others", () => {
  const clock = new VirtualClock();
  const [ending, lasting] = [new ClockScope(clock), new ClockScope(clock)];
  const fired: string[] = [];
  const make = (at: Clock, name: string) => at.timer(name, () => fired.push(name));
  make(ending, "a").armAt(1);
  make(clock, "b").armAt(2);
  make(ending, "c").armAt(2);
  make(lasting, "d").armAt(3);
  make(ending, "e").armAt(4);
  const disarmed = make(ending, "f");
  ending.end();
  clock.advance(10);
  clock.fireDue();
  assertEquals(fired, ["b", "d"]);
  assertEquals(disarmed.deadline, undefined);
});
