import { assertEquals } from "@std/assert";
import { BenchDisk, BenchMemory, BM, IdeBench } from "../../helpers/ide.ts";

const SECTOR = 512;

function bench(sectors = 64): { disk: BenchDisk; ide: IdeBench } {
  const disk = new BenchDisk(sectors);
  return { disk, ide: new IdeBench({ master: disk }) };
}

function bytes(length: number, seed: number): Uint8Array {
  return new Uint8Array(length).map((_, i) => i * seed + 3);
}

Deno.test("IdeChannel takes xv6's write when the data follows the command without polling", () => {
  const { disk, ide } = bench();
  const data = bytes(SECTOR, 5);
  assertEquals(ide.in8(0x1f7), 0x50);
  ide.out8(0x3f6, 0);
  ide.lba28(0x30, 9, 1);
  assertEquals(ide.line.edges, 0); // an interrupt here would say that the write is done
  ide.outsl(data);
  assertEquals(ide.in8(0x3f6), 0xd0);
  disk.complete();
  assertEquals(ide.line.edges, 1);
  assertEquals(disk.sectors(9, 1), data);
  // xv6 does not read the status; the next command must still make an edge.
  ide.lba28(0x20, 9, 1);
  assertEquals(ide.line.level, false);
  disk.complete();
  assertEquals(ide.line.edges, 2);
  assertEquals(ide.in8(0x1f7), 0x58);
  assertEquals(ide.insl(128), data);
  assertEquals(ide.in8(0x1f7), 0x50);
});

Deno.test("IdeChannel transfers when Start comes before the DMA command", () => {
  const { disk, ide } = bench();
  const data = bytes(SECTOR * 2, 11);
  ide.memory.set(0x3000, data);
  ide.prds(0x8000, [[0x3000, SECTOR * 2]]);
  ide.out32(BM + 4, 0x8000);
  ide.out8(BM, 0x01);
  assertEquals(disk.log, []);
  ide.lba28(0xca, 4, 2);
  disk.complete();
  assertEquals(disk.sectors(4, 2), data);
  assertEquals(ide.in8(BM + 2), 0x04);
  assertEquals(ide.memory.wroteAt, []);
});

Deno.test("IdeChannel passes SeaBIOS's detection", () => {
  const { ide } = bench();
  assertEquals(ide.in8(0x1f7), 0x50);
  ide.out8(0x1f6, 0xa0);
  assertEquals(ide.in8(0x1f7), 0x50);
  ide.out8(0x1f6, 0xa0);
  assertEquals(ide.in8(0x1f6), 0xa0);
  ide.out8(0x1f2, 0x55);
  ide.out8(0x1f3, 0xaa);
  assertEquals([ide.in8(0x1f2), ide.in8(0x1f3)], [0x55, 0xaa]);
  ide.out8(0x3f6, 0x0e);
  assertEquals(ide.in8(0x1f7), 0x80);
  ide.out8(0x3f6, 0x0a);
  assertEquals(ide.in8(0x1f7), 0x50);
  ide.out8(0x1f6, 0xa0);
  ide.out8(0x3f6, 0x08);
  assertEquals(ide.registers(), [0x01, 0x01, 0x01, 0x00, 0x00, 0xa0]);
  ide.out8(0x3f6, 0x0a);
  ide.out8(0x1f7, 0xa1);
  assertEquals([ide.in8(0x1f7), ide.in8(0x1f1)], [0x51, 0x04]);
  ide.out8(0x1f7, 0xec);
  assertEquals(ide.in8(0x1f7), 0x58);
  const words = new Uint16Array(ide.insl(128).buffer);
  assertEquals([words[0], words[49]! & 0x200, words[60]], [0x0040, 0x200, 64]);
  assertEquals(ide.in8(0x1f7), 0x50);
  assertEquals([ide.line.edges, ide.errors], [0, []]);
});

Deno.test("IdeChannel reads n sectors with one interrupt before each block", () => {
  const { disk, ide } = bench();
  ide.lba28(0x20, 10, 3);
  assertEquals(ide.in8(0x3f6), 0xd0);
  disk.complete();
  for (let i = 0; i < 3; i++) {
    assertEquals(ide.line.edges, i + 1);
    assertEquals(ide.in8(0x1f7), 0x58);
    assertEquals(ide.insl(128), disk.sectors(10 + i, 1));
  }
  assertEquals([ide.in8(0x1f7), ide.line.edges], [0x50, 3]);
  assertEquals(ide.registers(), [0, 0, 13, 0, 0, 0xe0]);
  assertEquals(disk.log, ["read 10+3"]);
});

Deno.test("IdeChannel reads a whole 28-bit command ahead, a longer one 128 KiB at a time", () => {
  const { disk, ide } = bench(512);
  ide.lba28(0x20, 4, 256);
  disk.complete();
  for (let i = 0; i < 256; i++) {
    assertEquals([ide.in8(0x1f7), ide.in8(0x1f3)], [0x58, 5 + i & 0xff]);
    assertEquals(ide.insl(128), disk.sectors(4 + i, 1));
  }
  ide.lba48(0x24, 3, 300);
  for (let i = 0; i < 300; i++) {
    if (i === 0 || i === 256) {
      assertEquals(ide.in8(0x1f7), 0xd0);
      disk.complete();
    }
    assertEquals(ide.insl(128), disk.sectors(3 + i, 1));
  }
  assertEquals(ide.in8(0x1f7), 0x50);
  assertEquals(disk.log, ["read 4+256", "read 3+256", "read 259+44"]);
});

Deno.test("IdeChannel delivers what was read ahead of a bad sector, then UNC", () => {
  const { disk, ide } = bench();
  disk.status = "error";
  disk.failedAt = 8;
  ide.lba28(0x20, 6, 5);
  disk.complete();
  for (let i = 6; i < 8; i++) assertEquals(ide.insl(128), disk.sectors(i, 1));
  assertEquals([ide.in8(0x1f7), ide.line.edges], [0x51, 1]);
  assertEquals(ide.registers(), [0x40, 3, 8, 0, 0, 0xe0]);
  assertEquals(disk.log, ["read 6+5"]);
});

Deno.test("IdeChannel names the bad sector inside a MULTIPLE block or a DMA transfer", () => {
  const { disk, ide } = bench();
  disk.status = "error";
  disk.failedAt = 21;
  ide.lba28(0xc4, 0, 32);
  disk.complete();
  ide.insl(16 * 128);
  assertEquals([ide.in8(0x1f7), ide.registers()], [0x51, [0x40, 11, 21, 0, 0, 0xe0]]);
  ide.prds(0x8000, [[0x3000, 4096]]);
  ide.out32(BM + 4, 0x8000);
  ide.lba28(0xc8, 16, 8);
  ide.out8(BM, 0x09);
  disk.complete();
  assertEquals([ide.in8(0x1f7), ide.registers()], [0x51, [0x40, 3, 21, 0, 0, 0xe0]]);
  assertEquals(ide.in8(BM + 2), 0x04);
});

Deno.test("IdeChannel answers ABRT when the disk refuses", () => {
  const { disk, ide } = bench();
  disk.status = "aborted";
  ide.lba28(0x20, 6, 2);
  disk.complete();
  assertEquals([ide.in8(0x1f7), ide.registers()], [0x51, [0x04, 2, 6, 0, 0, 0xe0]]);
});

Deno.test("IdeChannel is busy when the disk hangs behind the first sectors of a PIO read", () => {
  const { disk, ide } = bench();
  disk.status = "timeout";
  disk.failedAt = 17;
  ide.lba28(0x20, 16, 8);
  disk.complete();
  assertEquals(ide.insl(128), disk.sectors(16, 1));
  assertEquals([ide.in8(0x1f7), ide.line.edges, disk.log], [0xd0, 1, ["read 16+8"]]);
});

Deno.test("IdeChannel hangs without an interrupt when the disk does, until SRST", () => {
  const { disk, ide } = bench();
  ide.prds(0x8000, [[0x3000, 4096]]);
  ide.out32(BM + 4, 0x8000);
  disk.status = "timeout";
  ide.lba28(0xc8, 16, 8);
  ide.out8(BM, 0x09);
  disk.complete();
  assertEquals(ide.in8(BM + 2), 0x01, "the transfer goes on");
  ide.out8(BM, 0x08);
  ide.out8(BM, 0x09);
  assertEquals([ide.in8(0x1f7), ide.line.edges, disk.log], [0x58, 0, ["read 16+8"]]);
  ide.out8(0x3f6, 0x04);
  ide.out8(0x3f6, 0x00);
  disk.status = "ok";
  ide.lba28(0xc8, 16, 8);
  disk.complete();
  assertEquals([ide.in8(0x1f7), ide.line.edges], [0x50, 1]);
});

Deno.test("IdeChannel writes n sectors with one interrupt after each block", () => {
  const { disk, ide } = bench();
  const data = bytes(SECTOR * 3, 17);
  ide.lba28(0x30, 10, 3);
  for (let i = 0; i < 3; i++) {
    assertEquals([ide.in8(0x1f7), ide.line.edges], [0x58, i]);
    ide.outsl(data.subarray(i * SECTOR, (i + 1) * SECTOR));
    disk.complete();
    assertEquals(ide.line.edges, i + 1);
  }
  assertEquals(ide.in8(0x1f7), 0x50);
  assertEquals(disk.sectors(10, 3), data);
});

Deno.test("IdeChannel ends a write when it is durable, once the write cache is switched off", () => {
  const { disk, ide } = bench();
  ide.out8(0x1f1, 0x82);
  ide.out8(0x1f7, 0xef);
  assertEquals([ide.in8(0x1f7), disk.log], [0xd0, ["flush 0+0"]], "what has been written before");
  disk.complete();
  assertEquals([ide.in8(0x1f7), ide.line.edges], [0x50, 1]);
  ide.lba28(0x30, 10, 2);
  for (let i = 0; i < 2; i++) {
    ide.outsl(bytes(SECTOR, i));
    disk.complete();
  }
  assertEquals([ide.in8(0x1f7), ide.line.edges], [0xd0, 2], "the first block is done");
  disk.complete();
  assertEquals([ide.in8(0x1f7), ide.line.edges], [0x50, 3]);
  ide.prds(0x8000, [[0x3000, SECTOR]]);
  ide.out32(BM + 4, 0x8000);
  ide.out8(BM, 0x01);
  ide.lba28(0xca, 20, 1);
  disk.complete();
  assertEquals([ide.in8(0x1f7), ide.line.edges], [0xd0, 3]);
  disk.status = "error";
  disk.complete();
  assertEquals([ide.in8(0x1f7), ide.in8(0x1f1), ide.line.edges], [0x71, 0x04, 4]);
  const flush = ["flush 12+0", "write 20+1", "flush 21+0"];
  assertEquals(disk.log.slice(1), ["write 10+1", "write 11+1", ...flush]);
});

Deno.test("IdeChannel cuts MULTIPLE commands into blocks, the last one shorter", () => {
  const { disk, ide } = bench();
  ide.lba28(0xc6, 0, 4);
  assertEquals(ide.in8(0x1f7), 0x50);
  ide.lba28(0xc4, 2, 10);
  disk.complete();
  for (const sectors of [4, 4, 2]) {
    assertEquals(ide.in8(0x1f7), 0x58);
    ide.insl(sectors * 128);
  }
  const data = bytes(SECTOR * 5, 29);
  ide.lba48(0x39, 20, 5);
  for (const [from, to] of [[0, 4], [4, 5]] as const) {
    ide.outsl(data.subarray(from * SECTOR, to * SECTOR));
    disk.complete();
  }
  assertEquals(disk.log, ["read 2+10", "write 20+4", "write 24+1"]);
  assertEquals(disk.sectors(20, 5), data);
});

Deno.test("IdeChannel aborts MULTIPLE commands when the setting is 0 or not possible", () => {
  const { ide } = bench();
  for (const [count, status] of [[3, 0x51], [32, 0x51], [0, 0x50]] as const) {
    ide.lba28(0xc6, 0, count);
    assertEquals(ide.in8(0x1f7), status);
  }
  ide.lba28(0xc4, 0, 1);
  assertEquals([ide.in8(0x1f7), ide.in8(0x1f1)], [0x51, 0x04]);
});

Deno.test("IdeChannel moves 256 or 65536 sectors when the count is 0", () => {
  const disk = new BenchDisk(65536);
  const ide = new IdeBench({ master: disk }, new BenchMemory(16));
  ide.prds(0x1000, Array.from({ length: 4 }, () => [0x4000, 0x8000]));
  ide.out32(BM + 4, 0x1000);
  ide.out8(BM, 9);
  ide.lba28(0xc8, 0, 0);
  disk.complete();
  assertEquals(ide.in8(BM + 2), 0x04);
  ide.out8(BM, 8);
  ide.prds(0x0000, Array.from({ length: 1024 }, () => [0x6000, 0x8000]));
  ide.out32(BM + 4, 0x0000);
  ide.out8(BM, 9);
  ide.lba48(0x25, 0, 0);
  disk.complete();
  assertEquals(ide.in8(BM + 2), 0x04);
  assertEquals(disk.log, ["read 0+256", "read 0+65536"]);
});

Deno.test("IdeChannel reads a 48-bit address back through HOB until a register is written", () => {
  const { ide } = bench();
  ide.lba48(0x42, 0x665544332211, 0x0807); // READ VERIFY far beyond the end
  assertEquals([ide.in8(0x1f7), ide.in8(0x1f1)], [0x51, 0x10]);
  assertEquals(ide.registers().slice(1), [0x07, 0x11, 0x22, 0x33, 0xe0]);
  ide.out8(0x3f6, 0x80);
  assertEquals(ide.registers(), [0x10, 0x08, 0x44, 0x55, 0x66, 0xe0]);
  ide.out8(0x1f2, 0x99);
  assertEquals(ide.in8(0x1f2), 0x99);
  ide.out8(0x3f6, 0x80);
  assertEquals(ide.in8(0x1f2), 0x07);
});

Deno.test("IdeChannel delivers the sectors before the end of the disk, then IDNF", () => {
  const { disk, ide } = bench();
  ide.lba28(0x20, 62, 5);
  disk.complete();
  for (let i = 0; i < 2; i++) {
    assertEquals(ide.in8(0x1f7), 0x58);
    assertEquals(ide.insl(128), disk.sectors(62 + i, 1));
  }
  assertEquals(ide.line.edges, 3);
  assertEquals(ide.in8(0x1f7), 0x51);
  assertEquals(ide.registers(), [0x10, 3, 64, 0, 0, 0xe0]);
  assertEquals(ide.errors, [
    "READ SECTORS (20): sectors 64+3 reach past the end of the disk",
  ]);
});

Deno.test("IdeChannel names the first bad sector when a MULTIPLE block runs past the end", () => {
  const { disk, ide } = bench();
  ide.lba28(0xc4, 40, 32);
  disk.complete();
  assertEquals(ide.insl(16 * 128), disk.sectors(40, 16));
  assertEquals(ide.in8(0x1f7), 0x51);
  assertEquals(ide.registers(), [0x10, 8, 64, 0, 0, 0xe0]);
  assertEquals(disk.log, ["read 40+24"]);
});

Deno.test("IdeChannel writes the sectors before the end by DMA, then IDNF", () => {
  const { disk, ide } = bench();
  const data = bytes(SECTOR * 4, 31);
  ide.memory.set(0x3000, data);
  ide.prds(0x8000, [[0x3000, SECTOR * 4]]);
  ide.out32(BM + 4, 0x8000);
  ide.out8(BM, 1);
  ide.lba28(0xca, 62, 4);
  disk.complete();
  assertEquals([ide.in8(0x1f7), ide.in8(BM + 2)], [0x51, 0x04]);
  assertEquals(ide.registers(), [0x10, 2, 64, 0, 0, 0xe0]);
  assertEquals(disk.sectors(62, 2), data.subarray(0, 2 * SECTOR));
  ide.lba28(0xca, 64, 1);
  assertEquals([ide.in8(0x1f7), disk.log], [0x51, ["write 62+2"]]);
});

Deno.test("IdeChannel translates CHS and refuses a sector number that does not exist", () => {
  const { disk, ide } = bench(4096);
  const chs = (command: number, cylinder: number, head: number, sector: number) => {
    [1, sector, cylinder & 0xff, cylinder >>> 8, 0xa0 | head].forEach((value, i) =>
      ide.out8(0x1f2 + i, value)
    );
    ide.out8(0x1f7, command);
  };
  chs(0x20, 1, 2, 63);
  disk.complete();
  assertEquals(ide.insl(128), disk.sectors((1 * 16 + 2) * 63 + 62, 1));
  assertEquals(ide.registers(), [0, 0, 1, 1, 0, 0xa3]);
  for (const sector of [0, 64]) {
    chs(0x20, 0, 0, sector);
    assertEquals([ide.in8(0x1f7), ide.in8(0x1f1)], [0x51, 0x10]);
  }
  ide.out8(0x1f2, 17); // INITIALIZE DEVICE PARAMETERS: 4 heads of 17 sectors
  ide.out8(0x1f6, 0xa3);
  ide.out8(0x1f7, 0x91);
  chs(0x20, 2, 3, 5);
  disk.complete();
  assertEquals(disk.log, ["read 1196+1", "read 191+1"]);
});

Deno.test("IdeChannel answers for an absent slave as QEMU does", () => {
  const { ide } = bench();
  ide.out8(0x1f6, 0xf0);
  assertEquals([ide.in8(0x1f7), ide.in8(0x3f6)], [0, 0]);
  for (const [first, second] of [[0x55, 0xaa], [0xaa, 0x55], [0x55, 0xaa]] as const) {
    ide.out8(0x1f2, first);
    ide.out8(0x1f3, second);
  }
  assertEquals(ide.registers(), [0, 0x55, 0xaa, 0xff, 0xff, 0xf0]);
  ide.out8(0x1f7, 0xec);
  assertEquals([ide.in8(0x1f7), ide.line.edges, ide.in32(0x1f0)], [0, 0, 0]);
  ide.out8(0x3f6, 0x0c);
  ide.out8(0x3f6, 0x08);
  ide.out8(0x1f6, 0xb0);
  assertEquals(ide.registers(), [0, 1, 1, 0xff, 0xff, 0xb0]);
});

Deno.test("IdeChannel reads 0 everywhere when no drive is attached", () => {
  const ide = new IdeBench({});
  ide.out8(0x1f2, 0x55);
  ide.out8(0x1f6, 0xf0);
  ide.out8(0x1f7, 0x90);
  assertEquals([...ide.registers(), ide.in8(0x1f7), ide.in8(0x3f6)], [0, 0, 0, 0, 0, 0, 0, 0]);
  assertEquals([ide.in32(0x1f0), ide.insl(1), ide.line.edges], [0, new Uint8Array(4), 0]);
});

Deno.test("IdeChannel runs a command on the selected drive alone", () => {
  const [master, slave] = [new BenchDisk(64), new BenchDisk(128)];
  const ide = new IdeBench({ master, slave });
  ide.lba28(0x20, 100, 1, 1);
  slave.complete();
  assertEquals(ide.insl(128), slave.sectors(100, 1));
  assertEquals([master.log, slave.log], [[], ["read 100+1"]]);
  ide.out8(0x1f6, 0xe0);
  assertEquals(ide.in8(0x1f2), 1); // the master's copy still has what was written
});

Deno.test("IdeChannel forgets an event that comes while nIEN is set", () => {
  const { disk, ide } = bench();
  ide.out8(0x3f6, 0x02);
  ide.lba28(0x20, 0, 1);
  disk.complete();
  assertEquals([ide.line.edges, ide.in8(BM + 2)], [0, 0]);
  ide.out8(0x3f6, 0x00);
  assertEquals([ide.line.edges, ide.in8(0x1f7)], [0, 0x58]);
});

Deno.test("IdeChannel keeps INTRQ up until Status is read, not Alternate Status", () => {
  const { ide } = bench();
  ide.out8(0x1f7, 0xef);
  ide.in8(0x3f6);
  assertEquals(ide.line.level, true);
  ide.in8(0x1f7);
  assertEquals(ide.line.level, false);
});

Deno.test("IdeChannel drops a command on SRST and stays busy until its disk is done", () => {
  const { disk, ide } = bench();
  ide.out8(0x1f6, 0xf0);
  ide.lba28(0x20, 5, 4);
  ide.out8(0x3f6, 0x04);
  ide.out8(0x3f6, 0x00);
  assertEquals(ide.in8(0x1f7), 0x80);
  ide.out8(0x1f7, 0xec);
  assertEquals(ide.in8(0x1f7), 0x80);
  disk.complete();
  assertEquals(ide.in8(0x1f7), 0x50);
  assertEquals(ide.registers(), [1, 1, 1, 0, 0, 0xa0]);
  assertEquals([ide.line.edges, disk.queue.length], [0, 0]);
  assertEquals(ide.errors, ["Command ec: the drive is busy"]);
});

Deno.test("IdeChannel drops a half-written block on SRST at once", () => {
  const { disk, ide } = bench();
  ide.lba28(0x30, 5, 1);
  ide.outsl(bytes(256, 3));
  ide.out8(0x3f6, 0x04);
  ide.out8(0x3f6, 0x00);
  assertEquals([ide.in8(0x1f7), disk.log], [0x50, []]);
  ide.outsl(bytes(256, 3));
  assertEquals(disk.log, []);
});

Deno.test("IdeChannel runs EXECUTE DEVICE DIAGNOSTIC on both drives whichever is selected", () => {
  const { ide } = bench();
  ide.out8(0x1f6, 0xf0);
  ide.out8(0x1f7, 0x90);
  assertEquals(ide.line.edges, 1);
  assertEquals(ide.in8(0x1f7), 0x50);
  assertEquals(ide.registers(), [1, 1, 1, 0, 0, 0xa0]);
});

Deno.test("IdeChannel keeps Active when the PRD table is longer than the command", () => {
  const { disk, ide } = bench();
  ide.prds(0x8000, [[0x3000, SECTOR], [0x5000, SECTOR]]);
  ide.out32(BM + 4, 0x8000);
  ide.out8(BM, 9);
  ide.lba28(0xc8, 0, 1);
  disk.complete();
  assertEquals([ide.in8(BM + 2), ide.in8(0x1f7)], [0x05, 0x50]);
  ide.out8(BM, 8);
  assertEquals(ide.in8(BM + 2), 0x04);
});

Deno.test("IdeChannel raises no interrupt when the PRD table is shorter than the command", () => {
  const { disk, ide } = bench();
  ide.prds(0x8000, [[0x3000, SECTOR]]);
  ide.out32(BM + 4, 0x8000);
  ide.out8(BM, 9);
  ide.lba28(0xc8, 0, 2);
  assertEquals([ide.in8(BM + 2), ide.in8(0x3f6), ide.line.edges], [0x00, 0x50, 0]);
  assertEquals([disk.log, ide.errors], [[], ["READ DMA (c8): PRD table ends before 1024 bytes"]]);
});

Deno.test("IdeChannel ends with a bus-master error when a PRD names no memory", () => {
  const { disk, ide } = bench();
  ide.prds(0x8000, [[0x3000, SECTOR], [0xf0000000, SECTOR]]);
  ide.out32(BM + 4, 0x8000);
  ide.out8(BM, 9);
  ide.lba28(0xc8, 0, 2);
  assertEquals([ide.in8(BM + 2), ide.in8(0x1f7), ide.in8(0x1f1)], [0x06, 0x51, 0x04]);
  assertEquals([disk.log, ide.errors.length], [[], 1]);
});

Deno.test("IdeChannel moves the whole transfer when the host clears Start in the middle", () => {
  const { disk, ide } = bench();
  ide.prds(0x8000, [[0x3000, SECTOR]]);
  ide.out32(BM + 4, 0x8000);
  ide.out8(BM, 9);
  ide.lba28(0xc8, 7, 1);
  ide.out8(BM, 8);
  assertEquals(ide.in8(BM + 2), 0);
  disk.complete();
  assertEquals([ide.in8(BM + 2), ide.in8(0x1f7)], [0x04, 0x50]);
  assertEquals(ide.memory.slice(0x3000, SECTOR), disk.sectors(7, 1));
});

Deno.test("IdeChannel submits a transfer once when the host sets Start again in the middle", () => {
  const { disk, ide } = bench();
  ide.prds(0x8000, [[0x3000, SECTOR]]);
  ide.out32(BM + 4, 0x8000);
  ide.out8(BM, 9);
  ide.lba28(0xc8, 7, 1);
  ide.out8(BM, 8);
  ide.out8(BM, 9);
  disk.complete();
  assertEquals([ide.in8(BM + 2), disk.log], [0x04, ["read 7+1"]]);
});

Deno.test("IdeChannel begins a transfer when Start changes to 1, as it does in QEMU", () => {
  const { disk, ide } = bench();
  ide.prds(0x8000, [[0x3000, SECTOR]]);
  ide.out32(BM + 4, 0x8000);
  ide.out8(BM, 9);
  ide.lba28(0xc8, 5, 1);
  disk.complete();
  assertEquals([ide.in8(0x1f7), ide.in8(BM), ide.in8(BM + 2)], [0x50, 9, 0x04]);
  ide.lba28(0xc8, 6, 1);
  ide.out8(BM, 9);
  assertEquals([ide.in8(0x1f7), ide.in8(BM + 2), disk.log], [0x58, 0x04, ["read 5+1"]]);
  ide.out8(BM, 8);
  ide.out8(BM, 9);
  disk.complete();
  assertEquals([ide.in8(0x1f7), ide.memory.slice(0x3000, SECTOR)], [0x50, disk.sectors(6, 1)]);
});

Deno.test("IdeChannel leaves the bus master to the commands that use it", () => {
  const { ide } = bench();
  ide.out8(BM, 9);
  ide.out8(0x1f7, 0xa1);
  assertEquals([ide.in8(0x1f7), ide.in8(BM + 2)], [0x51, 0x05]);
});

Deno.test("IdeChannel is busy until FLUSH CACHE is durable", () => {
  const { disk, ide } = bench();
  for (const command of [0xe7, 0xea]) {
    ide.out8(0x1f7, command);
    assertEquals(ide.in8(0x3f6), 0xd0);
    disk.complete();
    assertEquals(ide.in8(0x1f7), 0x50);
  }
  assertEquals([disk.log, ide.line.edges], [["flush 0+0", "flush 0+0"], 2]);
});

Deno.test("IdeChannel reports media errors as UNC on reads and as device fault on writes", () => {
  const { disk, ide } = bench();
  disk.status = "error";
  ide.lba28(0x20, 6, 2);
  disk.complete();
  assertEquals(ide.in8(0x1f7), 0x51);
  assertEquals(ide.registers(), [0x40, 2, 6, 0, 0, 0xe0]);
  ide.lba28(0x30, 6, 1);
  ide.outsl(bytes(SECTOR, 1));
  disk.complete();
  assertEquals([ide.in8(0x1f7), ide.in8(0x1f1)], [0x71, 0x04]);
  ide.out8(0x1f7, 0xe7);
  disk.complete();
  assertEquals([ide.in8(0x1f7), ide.in8(0x1f1)], [0x71, 0x04]);
});

Deno.test("IdeChannel aborts writes when the disk is read-only", () => {
  const disk = new BenchDisk(64, true);
  const ide = new IdeBench({ master: disk });
  for (const command of [0x30, 0xc5, 0xca]) {
    ide.lba28(command, 0, 1);
    assertEquals([ide.in8(0x1f7), ide.in8(0x1f1)], [0x51, 0x04]);
  }
  assertEquals([disk.log, ide.errors.length], [[], 3]);
});

Deno.test("IdeChannel aborts a command that it does not have and tells of it", () => {
  const { ide } = bench();
  ide.out8(0x1f7, 0xb1);
  assertEquals(ide.line.edges, 1);
  assertEquals([ide.in8(0x1f7), ide.in8(0x1f1)], [0x51, 0x04]);
  assertEquals(ide.errors, ["Command b1: not supported"]);
});

Deno.test("IdeChannel ignores register writes and commands while a block is open", () => {
  const { disk, ide } = bench();
  ide.lba28(0x20, 3, 1);
  disk.complete();
  ide.out8(0x1f6, 0xf0);
  ide.out8(0x1f3, 0x77);
  ide.out8(0x1f7, 0x20);
  assertEquals([ide.in8(0x1f6), ide.in8(0x1f3)], [0xe0, 4]);
  assertEquals(ide.insl(128), disk.sectors(3, 1));
});

Deno.test("IdeChannel.detach() lets a write reach the disk and empties the position", () => {
  const { disk, ide } = bench();
  const data = bytes(SECTOR, 23);
  ide.lba28(0x30, 8, 1);
  ide.outsl(data);
  ide.channel.detach(0);
  assertEquals([ide.in8(0x1f7), ide.in8(0x1f6)], [0, 0]);
  disk.complete();
  assertEquals(disk.sectors(8, 1), data);
  assertEquals([ide.in8(0x1f7), ide.line.edges], [0, 0]);
});

Deno.test("IdeChannel.detach() keeps the other drive busy until the buffer is free", () => {
  const [master, slave] = [new BenchDisk(64), new BenchDisk(64)];
  const ide = new IdeBench({ master, slave });
  ide.lba28(0x20, 8, 1);
  ide.channel.detach(0);
  assertEquals(ide.in8(0x1f7), 0);
  ide.out8(0x1f6, 0xf0);
  assertEquals(ide.in8(0x1f7), 0x80);
  master.complete();
  assertEquals(ide.in8(0x1f7), 0x50);
  ide.lba28(0x20, 9, 1, 1);
  slave.complete();
  assertEquals(ide.insl(128), slave.sectors(9, 1));
});
