import { assertEquals } from "@std/assert";
import {
  add,
  and,
  load16,
  load8,
  local,
  num,
  or,
  shl,
  widthOf,
  xor,
} from "../../../core/cpu/ir.ts";

const NARROW = new Map([[3, 8], [4, 16]]);
const width = (v: Parameters<typeof widthOf>[0]): number => widthOf(v, NARROW);

Deno.test("widthOf() knows constants, narrow loads and narrow locals", () => {
  assertEquals(width(num(0)), 0);
  assertEquals(width(num(0xff)), 8);
  assertEquals(width(num(-1)), 32);
  assertEquals(width(load8(local(0))), 8);
  assertEquals(width(load16(local(0))), 16);
  assertEquals(width(local(3)), 8);
  assertEquals(width(local(5)), 32);
});

Deno.test("widthOf() follows bitwise operators: AND by the narrower, OR and XOR by the wider", () => {
  assertEquals(width(and(local(5), num(0x1f))), 5);
  assertEquals(width(or(local(3), local(4))), 16);
  assertEquals(width(xor(local(3), and(local(5), num(0xff)))), 8);
});

Deno.test("widthOf() promises nothing of what may carry or shift out", () => {
  assertEquals(width(add(local(3), local(3))), 32);
  assertEquals(width(shl(local(3), num(1))), 32);
});
