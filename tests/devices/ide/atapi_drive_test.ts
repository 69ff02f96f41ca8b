import { assertEquals } from "@std/assert";
import { BUFFER, CdBench } from "../../helpers/atapi.ts";
import { BM } from "../../helpers/ide.ts";

const READ_10 = (block: number, count: number): number[] => {
  return [0x28, 0, 0, 0, block >>> 8, block & 0xff, 0, count >>> 8, count & 0xff];
};

function word(data: Uint8Array, index: number): number {
  return data[index * 2]! | data[index * 2 + 1]! << 8;
}

Deno.test("AtapiDrive shows its signature after power-on, reset, diagnostic and IDENTIFY DEVICE", () => {
  const resets: ((cd: CdBench) => void)[] = [
    () => {},
    ({ ide }) => [0x0c, 0x08].forEach((value) => ide.out8(0x3f6, value)),
    ({ ide }) => ide.out8(0x1f7, 0x90),
    ({ ide }) => ide.out8(0x1f7, 0x08),
  ];
  for (const reset of resets) {
    const cd = new CdBench(4);
    for (let offset = 2; offset < 6; offset++) cd.ide.out8(0x1f0 + offset, 0x55);
    reset(cd);
    if (reset === resets[0]) cd.ide.channel.reset();
    assertEquals(cd.ide.registers(), [0x01, 1, 1, 0x14, 0xeb, 0xa0]);
    assertEquals(cd.ide.in8(0x1f7), 0x00);
  }
  const slave = new CdBench(4, 1);
  slave.ide.out8(0x1f7, 0xec);
  assertEquals(slave.ide.registers(), [0x04, 1, 1, 0x14, 0xeb, 0xb0]);
  assertEquals(slave.ide.in8(0x1f7), 0x41);
});

Deno.test("AtapiDrive answers IDENTIFY PACKET DEVICE with one interrupt", () => {
  const { ide } = new CdBench(4);
  ide.out8(0x1f7, 0xa1);
  assertEquals([ide.line.edges, ide.in8(0x1f7)], [1, 0x58]);
  const data = ide.insl(128);
  assertEquals([ide.line.edges, ide.in8(0x1f7)], [1, 0x50]);
  assertEquals([0, 49, 53, 63, 80, 88].map((index) => word(data, index)), [
    0x85c0,
    0x0300,
    0x0007,
    0x0007,
    0x001e,
    0x203f,
  ]);
  assertEquals([20, 21, 22, 48].map((index) => word(data, index)), [3, 0x200, 4, 1]);
  assertEquals(String.fromCharCode(...data.subarray(54, 66)), "EQUMD DVR-MO");
});

Deno.test("AtapiDrive records the transfer mode and aborts other features and disk commands", () => {
  const { ide } = new CdBench(4);
  const command = (opcode: number, features = 0, count = 0): number[] => {
    ide.out8(0x1f1, features);
    ide.out8(0x1f2, count);
    ide.out8(0x1f7, opcode);
    return [ide.in8(0x1f1), ide.in8(0x1f7)];
  };
  assertEquals(command(0xef, 0x03, 0x42), [0, 0x50]);
  assertEquals(command(0xef, 0x02), [4, 0x41]);
  assertEquals(command(0xc8), [4, 0x41]);
  assertEquals(command(0xe5), [0, 0x50]);
  assertEquals(ide.in8(0x1f2), 0xff);
  ide.out8(0x1f7, 0xa1);
  assertEquals(word(ide.insl(128), 88), 0x043f);
  assertEquals(command(0xef, 0x03, 0x11), [0, 0x50]);
  ide.out8(0x1f7, 0xa1);
  assertEquals(word(ide.insl(128), 62), 0x0207);
});

Deno.test("AtapiDrive takes a packet without an interrupt and says what it waits for", () => {
  const { ide, disc } = new CdBench(8);
  ide.out8(0x1f5, 0x10);
  ide.out8(0x1f7, 0xa0);
  assertEquals([ide.line.edges, ide.in8(0x1f7), ide.in8(0x1f2)], [0, 0x58, 1]);
  ide.outsl(Uint8Array.of(...READ_10(3, 2), 0, 0, 0));
  assertEquals([ide.line.edges, ide.in8(0x1f7)], [0, 0xd0]);
  assertEquals(disc.log, ["read 12+8"]);
  disc.complete();
  assertEquals([ide.line.edges, ide.in8(0x1f7), ide.in8(0x1f2)], [1, 0x58, 2]);
  assertEquals([ide.in8(0x1f4), ide.in8(0x1f5)], [0, 0x10]);
  assertEquals(ide.insl(1024), disc.sectors(12, 8));
  assertEquals([ide.line.edges, ide.in8(0x1f2), ide.in8(0x1f7)], [2, 3, 0x50]);
});

Deno.test("AtapiDrive cuts data into bursts of the byte count limit", () => {
  for (
    const [limit, bursts] of [
      [0xffff, [3 * 2048]],
      [4096, [4096, 2048]],
      [5000, [4096, 2048]],
      [2048, [2048, 2048, 2048]],
      [1500, [1500, 548, 1500, 548, 1500, 548]],
      [1025, [1024, 1024, 1024, 1024, 1024, 1024]],
    ] as const
  ) {
    const cd = new CdBench(8);
    const result = cd.pio(READ_10(2, 3), limit);
    assertEquals(result.bursts, bursts);
    assertEquals(result.data, cd.blocks(2, 3));
    assertEquals([result.status, result.reason], [0x50, 3]);
  }
});

Deno.test("AtapiDrive reads more than its buffer in several bursts", () => {
  const cd = new CdBench(70);
  const result = cd.pio([0xa8, 0, 0, 0, 0, 1, 0, 0, 0, 64]);
  assertEquals(result.bursts, [31 * 2048, 31 * 2048, 2 * 2048]);
  assertEquals(result.data, cd.blocks(1, 64));
});

Deno.test("AtapiDrive gives an odd length in whole words", () => {
  const cd = new CdBench(4);
  const inquiry = cd.pio([0x12, 0, 0, 0, 5]);
  assertEquals([[...inquiry.data], inquiry.bursts], [[5, 0x80, 0, 0x21, 31], [5]]);
  const dma = cd.dma([0x12, 0, 0, 0, 5], 6);
  assertEquals([[...dma.data], dma.status], [[5, 0x80, 0, 0x21, 31, 0], 0x50]);
});

Deno.test("AtapiDrive gives in one burst what an odd byte count limit has room for, as in QEMU", () => {
  const cd = new CdBench(4);
  const bursts = (limit: number, length: number): readonly number[] => {
    return cd.pio([0x12, 0, 0, 0, length], limit).bursts;
  };
  assertEquals([bursts(5, 5), bursts(35, 35), bursts(35, 36)], [[5], [35], [34, 2]]);
  assertEquals([bursts(1, 1), bursts(3, 5)], [[1], [2, 2, 1]]);
  assertEquals(cd.pio(READ_10(0, 1), 2049).bursts, [2048]);
  assertEquals(cd.pio([0x12, 0, 0, 0, 2], 1).error, 0x54);
});

Deno.test("AtapiDrive aborts overlap, and PIO data without a byte count limit", () => {
  const cd = new CdBench(4);
  cd.ide.out8(0x1f1, 2);
  cd.ide.out8(0x1f7, 0xa0);
  assertEquals([cd.ide.in8(0x1f1), cd.ide.in8(0x1f7)], [4, 0x41]);
  const { status, error } = cd.pio(READ_10(0, 1), 0);
  assertEquals([status, error], [0x41, 0x54]);
  assertEquals(cd.sense(), [5, 0x24, 0]);
});

Deno.test("AtapiDrive reads by DMA, whichever of Start and packet comes first", () => {
  const cd = new CdBench(8);
  const result = cd.dma(READ_10(1, 4), 4 * 2048);
  assertEquals([result.data, result.status], [cd.blocks(1, 4), 0x50]);
  assertEquals(cd.ide.line.edges, 1);
  assertEquals(cd.ide.in8(BM + 2) & 7, 4);
  cd.ide.out8(BM, 8);
  cd.ide.out8(BM, 9);
  cd.start(READ_10(5, 1), 0, 1);
  cd.disc.complete();
  assertEquals(cd.ide.memory.slice(BUFFER, 2048), cd.blocks(5, 1));
});

Deno.test("AtapiDrive leaves a short PRD table without an interrupt, a table to nowhere with one", () => {
  const short = new CdBench(8);
  assertEquals(short.dma(READ_10(0, 2), 2048).status, 0x50);
  assertEquals([short.ide.line.edges, short.ide.in8(BM + 2) & 7], [0, 0]);
  const fault = new CdBench(8);
  fault.ide.prds(0x1000, [[0xf0000000, 2048]]);
  fault.ide.out32(BM + 4, 0x1000);
  fault.start(READ_10(0, 1), 0, 1);
  fault.ide.out8(BM, 9);
  assertEquals([fault.ide.in8(BM + 2) & 7, fault.ide.in8(0x1f7)], [6, 0x41]);
  assertEquals(fault.sense(), [0xb, 0x4b, 0]);
});

Deno.test("AtapiDrive tells a medium error of a block that the disc cannot read", () => {
  const cd = new CdBench(8);
  cd.disc.status = "error";
  const { status, error, reason } = cd.pio(READ_10(0, 1));
  assertEquals([status, error, reason], [0x41, 0x30, 3]);
  assertEquals(cd.sense(), [3, 0x11, 0]);
  assertEquals(cd.sense(), [0, 0, 0]);
});

Deno.test("AtapiDrive gives the blocks before a bad one, and names that", () => {
  const cd = new CdBench(16);
  cd.disc.status = "error";
  cd.disc.failedAt = 7 * 4 + 1;
  const { data, status } = cd.pio(READ_10(4, 6));
  assertEquals([data, status], [cd.blocks(4, 3), 0x41]);
  assertEquals([...cd.pio([0x03, 0, 0, 0, 18]).data.subarray(0, 8)], [0xf0, 0, 3, 0, 0, 0, 7, 10]);
  assertEquals(cd.dma(READ_10(4, 6), 6 * 2048).status, 0x41);
  assertEquals(cd.ide.memory.slice(BUFFER, 3 * 2048), cd.blocks(4, 3));
});

Deno.test("AtapiDrive gives up a command that its disc refuses, and hangs when that hangs", () => {
  const cd = new CdBench(16);
  cd.disc.status = "aborted";
  assertEquals(cd.pio(READ_10(0, 1)).error, 0xb4);
  assertEquals(cd.sense(), [0xb, 0, 0]);
  cd.disc.status = "timeout";
  cd.start(READ_10(0, 1));
  cd.disc.complete();
  assertEquals(cd.ide.in8(0x3f6), 0xd0);
  cd.ide.out8(0x3f6, 0x0c);
  cd.ide.out8(0x3f6, 0x08);
  cd.disc.status = "ok";
  assertEquals(cd.pio(READ_10(0, 1)).data, cd.blocks(0, 1));
  cd.disc.status = "timeout";
  assertEquals(cd.dma(READ_10(0, 1), 2048).status, 0x58);
  assertEquals(cd.ide.in8(BM + 2) & 0x01, 0x01, "the transfer goes on");
});

Deno.test("AtapiDrive drops a command at DEVICE RESET and is busy until its disc is done", () => {
  for (const features of [0, 1]) {
    const cd = new CdBench(8);
    cd.ide.prds(0x1000, [[BUFFER, 2048]]);
    cd.ide.out32(BM + 4, 0x1000);
    cd.ide.out8(BM, 9);
    cd.start(READ_10(0, 1), 2048, features);
    cd.ide.out8(0x1f7, 0x08);
    assertEquals(cd.ide.in8(0x3f6), 0x80);
    cd.disc.complete();
    assertEquals([cd.ide.in8(0x3f6), cd.ide.line.edges], [0, 0]);
    assertEquals(cd.ide.registers(), [0x01, 1, 1, 0x14, 0xeb, 0xa0]);
    assertEquals(cd.pio(READ_10(1, 1)).data, cd.blocks(1, 1));
  }
});

Deno.test("AtapiDrive ignores a command while it waits for a packet", () => {
  const cd = new CdBench(8);
  cd.ide.out8(0x1f7, 0xa0);
  cd.ide.out8(0x1f7, 0xa1);
  assertEquals([cd.ide.in8(0x1f7), cd.ide.in8(0x1f2)], [0x58, 1]);
  assertEquals(cd.ide.errors.length, 1);
});
