import { assertEquals } from "@std/assert";
import { COMMANDS } from "../../../devices/ide/commands.ts";
import { BenchDisk, IdeBench } from "../../helpers/ide.ts";

function bench(sectors = 64): IdeBench {
  return new IdeBench({ master: new BenchDisk(sectors) });
}

function command(ide: IdeBench, opcode: number, features = 0, count = 0): number[] {
  ide.out8(0x1f1, features);
  ide.lba28(opcode, 0, count);
  const status = ide.in8(0x1f7);
  return [status, ide.in8(0x1f1)];
}

function identify(ide: IdeBench): Uint16Array {
  ide.out8(0x1f7, 0xec);
  assertEquals(ide.in8(0x1f7), 0x58);
  return new Uint16Array(ide.insl(128).buffer);
}

function text(words: Uint16Array, first: number, count: number): string {
  return [...words.subarray(first, first + count)]
    .map((word) => String.fromCharCode(word >>> 8, word & 0xff)).join("");
}

Deno.test("COMMANDS has each row at its opcode", () => {
  COMMANDS.forEach((command, opcode) => assertEquals(command?.opcode ?? opcode, opcode));
});

Deno.test("IDENTIFY DEVICE describes the disk", () => {
  const words = identify(bench(131072));
  assertEquals(text(words, 10, 10), "QM00001             ");
  assertEquals(text(words, 23, 4), "2.5+    ");
  assertEquals(text(words, 27, 20).trimEnd(), "QEMU HARDDISK");
  assertEquals([words[1], words[3], words[6]], [130, 16, 63]);
  assertEquals([4, 5, 20, 21, 22].map((index) => words[index]), [0x7e00, 0x200, 3, 0x200, 4]);
  assertEquals([...words.subarray(54, 62)], [130, 16, 63, 0xffe0, 1, 0x0110, 0, 2]);
  assertEquals([words[47], words[49], words[53], words[80]], [0x8010, 0x0b00, 7, 0xf0]);
  assertEquals([...words.subarray(82, 88)], [0x4021, 0x7400, 0x4000, 0x4021, 0x3400, 0x4000]);
  assertEquals([words[63], words[88]], [0x0007, 0x203f]);
  assertEquals([...words.subarray(100, 104)], [0, 2, 0, 0]);
  assertEquals([words[75], words[76], words[128], words[169]], [0, 0, 0, 0]);
});

Deno.test("IDENTIFY DEVICE caps capacity and cylinders when the disk is large", () => {
  const ide = new IdeBench({
    master: { sectorCount: 2 ** 32 + 5, readOnly: false, submit: () => {} },
  });
  const words = identify(ide);
  assertEquals([words[1], words[57], words[58]], [16383, 0xfc10, 0x00fb]);
  assertEquals([words[60], words[61]], [0xffff, 0x0fff]);
  assertEquals([...words.subarray(100, 104)], [5, 0, 1, 0]);
  ide.lba48(0x27, 0, 0);
  assertEquals(ide.registers().slice(2), [4, 0, 0, 0xe0]);
  ide.out8(0x3f6, 0x80);
  assertEquals(ide.registers().slice(2), [0, 1, 0, 0xe0]);
});

Deno.test("SET FEATURES records the transfer mode, aborts one that the disk lacks", () => {
  const ide = bench();
  assertEquals(command(ide, 0xef, 0x03, 0x22), [0x50, 0]);
  assertEquals([identify(ide)[62], identify(ide)[63], identify(ide)[88]], [0x0007, 0x0407, 0x003f]);
  assertEquals(command(ide, 0xef, 0x03, 0x0c), [0x50, 0]);
  assertEquals(identify(ide)[63], 0x0407);
  for (const mode of [0x23, 0x46, 0x0d, 0x13, 0x80]) {
    assertEquals(command(ide, 0xef, 0x03, mode), [0x51, 0x04]);
  }
  assertEquals(command(ide, 0xef, 0x99), [0x51, 0x04]);
  assertEquals(command(ide, 0xef, 0x03, 0x12), [0x50, 0]);
  assertEquals([identify(ide)[62], identify(ide)[63]], [0x0407, 0x0007]);
});

Deno.test("SET FEATURES turns the write cache off when it has been flushed, and on", () => {
  const disk = new BenchDisk(64);
  const ide = new IdeBench({ master: disk });
  assertEquals(command(ide, 0xef, 0x82), [0xd0, 0]);
  disk.complete();
  assertEquals([ide.in8(0x1f7), identify(ide)[85]], [0x50, 0x4001]);
  assertEquals(command(ide, 0xef, 0x02), [0x50, 0]);
  assertEquals([identify(ide)[85], disk.log], [0x4021, ["flush 0+0"]]);
});

Deno.test("SRST restores the MULTIPLE setting unless SET FEATURES 66h says otherwise", () => {
  const ide = bench();
  const reset = () => [0x04, 0x00].forEach((value) => ide.out8(0x3f6, value));
  command(ide, 0xc6, 0, 2);
  reset();
  assertEquals(identify(ide)[59], 0x0110);
  command(ide, 0xef, 0x66);
  command(ide, 0xc6, 0, 2);
  reset();
  assertEquals(identify(ide)[59], 0x0102);
});

Deno.test("READ VERIFY reads the range and names the first sector past the end or bad", () => {
  const disk = new BenchDisk(512);
  const ide = new IdeBench({ master: disk });
  const verify = (lba: number, count: number): number[] => {
    ide.lba28(0x40, lba, count);
    while (disk.queue.length > 0) disk.complete();
    return [ide.in8(0x1f7), ...ide.registers().slice(0, 5)];
  };
  assertEquals(verify(60, 4), [0x50, 0, 0, 64, 0, 0]);
  assertEquals(verify(508, 6), [0x51, 0x10, 2, 0, 2, 0]);
  disk.status = "error";
  disk.failedAt = 62;
  assertEquals(verify(60, 4), [0x51, 0x40, 2, 62, 0, 0]);
  assertEquals(disk.log, ["read 60+4", "read 508+4", "read 60+4"]);
});

Deno.test("INITIALIZE DEVICE PARAMETERS shows in words 54-56 and refuses 0 sectors a track", () => {
  const ide = bench(4096);
  ide.lba28(0x91, 0, 17);
  ide.out8(0x1f6, 0xa3);
  assertEquals([...identify(ide).subarray(54, 57)], [240, 1, 17]);
  assertEquals(command(ide, 0x91, 0, 0), [0x51, 0x04]);
});

Deno.test("Power, seek and recalibrate commands succeed; CHECK POWER MODE answers active", () => {
  const ide = bench();
  const opcodes = [0x10, 0x1f, 0x70, 0x94, 0x95, 0x96, 0x97, 0x99, 0xe0, 0xe1, 0xe2, 0xe3, 0xe6];
  for (const opcode of opcodes) {
    assertEquals(command(ide, opcode), [0x50, 0]);
  }
  for (const opcode of [0x98, 0xe5]) {
    command(ide, opcode);
    assertEquals(ide.in8(0x1f2), 0xff);
  }
});

Deno.test("Commands of other devices and of passwords abort without a guest error", () => {
  const ide = bench();
  for (const opcode of [0x00, 0x06, 0x08, 0xa0, 0xa1, 0xf1, 0xf2, 0xf3, 0xf4, 0xf6, 0xf9, 0x37]) {
    assertEquals(command(ide, opcode), [0x51, 0x04]);
  }
  assertEquals(command(ide, 0xf5), [0x50, 0]);
  assertEquals(ide.errors, []);
});
