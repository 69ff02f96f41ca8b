import { assertEquals, assertThrows } from "@std/assert";
import { InternalError } from "../../core/errors.ts";
import type { AccessSize, MmioDevice } from "../../core/types.ts";
import { MmioBus } from "../../devices/mmio.ts";

/** Plain bytes. */
class Bytes implements MmioDevice {
  readonly log: string[] = [];
  readonly view: DataView;

  constructor(...bytes: number[]) {
    this.view = new DataView(Uint8Array.from(bytes).buffer);
  }
  readMmio(offset: number, size: AccessSize): number {
    this.log.push(`read ${offset} size ${size}`);
    if (size === 4) return this.view.getUint32(offset, true);
    return size === 2 ? this.view.getUint16(offset, true) : this.view.getUint8(offset);
  }
  writeMmio(offset: number, size: AccessSize, value: number): void {
    this.log.push(`write ${offset} size ${size} ${value.toString(16)}`);
  }
}

Deno.test("MmioBus gives a device offsets and sizes", () => {
  const bus = new MmioBus();
  const device = new Bytes(1, 2, 3, 4, 5, 6, 7, 8);
  bus.map("device", 0xfee00000, 8, device);
  assertEquals(bus.read(0xfee00004, 4), 0x08070605);
  assertEquals(bus.read(0xfee00002, 2), 0x0403);
  bus.write(0xfee00007, 1, 0xab);
  assertEquals(device.log, ["read 4 size 4", "read 2 size 2", "write 7 size 1 ab"]);
});

Deno.test("MmioBus reads all ones where nobody is, and drops writes", () => {
  const bus = new MmioBus();
  assertEquals([bus.read(0, 1), bus.read(8, 2), bus.read(0xfffffffc, 4)], [
    0xff,
    0xffff,
    0xffffffff,
  ]);
  bus.write(0xa0000, 4, 1);
});

Deno.test("MmioBus splits an access that leaves a device into bytes, each to its owner", () => {
  const bus = new MmioBus();
  const low = new Bytes(1, 2, 3, 4);
  const high = new Bytes(0xf5, 6, 7, 8);
  bus.map("low", 0x1000, 4, low);
  bus.map("high", 0x1004, 4, high);
  assertEquals(bus.read(0x1003, 2), 0xf504);
  assertEquals(bus.read(0x1006, 4), 0xffff0807);
  bus.write(0x1002, 4, 0xd3c2b1a0);
  assertEquals(low.log, ["read 3 size 1", "write 2 size 1 a0", "write 3 size 1 b1"]);
  assertEquals(high.log.slice(-2), ["write 0 size 1 c2", "write 1 size 1 d3"]);
});

Deno.test("MmioBus.map() names both owners when ranges overlap", () => {
  const bus = new MmioBus();
  bus.map("local apic", 0xfee00000, 0x1000, new Bytes());
  const map = () => bus.map("bar", 0xfedff800, 0x1000, new Bytes());
  const text = "Cannot map bar at 0xfedff800-0xfee007ff: the range overlaps local apic";
  assertThrows(map, InternalError, text);
});

Deno.test("MmioBus.unmap() returns the addresses, also those that answered last", () => {
  const bus = new MmioBus();
  bus.map("device", 0x1000, 4, new Bytes(1, 2, 3, 4));
  assertEquals([bus.read(0x1000, 1), bus.ownerOf(0x1000), bus.ownerOf(0xffc, 4)], [
    1,
    "device",
    undefined,
  ]);
  bus.unmap("device");
  assertEquals([bus.read(0x1000, 1), bus.ownerOf(0xffe, 4)], [0xff, undefined]);
});

Deno.test("MmioBus.rangeAt() is one object for a mapping, and onRemap() tells when to ask again", () => {
  const bus = new MmioBus();
  let remaps = 0;
  bus.onRemap(() => remaps++);
  bus.map("device", 0xfee00000, 8, new Bytes());
  const range = bus.rangeAt(0xfee00007)!;
  assertEquals([range.name, range.base, range.length], ["device", 0xfee00000, 8]);
  assertEquals([bus.rangeAt(0xfee00000) === range, bus.rangeAt(0xfee00008)], [true, undefined]);
  bus.unmap("device");
  assertEquals([bus.rangeAt(0xfee00007), remaps], [undefined, 2]);
});
