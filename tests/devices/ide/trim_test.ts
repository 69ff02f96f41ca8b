import { assertEquals } from "@std/assert";
import { BenchDisk, BM, IdeBench } from "../../helpers/ide.ts";

const TABLE = 0x8000;
const DATA = 0x3000;

function bench(): { disk: BenchDisk; ide: IdeBench } {
  const disk = new BenchDisk(0x20000);
  disk.canDiscard = true;
  return { disk, ide: new IdeBench({ master: disk }) };
}

/** DATA SET MANAGEMENT as Linux sends it: 48-bit, by DMA. */
function trim(ide: IdeBench, ranges: readonly [lba: number, count: number][]): void {
  ide.memory.set(DATA, new Uint8Array(512));
  ranges.forEach(([lba, count], i) => {
    ide.memory.write32(DATA + i * 8, lba);
    ide.memory.write16(DATA + i * 8 + 6, count);
  });
  ide.prds(TABLE, [[DATA, 512]]);
  ide.out32(BM + 4, TABLE);
  ide.out8(0x1f1, 0);
  ide.out8(0x1f1, 0x01);
  ide.lba48(0x06, 0, 1);
  ide.out8(BM, 0x01);
}

Deno.test("DATA SET MANAGEMENT gives ranges back one by one, then interrupts", () => {
  const { disk, ide } = bench();
  trim(ide, [[8, 16], [0, 0], [0x12345, 0xff]]);
  assertEquals([ide.in8(0x3f6), ide.line.edges], [0xd0, 0]);
  disk.complete();
  disk.complete();
  assertEquals(disk.log, ["discard 8+16", "discard 74565+255"]);
  assertEquals([ide.line.edges, ide.in8(0x1f7), ide.in8(BM + 2)], [1, 0x50, 0x04]);
});

Deno.test("DATA SET MANAGEMENT gives nothing back when a range reaches past the end", () => {
  const { disk, ide } = bench();
  trim(ide, [[8, 16], [0x1ffff, 2]]);
  assertEquals([ide.in8(0x1f7), ide.in8(0x1f1)], [0x51, 0x10]);
  assertEquals([disk.log, ide.errors.length], [[], 1]);
});

Deno.test("DATA SET MANAGEMENT is there when the disk can discard", () => {
  for (const canDiscard of [true, false]) {
    const { disk } = bench();
    disk.canDiscard = canDiscard;
    const ide = new IdeBench({ master: disk });
    ide.out8(0x1f7, 0xec);
    const words = new Uint16Array(ide.insl(128).buffer);
    assertEquals([words[69], words[169]], canDiscard ? [0x4020, 1] : [0, 0]);
    trim(ide, []);
    assertEquals(ide.in8(0x1f7), canDiscard ? 0x50 : 0x51);
    ide.out8(0x1f1, 0x02); // no function but TRIM
    ide.lba48(0x06, 0, 1);
    assertEquals([ide.in8(0x1f7), ide.in8(0x1f1)], [0x51, 0x04]);
  }
});

Deno.test("DATA SET MANAGEMENT leaves no count of sectors in the disk requests that follow", () => {
  const { disk, ide } = bench();
  trim(ide, [[8, 16]]);
  disk.complete();
  ide.in8(0x1f7);
  ide.lba28(0x20, 0, 1);
  assertEquals([disk.log.at(-1), disk.queue[0]!.count], ["read 0+1", 0]);
  disk.complete();
  ide.insl(128);
  ide.out8(0x1f7, 0xe7);
  assertEquals([disk.log.at(-1), disk.queue[0]!.count], ["flush 0+0", 0]);
});
