import { assertEquals } from "@std/assert";
import { BenchDisk, IdeBench } from "../../helpers/ide.ts";

const ABORTED = [0x51, 0x04];
const DONE = [0x50, 0x00];

/** SMART with a subcommand; status and error, or the status alone when a block of data follows. */
function smart(ide: IdeBench, features: number, lbaLow = 0, count = 1): number[] {
  ide.out8(0x1f1, features);
  ide.lba28(0xb0, 0xc24f00 | lbaLow, count);
  const status = ide.in8(0x1f7);
  return status === 0x58 ? [status] : [status, ide.in8(0x1f1)];
}

function sum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => total + byte & 0xff, 0);
}

Deno.test("SMART aborts without its key, and without data when it is off", () => {
  const ide = new IdeBench({ master: new BenchDisk(64) });
  ide.out8(0x1f1, 0xda);
  ide.lba28(0xb0, 0xc24e00, 1);
  assertEquals([ide.in8(0x1f7), ide.in8(0x1f1)], ABORTED);
  assertEquals(smart(ide, 0xd9), DONE);
  for (const features of [0xd0, 0xda, 0xd2]) assertEquals(smart(ide, features), ABORTED);
  ide.out8(0x1f7, 0xec);
  const words = new Uint16Array(ide.insl(128).buffer);
  assertEquals([words[82]! & 1, words[85]! & 1], [1, 0]);
  assertEquals(smart(ide, 0xd8), DONE);
  assertEquals(smart(ide, 0xda), DONE);
  assertEquals(ide.registers().slice(3, 5), [0x4f, 0xc2]); // healthy
});

Deno.test("SMART READ DATA counts the reads that met a bad sector", () => {
  const disk = new BenchDisk(64);
  const ide = new IdeBench({ master: disk });
  disk.status = "error";
  ide.lba28(0x20, 3, 1);
  disk.complete();
  assertEquals(smart(ide, 0xd0), [0x58]);
  const data = ide.insl(128);
  assertEquals([...data.subarray(2, 14)], [1, 3, 0, 100, 100, 1, 0, 0, 0, 0, 0, 0]);
  assertEquals([data[14], sum(data)], [12, 0]);
  assertEquals(smart(ide, 0xd1), [0x58]);
  const thresholds = ide.insl(128);
  assertEquals([...thresholds.subarray(2, 4), thresholds[14], sum(thresholds)], [1, 6, 12, 0]);
});

Deno.test("SMART has an empty error log, and no other log or self-test", () => {
  const ide = new IdeBench({ master: new BenchDisk(64) });
  assertEquals(smart(ide, 0xd5, 0), [0x58]);
  assertEquals([...ide.insl(128).subarray(0, 6)], [1, 0, 1, 0, 0, 0]);
  assertEquals(smart(ide, 0xd5, 1), [0x58]);
  const log = ide.insl(128);
  assertEquals([log[0], log[1], sum(log)], [1, 0, 0]);
  assertEquals(smart(ide, 0xd5, 6), ABORTED);
  assertEquals(smart(ide, 0xd5, 1, 2), ABORTED);
  assertEquals(smart(ide, 0xd4, 0), DONE);
  assertEquals(smart(ide, 0xd4, 1), ABORTED);
  assertEquals(smart(ide, 0xd6, 1), ABORTED);
});
