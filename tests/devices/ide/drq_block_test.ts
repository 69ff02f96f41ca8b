import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { AccessSize } from "../../../core/types.ts";
import { DrqBlock } from "../../../devices/ide/drq_block.ts";
import { patternByte } from "../../helpers/ide.ts";

/** A block of two sectors and the count of its ends. */
function openBlock(direction: "in" | "out") {
  const ends = { count: 0 };
  const block = new DrqBlock(2, () => ends.count++);
  block.segments(2)[0].set(new Uint8Array(1024).map((_, i) => patternByte(i)));
  block.open(direction, 1024);
  return { block, ends };
}

const accesses = fc.array(
  fc.record({
    size: fc.constantFrom<AccessSize>(1, 2, 4),
    items: fc.integer({ min: 0, max: 300 }),
  }),
  { maxLength: 12 },
);

Deno.test("DrqBlock.readString() equals as many single reads", () => {
  fc.assert(fc.property(accesses, (list) => {
    const [bulk, single] = [openBlock("in"), openBlock("in")];
    for (const { size, items } of list) {
      const into = new Uint8Array(items * size);
      bulk.block.readString(size, into);
      const expected = new Uint8Array(items * size);
      for (let i = 0; i < items; i++) {
        const value = single.block.read(size);
        for (let b = 0; b < size; b++) expected[i * size + b] = value >>> b * 8;
      }
      assertEquals(into, expected);
      assertEquals(bulk.ends, single.ends);
    }
  }));
});

Deno.test("DrqBlock.writeString() equals as many single writes", () => {
  fc.assert(fc.property(accesses, (list) => {
    const [bulk, single] = [openBlock("out"), openBlock("out")];
    for (const { size, items } of list) {
      const from = new Uint8Array(items * size).map((_, i) => i * 3 + items);
      bulk.block.writeString(size, from);
      for (let i = 0; i < items; i++) {
        let value = 0;
        for (let b = 0; b < size; b++) value |= from[i * size + b]! << b * 8;
        single.block.write(size, value >>> 0);
      }
      assertEquals(bulk.block.segments(2), single.block.segments(2));
      assertEquals(bulk.ends, single.ends);
    }
  }));
});

Deno.test("DrqBlock.read() gives ones when no block is open or the host should write", () => {
  const { block, ends } = openBlock("out");
  assertEquals([block.read(1), block.read(2), block.read(4)], [0xff, 0xffff, 0xffffffff]);
  block.open("in", 512);
  block.writeString(2, new Uint8Array(512));
  assertEquals([block.read(1), ends.count], [patternByte(0), 0]);
  block.close();
  assertEquals(block.read(4), 0xffffffff);
});

Deno.test("DrqBlock.readString() stops at the end of the block and fills with ones", () => {
  const { block, ends } = openBlock("in");
  block.read(2);
  const into = new Uint8Array(2048);
  block.readString(4, into);
  assertEquals([into[1021], into[1022], into[2047]], [patternByte(1023), 0xff, 0xff]);
  assertEquals(ends.count, 1);
});
