import { assertEquals } from "@std/assert";
import { kernelSymbols } from "../../../core/load/kallsyms.ts";
import { SymbolTable } from "../../../core/load/symbols.ts";

const BASE = 0xc1000000;
const STEP = 16;
const COUNT = 600;
/** One whose length takes two bytes. */
const LONG = `f${"x".repeat(200)}`;

const nameOf = (i: number) => i === 5 ? LONG : i === COUNT - 1 ? "_einittext" : `f${i}`;

/** A kernel's image with a digit table that is not its token table in front. */
function image(order: boolean): Uint8Array {
  const bytes: number[] = [];
  const align = () => {
    while (bytes.length % 4 !== 0) bytes.push(0);
  };
  const word = (value: number) => bytes.push(...[0, 8, 16, 24].map((bit) => value >>> bit & 255));
  const text = (value: string) => bytes.push(...[...value].map((c) => c.charCodeAt(0)), 0);
  for (const digit of "0123456789") text(digit);
  align();
  for (let i = 0; i < COUNT; i++) word(i * STEP);
  word(BASE);
  word(COUNT);
  const markers: number[] = [];
  const begin = bytes.length;
  for (let i = 0; i < COUNT; i++) {
    if (i % 256 === 0) markers.push(bytes.length - begin);
    const tokens = [..."t", ...nameOf(i)].map((c) => c.charCodeAt(0));
    bytes.push(...(tokens.length < 128 ? [tokens.length] : [tokens.length & 127 | 128, 1]));
    bytes.push(...tokens);
  }
  align();
  markers.forEach(word);
  if (order) { for (let i = 0; i < COUNT; i++) bytes.push(0, i >> 8, i & 255); }
  align();
  const table = bytes.length;
  const index: number[] = [];
  for (let token = 0; token < 256; token++) {
    index.push(bytes.length - table);
    text(token === 0 ? "zz" : String.fromCharCode(token));
  }
  align();
  for (const offset of index) bytes.push(offset & 255, offset >> 8);
  return Uint8Array.from(bytes);
}

for (const order of [false, true]) {
  Deno.test(`kernelSymbols() finds the tables, ${order ? "with" : "without"} an order`, () => {
    const symbols = kernelSymbols(image(order))!;
    assertEquals(symbols.length, COUNT);
    assertEquals(symbols[1], { address: BASE + STEP, letter: "t", name: "f1" });
    assertEquals(symbols[5]!.name, LONG);
    assertEquals(symbols[598], { address: BASE + 598 * STEP, letter: "t", name: "f598" });
  });
}

Deno.test("kernelSymbols() is undefined where no tables are, or damaged ones", () => {
  assertEquals(kernelSymbols(new Uint8Array(4096)), undefined);
  const cut = image(true);
  assertEquals(kernelSymbols(cut.subarray(0, cut.length - 100)), undefined);
});

Deno.test("SymbolTable.parse() reads a kernel that has no symbol table, up to its text's end", () => {
  const table = SymbolTable.parse(image(true), "vmlinux");
  const at = [BASE + STEP + 1, BASE + (COUNT - 1) * STEP, 0xf8000000];
  assertEquals(at.map((address) => table.nameAt(address)), ["f1", undefined, undefined]);
});

Deno.test("kernelSymbols() gives up, and throws nothing, whatever word is wrong", () => {
  const good = image(true);
  for (let at = 0; at + 4 <= good.length; at += 52) {
    const bad = good.slice();
    bad.fill(0xff, at, at + 4);
    kernelSymbols(bad);
    bad.fill(0, at, at + 4);
    kernelSymbols(bad);
  }
});
