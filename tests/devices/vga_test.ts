import { assertEquals } from "@std/assert";
import { VgaBoard } from "../helpers/vga.ts";

const [ATTRIBUTE, SEQUENCER, GRAPHICS, CRTC, STATUS] = [0x3c0, 0x3c4, 0x3ce, 0x3d4, 0x3da];
const FRAME = 449 * 31_777;

Deno.test("Vga starts in mode 3", () => {
  const board = new VgaBoard();
  assertEquals(board.in(0x3cc), 0x67);
  assertEquals([1, 7, 9, 0x12, 0x13].map((at) => board.get(CRTC, at)), [
    0x4f,
    0x1f,
    0x4f,
    0x8f,
    0x28,
  ]);
  assertEquals([0, 2, 4].map((at) => board.get(SEQUENCER, at)), [0x03, 0x03, 0x02]);
  assertEquals([5, 6, 8].map((at) => board.get(GRAPHICS, at)), [0x10, 0x0e, 0xff]);
});

Deno.test("Vga registers keep the bits that exist, and none behind the last", () => {
  const board = new VgaBoard();
  for (const [port, count] of [[SEQUENCER, 5], [GRAPHICS, 9]] as const) {
    for (let index = 0; index < count; index++) board.set(port, index, 0xff);
  }
  assertEquals([0, 1, 2, 3, 4, 5].map((at) => board.get(SEQUENCER, at)), [
    3,
    0x3d,
    15,
    0x3f,
    14,
    0,
  ]);
  assertEquals([3, 4, 5, 6, 7].map((at) => board.get(GRAPHICS, at)), [0x1f, 3, 0x7b, 15, 15]);
  board.set(GRAPHICS, 200, 0xff);
  assertEquals(board.get(GRAPHICS, 200), 0);
});

Deno.test("Vga protects the first CRTC registers but for line compare", () => {
  const board = new VgaBoard();
  board.set(CRTC, 0x01, 0x27);
  board.set(CRTC, 0x07, 0x00);
  assertEquals([board.get(CRTC, 0x01), board.get(CRTC, 0x07)], [0x4f, 0x0f]);
  board.set(CRTC, 0x11, 0x0e);
  board.set(CRTC, 0x01, 0x27);
  assertEquals(board.get(CRTC, 0x01), 0x27);
});

Deno.test("Vga has its CRTC at 3D4 or at 3B4, by the miscellaneous output", () => {
  const board = new VgaBoard();
  board.set(CRTC, 0x0e, 0x12);
  assertEquals([board.get(0x3b4, 0x0e), board.in(0x3ba)], [0xff, 0xff]);
  board.out(0x3c2, 0x66);
  assertEquals([board.get(0x3b4, 0x0e), board.get(CRTC, 0x0e)], [0x12, 0xff]);
  assertEquals(board.in(STATUS), 0xff);
});

Deno.test("Vga attribute controller takes index and data in turn, from a read of 3DA on", () => {
  const board = new VgaBoard();
  board.out(ATTRIBUTE, 0x11);
  board.in(STATUS);
  for (const value of [0x10, 0x5c, 0x34]) board.out(ATTRIBUTE, value);
  assertEquals(board.in(ATTRIBUTE), 0x34);
  board.in(STATUS);
  board.out(ATTRIBUTE, 0x10);
  assertEquals([board.in(ATTRIBUTE), board.in(0x3c1)], [0x10, 0x4c]);
});

Deno.test("Vga DAC keeps six bits of each color, and counts on as it is written and read", () => {
  const board = new VgaBoard();
  board.out(0x3c8, 0x10);
  for (const value of [1, 2, 0xff, 4, 5, 6]) board.out(0x3c9, value);
  assertEquals([board.in(0x3c8), board.in(0x3c7)], [0x12, 0x00]);
  board.out(0x3c7, 0x10);
  assertEquals(Array.from({ length: 6 }, () => board.in(0x3c9)), [1, 2, 0x3f, 4, 5, 6]);
  assertEquals(board.in(0x3c7), 0x03);
  board.out(0x3c6, 0x0f);
  assertEquals(board.in(0x3c6), 0x0f);
});

Deno.test("Vga status follows the beam: once a frame a retrace, once a line a blank", () => {
  const board = new VgaBoard();
  let [retraces, blanks, last] = [0, 0, 0];
  for (let at = 0; at < FRAME; at += 3_000) {
    const status = board.in(STATUS);
    if ((status & ~last & 0x08) !== 0) retraces++;
    if ((status & ~last & 0x01) !== 0) blanks++;
    if ((status & 0x08) !== 0) assertEquals(status, 0x09);
    last = status;
    board.clock.advance(3_000);
  }
  assertEquals([retraces, blanks], [1, 400]);
});

Deno.test("Vga text memory holds characters at even and attributes at odd addresses", () => {
  const board = new VgaBoard();
  board.memory.write(0xb8000, 2, 0xaa55);
  board.memory.write(0xb8002, 4, 0x1f421e41);
  assertEquals(board.memory.read(0xb8000, 2), 0xaa55);
  assertEquals(board.memory.read(0xb8002, 4), 0x1f421e41);
  board.selectPlanes(0x0f);
  const planes = [0, 1, 2].map((plane) => {
    board.set(GRAPHICS, 4, plane);
    return board.memory.read(0xa0000, 4);
  });
  assertEquals(planes, [0x00410055, 0x001e00aa, 0]);
});

Deno.test("Vga answers in its memory map only", () => {
  const board = new VgaBoard();
  board.memory.write(0xa0000, 1, 0x12);
  board.memory.write(0xb0000, 1, 0x12);
  assertEquals([0xa0000, 0xb0000, 0xb8000].map((gpa) => board.memory.read(gpa, 1)), [255, 255, 0]);
  board.set(GRAPHICS, 6, 0x0a);
  board.memory.write(0xb0000, 1, 0x34);
  assertEquals([board.memory.read(0xb0000, 1), board.memory.read(0xb8000, 1)], [0x34, 0xff]);
});

Deno.test("Vga chains four planes", () => {
  const board = new VgaBoard();
  board.selectPlanes(0x0f);
  board.set(SEQUENCER, 4, 0x0e);
  board.memory.write(0xa0100, 4, 0x44332211);
  assertEquals(board.memory.read(0xa0100, 4), 0x44332211);
  board.set(SEQUENCER, 4, 0x06);
  board.set(GRAPHICS, 4, 2);
  assertEquals(board.memory.read(0xa0100, 1), 0x33);
});

Deno.test("Vga write modes combine data, set/reset, latch and bit mask", () => {
  const rows: readonly [graphics: [number, number][], byte: number, planes: number[]][] = [
    [[], 0xa5, [0xa5, 0xa5, 0xa5, 0xa5]],
    [[[3, 0x04]], 0xa1, [0x1a, 0x1a, 0x1a, 0x1a]],
    [[[0, 0x05], [1, 0x07]], 0x3c, [0xff, 0x00, 0xff, 0x3c]],
    [[[8, 0x0f]], 0xaa, [0x1a, 0x2a, 0x4a, 0x8a]],
    [[[3, 0x08]], 0xf0, [0x10, 0x20, 0x40, 0x80]],
    [[[3, 0x10]], 0x0f, [0x1f, 0x2f, 0x4f, 0x8f]],
    [[[3, 0x18]], 0xff, [0xef, 0xdf, 0xbf, 0x7f]],
    [[[5, 0x01]], 0x55, [0x10, 0x20, 0x40, 0x80]],
    [[[5, 0x02], [8, 0xf0]], 0x03, [0xf0, 0xf0, 0x00, 0x00]],
    [[[5, 0x03], [0, 0x09], [8, 0x3c]], 0x0f, [0x1c, 0x20, 0x40, 0x8c]],
  ];
  for (const [graphics, byte, planes] of rows) {
    const board = new VgaBoard();
    for (const plane of [0, 1, 2, 3]) {
      board.selectPlanes(1 << plane);
      board.memory.write(0xa0000, 1, 0x10 << plane);
    }
    board.selectPlanes(0x0f);
    board.memory.read(0xa0000, 1);
    for (const [index, value] of graphics) board.set(GRAPHICS, index, value);
    board.memory.write(0xa0001, 1, byte);
    board.set(GRAPHICS, 5, 0);
    const read = [0, 1, 2, 3].map((plane) => {
      board.set(GRAPHICS, 4, plane);
      return board.memory.read(0xa0001, 1);
    });
    assertEquals(read, planes, JSON.stringify(graphics));
  }
});

Deno.test("Vga read mode 1 compares colors in the planes that matter", () => {
  const board = new VgaBoard();
  for (const [plane, byte] of [0xf0, 0xcc, 0x00, 0xff].entries()) {
    board.selectPlanes(1 << plane);
    board.memory.write(0xa0000, 1, byte);
  }
  board.set(GRAPHICS, 5, 0x08);
  board.set(GRAPHICS, 2, 0x0b);
  board.set(GRAPHICS, 7, 0x0f);
  assertEquals(board.memory.read(0xa0000, 1), 0xc0);
  board.set(GRAPHICS, 7, 0x01);
  assertEquals(board.memory.read(0xa0000, 1), 0xf0);
});

Deno.test("Vga counts what may have changed the screen, reads not", () => {
  const board = new VgaBoard();
  const steps = [
    () => board.print(0, 0, "x"),
    () => board.set(CRTC, 0x0f, 1),
    () => board.out(0x3c8, 0),
  ].map((step) => {
    const before = board.vga.changes;
    step();
    return board.vga.changes > before;
  });
  assertEquals(steps, [true, true, true]);
  const before = board.vga.changes;
  board.in(STATUS);
  board.memory.read(0xb8000, 4);
  board.vga.screen();
  assertEquals(board.vga.changes, before);
});
