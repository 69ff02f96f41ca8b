import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  REG_COUNT,
  REG_DEVICE,
  REG_LBA_HIGH,
  REG_LBA_LOW,
  REG_LBA_MID,
  Taskfile,
} from "../../../devices/ide/taskfile.ts";

const geometry = { cylinders: 130, heads: 16, sectorsPerTrack: 63 };

function taskfile(device: number, ...writes: [offset: number, value: number][]): Taskfile {
  const registers = new Taskfile();
  registers.write(REG_DEVICE, device);
  for (const [offset, value] of writes) registers.write(offset, value);
  return registers;
}

Deno.test("Taskfile.sectorCount() takes 0 as the largest count", () => {
  const registers = taskfile(0xe0);
  assertEquals([registers.sectorCount(false), registers.sectorCount(true)], [256, 65536]);
  registers.write(REG_COUNT, 0x01);
  registers.write(REG_COUNT, 0x00);
  assertEquals([registers.sectorCount(false), registers.sectorCount(true)], [256, 0x100]);
});

Deno.test("Taskfile.firstSector() decodes LBA28, LBA48 and CHS", () => {
  const writes: [number, number][] = [
    [REG_LBA_LOW, 0x44],
    [REG_LBA_MID, 0x55],
    [REG_LBA_HIGH, 0x66],
    [REG_LBA_LOW, 0x11],
    [REG_LBA_MID, 0x22],
    [REG_LBA_HIGH, 0x33],
  ];
  assertEquals(taskfile(0xe7, ...writes).firstSector(false, geometry), 0x7332211);
  assertEquals(taskfile(0xe7, ...writes).firstSector(true, geometry), 0x665544332211);
  assertEquals(
    taskfile(0xa7, ...writes).firstSector(false, geometry),
    (0x3322 * 16 + 7) * 63 + 0x11 - 1,
  );
});

Deno.test("Taskfile.firstSector() is what setFirstSector() wrote, in every form", () => {
  const forms: [device: number, ext: boolean, limit: number][] = [
    [0xe0, false, 2 ** 28],
    [0xe0, true, 2 ** 48],
    [0xa0, false, 65536 * 16 * 63],
  ];
  for (const [device, ext, limit] of forms) {
    fc.assert(fc.property(fc.maxSafeNat(), (n) => {
      const registers = taskfile(device);
      registers.setFirstSector(ext, geometry, n % limit);
      assertEquals(registers.firstSector(ext, geometry), n % limit);
    }));
  }
});

Deno.test("Taskfile.read() gives the older byte with HOB, and device bits 7 and 5 as ones", () => {
  const registers = taskfile(0x10, [REG_COUNT, 1], [REG_COUNT, 2]);
  assertEquals([registers.read(REG_COUNT, false), registers.read(REG_COUNT, true)], [2, 1]);
  assertEquals([registers.read(REG_DEVICE, false), registers.read(REG_DEVICE, true)], [0xb0, 0xb0]);
});
