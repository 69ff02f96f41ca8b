import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { InternalError } from "../../../core/errors.ts";
import { makeRam } from "../../helpers/host.ts";

const RAM_BASE = 0x1000; // makeRam() leaves a page of host memory before guest-physical 0
const RAM = 2 << 20;

Deno.test("GuestRam has a hole for video memory and ends where RAM ends", () => {
  const memory = makeRam();
  const isMemory = (gpa: number) => memory.page(gpa >> 12) !== undefined;
  assertEquals([0x9f000, 0xa0000, 0xbf000, 0xc0000].map(isMemory), [true, false, false, true]);
  assertEquals([RAM - 1, RAM, 0xfee00000, 0xfffff000].map(isMemory), [true, false, false, false]);
  assertEquals([memory.frameOffset(1), memory.frameOffset(0xa0)], [RAM_BASE + 0x1000, -1]);
});

Deno.test("GuestRam reads and writes little-endian, across pages too", () => {
  const memory = makeRam();
  memory.write32(0x1ffe, 0x89abcdef);
  assertEquals([memory.read16(0x1ffe), memory.read16(0x2000)], [0xcdef, 0x89ab]);
  assertEquals(memory.read32(0x1ffe), 0x89abcdef);
  memory.write16(0x2fff, 0x1234);
  assertEquals([memory.read8(0x2fff), memory.read8(0x3000)], [0x34, 0x12]);
  assertEquals(memory.read16(0x2fff), 0x1234);
});

Deno.test("GuestRam reads ones where nothing is and drops writes, half an access as well", () => {
  const memory = makeRam();
  memory.write32(0xb8000, 0);
  assertEquals(memory.read32(0xb8000), 0xffffffff);
  memory.write32(0x9fffe, 0x11223344);
  assertEquals(memory.read32(0x9fffe), 0xffff3344);
  assertEquals(memory.read16(RAM), 0xffff);
  memory.write8(0x1_0000_1000, 0x55); // 36-bit addresses do not wrap
  assertEquals([memory.read8(0x1_0000_1000), memory.read8(0x1000)], [0xff, 0]);
});

Deno.test("GuestRam.page() is always the same view", () => {
  const memory = makeRam();
  assertStrictEquals(memory.page(5), memory.page(5));
  memory.write8(0x5007, 0x99);
  assertEquals(memory.page(5)![7], 0x99);
});

Deno.test("GuestRam.range() is there for contiguous memory and no other", () => {
  const memory = makeRam();
  const view = memory.range(0x1800, 0x3000)!;
  memory.write8(0x4000, 0x42);
  assertEquals([view.length, view[0x2800]], [0x3000, 0x42]);
  assertEquals(memory.range(0x9f000, 0x1000)?.length, 0x1000);
  assertEquals(memory.range(0x9f000, 0x1001), undefined);
  assertEquals(memory.range(RAM - 16, 17), undefined);
  memory.mapFrame(3, memory.allocateFrame());
  assertEquals(memory.range(0x2ff0, 0x20), undefined);
  assertEquals(memory.range(0x3000, 0x1000), memory.page(3));
});

Deno.test("GuestRam.mapFrame() lays a page over RAM and gives the RAM back", () => {
  const memory = makeRam();
  let remaps = 0;
  memory.onRemap(() => remaps++);
  memory.write32(0x4000, 1);
  const frame = memory.allocateFrame();
  memory.mapFrame(4, frame);
  assertEquals(memory.read32(0x4000), 0);
  memory.write32(0x4000, 2);
  assertEquals(frame[0], 2);
  memory.mapFrame(4, undefined);
  assertEquals([memory.read32(0x4000), remaps], [1, 2]);
});

Deno.test("GuestRam.hideFrame() takes RAM away, which may be laid over another frame", () => {
  const memory = makeRam();
  const page = memory.page(4)!;
  memory.write32(0x4000, 44);
  memory.hideFrame(4);
  assertEquals([memory.page(4), memory.read32(0x4000)], [undefined, 0xffffffff]);
  assertEquals([memory.frameOffset(4), memory.storeOffset(4)], [-1, -1]);
  memory.mapFrame(0xf0000, page);
  assertEquals(memory.read32(0xf0000000), 44);
  memory.mapFrame(4, undefined);
  assertEquals(memory.read32(0x4000), 44);
});

Deno.test("GuestRam.mapFrame() puts a page where nothing was, and takes it away", () => {
  const memory = makeRam();
  const frame = memory.allocateFrame();
  memory.mapFrame(0xfeffc, frame);
  memory.write8(0xfeffc123, 7);
  assertStrictEquals(memory.page(0xfeffc), frame);
  memory.mapFrame(0xfeffc, undefined);
  assertEquals([memory.read8(0xfeffc123), memory.page(0xfeffc)], [0xff, undefined]);
});

Deno.test("GuestRam.onWrote() hears of writes and of views, at their place in the buffer", () => {
  const memory = makeRam();
  const heard: [number, number][] = [];
  memory.onWrote((offset, length) => heard.push([offset - RAM_BASE, length]));
  memory.write8(0x10, 0);
  memory.write32(0x2ffe, 0);
  memory.wrote(memory.range(0x5000, 512)!);
  memory.write8(0xa0000, 0);
  assertEquals(heard, [[0x10, 1], [0x2ffe, 2], [0x3000, 2], [0x5000, 512]]);
});

Deno.test("GuestRam.allocateFrame() runs out", () => {
  const memory = makeRam(1 << 20, 1);
  memory.allocateFrame();
  assertThrows(() => memory.allocateFrame(), InternalError, "all 1 are in use");
});
