import { assertEquals } from "@std/assert";
import { cmosBytes } from "../../devices/cmos.ts";

const MIB = 1 << 20;

function bytesAt(bytes: Uint8Array, first: number, last: number): number[] {
  return [...bytes.subarray(first, last + 1)];
}

Deno.test("cmosBytes() gives what QEMU gives a machine of 256 MiB with disks of 64 MiB and 2 GiB", () => {
  const bytes = cmosBytes({
    ramBytes: 256 * MIB,
    disks: [
      { cylinders: 130, heads: 16, sectorsPerTrack: 63 },
      { cylinders: 4161, heads: 16, sectorsPerTrack: 63 },
    ],
    bootOrder: ["disk", "floppy", "cdrom"],
  });
  const expected = new Map<number, number[]>([
    [0x10, [0x00, 0x00, 0xff, 0x00, 0x06, 0x80, 0x02, 0xff, 0xff, 0x2f, 0x2f]],
    [0x1b, [0x82, 0x00, 0x10, 0xff, 0xff, 0xc8, 0x82, 0x00, 0x3f]],
    [0x24, [0x41, 0x10, 0x10, 0xff, 0xff, 0xc8, 0x41, 0x10, 0x3f, 0x00, 0x00, 0x00]],
    [0x30, [0xff, 0xff]],
    [0x34, [0x00, 0x0f]],
    [0x38, [0x30, 0x04, 0x00]],
    [0x3d, [0x12]],
    [0x5b, [0x00, 0x00, 0x00, 0x00, 0x00]],
  ]);
  for (const [at, values] of expected) {
    assertEquals(bytesAt(bytes, at, at + values.length - 1), values, `from 0x${at.toString(16)}`);
  }
});

Deno.test("cmosBytes() caps and floors the words of memory", () => {
  const small = cmosBytes({ ramBytes: 8 * MIB, disks: [], bootOrder: ["disk"] });
  assertEquals(bytesAt(small, 0x30, 0x35), [0x00, 0x1c, 0x00, 0x00, 0x00, 0x00]);
  const large = cmosBytes({ ramBytes: 2048 * MIB, disks: [], bootOrder: ["disk"] });
  assertEquals(bytesAt(large, 0x34, 0x35), [0x00, 0x7f]);
});

Deno.test("cmosBytes() knows no disks but hard disks", () => {
  const bytes = cmosBytes({
    ramBytes: 64 * MIB,
    disks: [undefined, undefined, { cylinders: 16383, heads: 16, sectorsPerTrack: 63 }],
    bootOrder: ["cdrom", "disk"],
  });
  assertEquals([bytes[0x12], bytes[0x19], bytes[0x1a]], [0x00, 0x00, 0x00]);
  assertEquals([bytes[0x38], bytes[0x39], bytes[0x3d]], [0x00, 0x10, 0x23]);
});
