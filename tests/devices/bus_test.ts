import { assertEquals, assertThrows } from "@std/assert";
import { InternalError } from "../../core/errors.ts";
import type { AccessSize, PortDevice } from "../../core/types.ts";
import { ByteDevice, IoPortBus } from "../../devices/bus.ts";

class Recorder implements PortDevice {
  readonly log: string[] = [];
  answer = 0;

  readPort(offset: number, size: AccessSize): number {
    this.log.push(`in${size} +${offset}`);
    return this.answer++;
  }
  writePort(offset: number, size: AccessSize, value: number): void {
    this.log.push(`out${size} +${offset}=${value.toString(16)}`);
  }
}

class Registers extends ByteDevice {
  readonly bytes: Uint8Array = Uint8Array.of(0x11, 0x22);

  constructor() {
    super(2);
  }
  readByte(offset: number): number {
    return this.bytes[offset]!;
  }
  writeByte(offset: number, value: number): void {
    this.bytes[offset] = value;
  }
}

Deno.test("IoPortBus.read() answers all ones and write() is dropped where nobody is", () => {
  const bus = new IoPortBus();
  assertEquals([bus.read(0x2e, 1), bus.read(0x2e, 2), bus.read(0x2e, 4)], [
    0xff,
    0xffff,
    0xffffffff,
  ]);
  bus.write(0xffff, 4, 1);
  const into = new Uint8Array(4);
  bus.readString(0x2e, 2, into);
  bus.writeString(0x2e, 2, into);
  assertEquals(into, Uint8Array.of(0xff, 0xff, 0xff, 0xff));
});

Deno.test("IoPortBus.read() hands the owner of the first byte the whole access and its offset", () => {
  const bus = new IoPortBus();
  const first = new Recorder();
  const second = new Recorder();
  bus.map("first", 0x1f0, 8, first);
  bus.map("second", 0x1f8, 1, second);
  bus.read(0x1f7, 2);
  bus.write(0x1f0, 4, 0x12345678);
  bus.write(0xffff, 1, 0);
  assertEquals(first.log, ["in2 +7", "out4 +0=12345678"]);
  assertEquals(second.log, []);
});

Deno.test("IoPortBus.map() names both owners when ranges overlap", () => {
  const bus = new IoPortBus();
  bus.map("pit", 0x40, 4, new Recorder());
  assertThrows(
    () => bus.map("timer2", 0x3e, 3, new Recorder()),
    InternalError,
    "Cannot map timer2 at ports 0x003e-0x0040: the range overlaps pit",
  );
  assertEquals(bus.ownerOf(0x3e), undefined);
});

Deno.test("IoPortBus.map() refuses a range outside the port space", () => {
  const bus = new IoPortBus();
  assertThrows(() => bus.map("far", 0xfffe, 3, new Recorder()), InternalError, "outside the ports");
  bus.map("last", 0xffff, 1, new Recorder());
  assertEquals(bus.ownerOf(0xffff), "last");
});

Deno.test("IoPortBus.unmap() frees every range of the name, and a BAR can move for ever", () => {
  const bus = new IoPortBus();
  const device = new Recorder();
  bus.map("uart", 0x3f8, 8, new Recorder());
  for (let round = 0; round < 70_000; round++) {
    bus.map("bmide", 0xc000, 16, device);
    bus.unmap("bmide");
  }
  bus.map("bmide", 0xc100, 8, device);
  bus.map("bmide", 0xc200, 8, device);
  assertEquals([bus.ownerOf(0xc107), bus.ownerOf(0xc108, 0x100)], ["bmide", "bmide"]);
  bus.unmap("bmide");
  bus.unmap("nobody");
  assertEquals(bus.read(0xc100, 1), 0xff);
  assertEquals(bus.ownerOf(0, 0x10000), "uart");
});

Deno.test("IoPortBus.rangeAt() is one object for a mapping, and onRemap() tells when to ask again", () => {
  const bus = new IoPortBus();
  let remaps = 0;
  bus.onRemap(() => remaps++);
  bus.map("ide", 0x1f0, 8, new Recorder());
  const range = bus.rangeAt(0x1f7)!;
  assertEquals([range.name, range.base, range.length], ["ide", 0x1f0, 8]);
  assertEquals([bus.rangeAt(0x1f0) === range, bus.rangeAt(0x1ef), remaps], [true, undefined, 1]);
  bus.unmap("ide");
  assertEquals([bus.rangeAt(0x1f7), remaps], [undefined, 2]);
});

Deno.test("IoPortBus.readString() and writeString() move item by item when the device has no string methods", () => {
  const bus = new IoPortBus();
  const device = new Recorder();
  bus.map("d", 0x10, 4, device);
  const into = new Uint8Array(8);
  device.answer = 0x04030201;
  bus.readString(0x10, 4, into);
  assertEquals(into, Uint8Array.of(1, 2, 3, 4, 2, 2, 3, 4));
  bus.writeString(0x12, 2, Uint8Array.of(0x34, 0x12, 0x78, 0xf6));
  bus.writeString(0x12, 4, Uint8Array.of(0, 0, 0, 0x80));
  assertEquals(device.log, [
    "in4 +0",
    "in4 +0",
    "out2 +2=1234",
    "out2 +2=f678",
    "out4 +2=80000000",
  ]);
});

Deno.test("IoPortBus.readString() is one call when the device has string methods", () => {
  const bus = new IoPortBus();
  const calls: string[] = [];
  bus.map("d", 0x1f0, 1, {
    readPort: () => 0,
    writePort: () => {},
    readPortString: (offset, size, into) => void calls.push(`in ${offset} ${size} ${into.length}`),
    writePortString: (offset, size, from) =>
      void calls.push(`out ${offset} ${size} ${from.length}`),
  });
  bus.readString(0x1f0, 2, new Uint8Array(512));
  bus.writeString(0x1f0, 4, new Uint8Array(4096));
  assertEquals(calls, ["in 0 2 512", "out 0 4 4096"]);
});

Deno.test("ByteDevice splits a wide access into bytes, lowest first, and floats past its end", () => {
  const bus = new IoPortBus();
  const device = new Registers();
  bus.map("d", 0x20, 2, device);
  assertEquals(bus.read(0x20, 2), 0x2211);
  assertEquals(bus.read(0x21, 4), 0xffffff22);
  bus.write(0x20, 4, 0xaabbccdd);
  assertEquals(device.bytes, Uint8Array.of(0xdd, 0xcc));
});
