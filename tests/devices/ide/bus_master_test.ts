import { assertEquals } from "@std/assert";
import { BusMaster, collectPrds } from "../../../devices/ide/bus_master.ts";
import { BenchDisk, BenchMemory, BM, IdeBench } from "../../helpers/ide.ts";

const END = 0x80000000;

function memoryWith(table: number, dwords: number[], inPieces = false): BenchMemory {
  const memory = new BenchMemory(32, inPieces);
  dwords.forEach((value, i) => memory.write32(table + i * 4, value));
  return memory;
}

function walk(memory: BenchMemory, table: number, length: number) {
  const into: Uint8Array[] = [new Uint8Array(1)];
  const outcome = collectPrds(memory, table, length, into);
  return { outcome, regions: into.map((view) => [view.byteOffset, view.length]) };
}

Deno.test("collectPrds() tells how the table compares with the length", () => {
  const memory = memoryWith(0x100, [0x2000, 0x1000, 0x5000, END | 0x200]);
  assertEquals(walk(memory, 0x100, 0x1200), {
    outcome: "exact",
    regions: [[0x2000, 0x1000], [0x5000, 0x200]],
  });
  assertEquals(walk(memory, 0x100, 0x1000).outcome, "long");
  assertEquals(walk(memory, 0x100, 0x0e00), { outcome: "long", regions: [[0x2000, 0x0e00]] });
  assertEquals(walk(memory, 0x100, 0x1400).outcome, "short");
});

Deno.test("collectPrds() takes a count of 0 as 64 KiB and ignores bit 0", () => {
  assertEquals(walk(memoryWith(0x100, [0x2001, END | 1]), 0x100, 0x10000), {
    outcome: "exact",
    regions: [[0x2000, 0x10000]],
  });
});

Deno.test("collectPrds() gives the memory's own page view for a whole page", () => {
  const memory = memoryWith(0x100, [0x3000, END | 0x1000]);
  const into: Uint8Array[] = [];
  collectPrds(memory, 0x100, 0x1000, into);
  assertEquals(into[0] === memory.page(3), true);
});

Deno.test("collectPrds() goes page by page when the host has a region in pieces", () => {
  const memory = memoryWith(0x100, [0x2800, END | 0x2000], true);
  assertEquals(walk(memory, 0x100, 0x2000).regions, [[0x2800, 0x800], [0x3000, 0x1000], [
    0x4000,
    0x800,
  ]]);
});

Deno.test("collectPrds() faults when the table or a region is not memory", () => {
  const memory = memoryWith(0x100, [0x1f000, END | 0x2000]);
  assertEquals(walk(memory, 0x100, 0x2000).outcome, "fault");
  assertEquals(walk(memory, 0x90000000, 0x200).outcome, "fault");
});

Deno.test("collectPrds() ends at the table's 64 KiB boundary when no end bit comes", () => {
  const memory = memoryWith(0xfff8, [0x2000, 0x200, 0x2000, 0x200]);
  assertEquals(walk(memory, 0xfff8, 0x400).outcome, "short");
});

Deno.test("BusMaster moves a sector that two regions share", () => {
  const disk = new BenchDisk(8);
  const ide = new IdeBench({ master: disk });
  ide.prds(0x100, [[0x2000, 100], [0x3000, 924]]);
  ide.out32(BM + 4, 0x100);
  ide.out8(BM, 9);
  ide.lba28(0xc8, 1, 2);
  disk.complete();
  const expected = disk.sectors(1, 2);
  assertEquals(ide.memory.slice(0x2000, 100), expected.slice(0, 100));
  assertEquals(ide.memory.slice(0x3000, 924), expected.slice(100));
  assertEquals(ide.memory.wroteAt, [0x2000, 0x3000]);
  ide.out8(BM, 0);
  ide.out8(BM, 1);
  ide.lba28(0xca, 5, 2);
  disk.complete();
  assertEquals(disk.sectors(5, 2), expected);
});

Deno.test("BusMaster keeps the bits that are storage and clears those written as ones", () => {
  const bus = new BusMaster(new BenchMemory(1), () => {});
  bus.writePort(0, 1, 0xff);
  assertEquals(bus.readPort(0, 1), 0x09);
  bus.interrupt();
  bus.writePort(2, 1, 0x60);
  assertEquals(bus.readPort(2, 1), 0x65);
  bus.writePort(2, 1, 0x26);
  assertEquals(bus.readPort(2, 1), 0x21);
  bus.writePort(0, 1, 0x00);
  assertEquals(bus.readPort(2, 1), 0x20);
});

Deno.test("BusMaster answers ones at reserved offsets and to wide reads of byte registers", () => {
  const bus = new BusMaster(new BenchMemory(1), () => {});
  bus.writePort(0, 4, 0x09);
  assertEquals([bus.readPort(1, 1), bus.readPort(3, 1), bus.readPort(0, 2)], [0xff, 0xff, 0xffff]);
  assertEquals(bus.readPort(0, 1), 0);
});

Deno.test("BusMaster takes the table address in any width and keeps it dword aligned", () => {
  const bus = new BusMaster(new BenchMemory(1), () => {});
  bus.writePort(4, 4, 0xfedcba99);
  assertEquals(bus.readPort(4, 4), 0xfedcba98);
  bus.writePort(6, 2, 0x1234);
  bus.writePort(5, 1, 0x56);
  assertEquals([bus.readPort(4, 4), bus.readPort(6, 2)], [0x12345698, 0x1234]);
});
