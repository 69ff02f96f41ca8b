import { assertEquals } from "@std/assert";
import { BenchDisk, BM, IdeBench } from "../../helpers/ide.ts";

const TABLE = 0x8000;
const DATA = 0x3000;

/** Linux's libata: its accesses in their order, and what the reads among them answer. */
class Libata {
  readonly disk: BenchDisk = new BenchDisk(4096);
  readonly ide: IdeBench = new IdeBench({ master: this.disk });
  readonly seen: number[] = [];
  /** `rep ins` and `rep outs` are one each. */
  accesses = 0;

  read(...ports: number[]): void {
    for (const port of ports) {
      this.seen.push(this.ide.in8(port));
      this.accesses++;
    }
  }

  write(port: number, ...values: number[]): void {
    values.forEach((value, i) => this.ide.out8(port + i, value));
    this.accesses += values.length;
  }

  /** Waits for the drive and selects it. */
  select(): void {
    this.read(0x1f7);
    this.write(0x1f6, 0xa0);
    this.read(0x3f6, 0x1f7);
  }

  /** High bytes if any, then low bytes, device, and the look at Status behind them. */
  taskfile(lba: number, sectors: number, ext: boolean): void {
    const byte = (value: number, place: number) => value >>> place * 8 & 0xff;
    if (ext) this.write(0x1f1, 0, byte(sectors, 1), byte(lba, 3), 0, 0);
    this.write(0x1f1, 0, byte(sectors, 0), byte(lba, 0), byte(lba, 1), byte(lba, 2));
    this.write(0x1f6, 0xe0);
    this.read(0x1f7);
  }

  dma(command: number, lba: number, sectors: number, ext: boolean): void {
    this.ide.prds(TABLE, [[DATA, sectors * 512]]);
    const toMemory = command === 0xc8 || command === 0x25 ? 0x08 : 0;
    this.select();
    this.taskfile(lba, sectors, ext);
    this.ide.out32(BM + 4, TABLE);
    this.accesses++;
    this.read(BM);
    this.write(BM, toMemory);
    this.write(0x1f7, command);
    this.read(0x3f6, BM);
    this.write(BM, toMemory | 1);
    assertEquals([this.ide.line.edges, this.ide.in8(BM + 2) & 1], [0, 1]); // not one of Linux's
    this.disk.complete();
    assertEquals(this.ide.line.edges, 1);
    this.read(BM + 2, BM);
    this.write(BM, toMemory);
    this.read(0x3f6);
    this.endInterrupt();
  }

  /** The interrupt's end, the same for every protocol. */
  endInterrupt(): void {
    this.read(0x3f6, 0x1f7, BM + 2);
    assertEquals(this.ide.line.level, false);
    this.write(BM + 2, 0x04);
  }
}

Deno.test("IdeChannel serves Linux's 4 KiB DMA read in 26 accesses", () => {
  const linux = new Libata();
  linux.dma(0xc8, 2000, 8, false);
  assertEquals(linux.accesses, 26);
  assertEquals(
    linux.seen,
    [0x50, 0x50, 0x50, 0x50, 0, 0x58, 0x08, 0x04, 0x09, 0x50, 0x50, 0x50, 0x04],
  );
  assertEquals(linux.ide.in8(BM + 2), 0);
  assertEquals(linux.disk.log, ["read 2000+8"]);
  assertEquals(linux.ide.memory.slice(DATA, 4096), linux.disk.sectors(2000, 8));
  assertEquals(linux.ide.memory.wroteAt, [DATA]);
});

Deno.test("IdeChannel serves Linux's 4 KiB DMA write in 26 accesses", () => {
  const linux = new Libata();
  const data = linux.disk.sectors(7, 8);
  linux.ide.memory.set(DATA, data);
  linux.dma(0xca, 2000, 8, false);
  assertEquals([linux.accesses, linux.disk.log], [26, ["write 2000+8"]]);
  assertEquals(linux.disk.sectors(2000, 8), data);
});

Deno.test("IdeChannel serves Linux's 48-bit DMA read in 31 accesses", () => {
  const linux = new Libata();
  linux.dma(0x25, 1000, 0x48, true);
  assertEquals([linux.accesses, linux.disk.log], [31, ["read 1000+72"]]);
});

Deno.test("IdeChannel serves Linux's FLUSH in 12 accesses", () => {
  for (const command of [0xe7, 0xea]) {
    const linux = new Libata();
    linux.select();
    linux.write(0x1f6, 0xa0);
    linux.read(0x1f7);
    linux.write(0x1f7, command);
    linux.read(0x3f6);
    linux.disk.complete();
    assertEquals(linux.ide.line.edges, 1);
    linux.endInterrupt();
    assertEquals(linux.accesses, 12);
    assertEquals(linux.seen, [0x50, 0x50, 0x50, 0x50, 0xd0, 0x50, 0x50, 0x04]);
  }
});

Deno.test("IdeChannel serves Linux's READ MULTIPLE in 14 accesses and 5 for each block", () => {
  for (const [sectors, blocks, accesses] of [[8, 1, 19], [128, 8, 54]] as const) {
    const linux = new Libata();
    linux.select();
    linux.taskfile(2000, sectors, false);
    linux.write(0x1f7, 0xc4);
    linux.read(0x3f6);
    linux.disk.complete();
    for (let block = 0, left: number = sectors; block < blocks; block++, left -= 16) {
      assertEquals(linux.ide.line.edges, block + 1);
      linux.read(BM + 2, 0x3f6, 0x1f7);
      const first = 2000 + block * 16;
      const now = Math.min(left, 16);
      assertEquals(linux.ide.insl(now * 128), linux.disk.sectors(first, now));
      linux.read(0x3f6);
      linux.write(BM + 2, 0x04);
    }
    linux.read(0x1f7); // Linux's are 13 before the first block and this one
    assertEquals([linux.accesses, linux.seen.at(-1)], [accesses, 0x50]);
    assertEquals(linux.ide.line.edges, blocks);
  }
});
