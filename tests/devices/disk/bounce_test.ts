import { assertEquals } from "@std/assert";
import { Bounce, gather, scatter } from "../../../devices/disk/bounce.ts";
import { pattern } from "../../helpers/disk.ts";

const RAM = new Uint8Array(4 << 20);
const piece = (from: number, pages: number): Uint8Array =>
  RAM.subarray(from * 4096, (from + pages) * 4096);

/** Segments, and the bytes of the room for them. */
const ROOMS: readonly (readonly [what: string, segments: Uint8Array[], bytes?: number])[] = [
  ["nothing", []],
  ["one page", [piece(0, 1)]],
  ["adjacent pages", [piece(0, 1), piece(1, 1), piece(2, 1)]],
  ["pages apart", [piece(4, 1), piece(2, 1), piece(0, 1)], 3 * 4096],
  ["pages of two memories", [piece(0, 1), new Uint8Array(8192).subarray(4096)], 2 * 4096],
  ["pieces of two pages", [piece(0, 1), piece(1, 1), piece(4, 2)], 4 * 4096],
  ["long pieces", [piece(0, 4), piece(8, 2)]],
  ["256 pages", Array.from({ length: 256 }, (_, i) => piece(2 * i, 1)), 1 << 20],
  ["more", Array.from({ length: 257 }, (_, i) => piece(2 * i, 1))],
];

for (const [what, segments, bytes] of ROOMS) {
  Deno.test(`Bounce.room() has ${bytes === undefined ? "no " : ""}room for ${what}`, () => {
    assertEquals(new Bounce().room(segments)?.length, bytes);
  });
}

Deno.test("scatter() puts back what gather() has taken", () => {
  const segments = [pattern(4096, 1), pattern(512, 2), pattern(1024, 3)];
  const room = new Uint8Array(5632);
  gather(segments, room);
  assertEquals(room.subarray(4096, 4608), pattern(512, 2));
  const copies = segments.map(({ length }) => new Uint8Array(length));
  scatter(room, copies);
  assertEquals(copies, segments);
});
