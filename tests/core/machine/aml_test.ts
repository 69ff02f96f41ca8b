import { assertEquals, assertThrows } from "@std/assert";
import { InternalError } from "../../../core/errors.ts";
import * as aml from "../../../core/machine/aml.ts";

const hex = (term: aml.Aml) => Uint8Array.from(term).toHex();

Deno.test("integer() takes the shortest form", () => {
  const values = [0, 1, 2, 0xff, 0x100, 0xffff, 0x10000, 0xffffffff];
  const forms = "00 01 0a02 0aff 0b0001 0bffff 0c00000100 0cffffffff";
  assertEquals(values.map((value) => hex(aml.integer(value))), forms.split(" "));
});

Deno.test("eisaId() packs letters and digits, most significant first", () => {
  assertEquals(hex(aml.eisaId("PNP0A03")), "0c41d00a03");
  assertThrows(() => aml.eisaId("pnp0a03"), InternalError);
});

Deno.test("named() pads a name, and takes one of the root", () => {
  assertEquals(hex(aml.named("_UID", aml.integer(1))), "085f55494401");
  assertEquals(hex(aml.named("\\_S5", aml.integer(0))), "085c5f53355f00");
  assertThrows(() => aml.named("TOOLONG", aml.integer(0)), InternalError);
});

Deno.test("scope() counts its length in one byte up to 63, in two up to 4095, then in three", () => {
  const lengthOf = (bytes: number) => hex(aml.scope("\\_SB", new Array(bytes).fill(0))).slice(2, 8);
  assertEquals(lengthOf(57).slice(0, 2), "3f");
  assertEquals(lengthOf(58).slice(0, 4), "4104"); // 65 = 4 * 16 + 1
  assertEquals(lengthOf(4088).slice(0, 4), "4fff");
  assertEquals(lengthOf(4089), "810001"); // 4097 = 256 * 16 + 1
});

Deno.test("resources() is a buffer of descriptors with an end", () => {
  const list = aml.resources(aml.ports(0x3f8, 8), aml.irq(4));
  assertEquals(hex(list), "11100a0d4701f803f8030108" + "221000" + "7900");
  const bus = aml.resources(aml.wordWindow(aml.WINDOW.BUS, 0, 255));
  assertEquals(hex(bus), "11150a12" + "880d00020c0000000000ff0000000001" + "7900");
});

Deno.test("packageOf() counts its elements", () => {
  assertEquals(hex(aml.packageOf(aml.integer(0), aml.integer(2))), "12050200" + "0a02");
});
