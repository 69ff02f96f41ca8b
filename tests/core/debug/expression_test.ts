import { assertEquals, assertThrows } from "@std/assert";
import { Expression } from "../../../core/debug/expression.ts";
import { MonitorError } from "../../../core/debug/monitor_error.ts";

const registers = (name: string) => name === "eip" ? 0xfff0 : undefined;
const valueOf = (text: string) => new Expression(text, 0, registers).value();

const VALUES: readonly (readonly [string, number])[] = [
  ["10", 10],
  ["0xFfFf", 0xffff],
  ["'A'", 65],
  ["$eip + 4", 0xfff4],
  ["-1", 0xffffffff],
  ["~0", 0xffffffff],
  ["1 - 2", 0xffffffff],
  ["0x100000000 + 5", 5],
  ["(1+2)*3", 9],
  ["1+2*3", 7],
  ["1 + 6 & 3", 3], // QEMU's: & binds tighter than +
  ["7 / 2 + 7 % 4", 6],
  ["0xf0 | 0x0f ^ 1", 0xfe],
  ["10 - 3 - 2", 5],
];

for (const [text, value] of VALUES) {
  Deno.test(`Expression.value() of ${text} is 0x${value.toString(16)}`, () => {
    assertEquals(valueOf(text), value);
  });
}

const MISTAKES: readonly (readonly [string, string])[] = [
  ["", "unexpected end of expression"],
  ["1 +", "unexpected end of expression"],
  ["(1", "')' expected"],
  ["$rip", "unknown register"],
  ["*", "invalid char in expression"],
  ["1 / 0", "division by zero"],
  ["1 % 0", "division by zero"],
];

for (const [text, message] of MISTAKES) {
  Deno.test(`Expression.value() refuses "${text}"`, () => {
    assertEquals(assertThrows(() => valueOf(text), MonitorError).message, message);
  });
}

Deno.test("Expression.end is where the next expression may begin", () => {
  const first = new Expression("0x80 -1 rest", 0, registers);
  assertEquals([first.value(), first.end], [0x7f, 7]);
  const text = "0x80 (12) x";
  const port = new Expression(text, 0, registers);
  assertEquals([port.value(), port.end], [0x80, 5]);
  const value = new Expression(text, port.end, registers);
  assertEquals([value.value(), text.slice(value.end)], [12, " x"]);
});
