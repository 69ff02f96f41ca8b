import { assertEquals, assertThrows } from "@std/assert";
import { InternalError } from "../../core/errors.ts";
import type { AccessSize } from "../../core/types.ts";
import { IoPortBus } from "../../devices/bus.ts";
import { PciBus, PciConfigPorts, PciFunction, type PciFunctionSpec } from "../../devices/pci.ts";

/** Shaped like the Xen platform device: one I/O and one memory register. */
const SPEC: PciFunctionSpec = {
  vendor: 0x5853,
  device: 0x0001,
  revision: 1,
  classCode: 0xff8000,
  subsystemVendor: 0x5853,
  subsystem: 0x0001,
  status: 0x0280,
  interruptPin: 1,
  bars: {
    0: { space: "io", size: 0x100 },
    1: { space: "memory", size: 0x1000000, prefetchable: true },
  },
  registers: [[0x40, 0xa5, 0x0f], [0x41, 0x11]],
};

/** A guest's view: mechanism #1 at its usual ports. */
class Guest {
  readonly ports: IoPortBus = new IoPortBus();
  readonly bus: PciBus = new PciBus();
  readonly moves: string[] = [];

  constructor() {
    const config = new PciConfigPorts(this.bus);
    this.ports.map("pci address", 0xcf8, 4, config.address);
    this.ports.map("pci data", 0xcfc, 4, config.data);
    this.bus.add(2, 0, new PciFunction(SPEC, (bar, base) => this.moves.push(`${bar}@${base}`)));
  }
  read(reg: number, size: AccessSize, devfn: number = 0x10): number {
    this.ports.write(0xcf8, 4, 0x80000000 + devfn * 256 + (reg & 0xfc));
    return this.ports.read(0xcfc + (reg & 3), size);
  }
  write(reg: number, size: AccessSize, value: number): void {
    this.ports.write(0xcf8, 4, 0x80001000 + (reg & 0xfc));
    this.ports.write(0xcfc + (reg & 3), size, value);
  }
}

Deno.test("PciConfigPorts.address passes Linux's probe for mechanism #1", () => {
  const { ports } = new Guest();
  ports.write(0xcfb, 1, 0x01);
  assertEquals(ports.read(0xcf8, 4), 0);
  ports.write(0xcf8, 4, 0x80000000);
  assertEquals(ports.read(0xcf8, 4), 0x80000000);
});

Deno.test("PciConfigPorts.address is a 32-bit register only", () => {
  const { ports } = new Guest();
  ports.write(0xcf8, 4, 0x80001000);
  ports.write(0xcf9, 1, 0x06);
  ports.write(0xcf8, 2, 0x1234);
  assertEquals(ports.read(0xcf8, 4), 0x80001000);
  assertEquals([ports.read(0xcf9, 1), ports.read(0xcf8, 2)], [0xff, 0xffff]);
});

Deno.test("PciConfigPorts.data gives every byte lane of the selected dword", () => {
  const guest = new Guest();
  assertEquals(guest.read(0x00, 4), 0x00015853);
  assertEquals([guest.read(0x02, 2), guest.read(0x01, 1), guest.read(0x06, 2)], [1, 0x58, 0x0280]);
  assertEquals(guest.read(0x08, 4), 0xff800001);
  assertEquals(guest.read(0x2c, 4), 0x00015853);
  assertEquals(guest.read(0x3d, 1), 1);
});

Deno.test("PciConfigPorts.data answers all ones without a function, an enable bit, or on another bus", () => {
  const guest = new Guest();
  assertEquals(guest.read(0, 4, 0x11), 0xffffffff);
  assertEquals(guest.read(0, 2, 0x18), 0xffff);
  guest.ports.write(0xcf8, 4, 0x00001000);
  assertEquals(guest.ports.read(0xcfc, 4), 0xffffffff);
  guest.ports.write(0xcf8, 4, 0x80011000);
  assertEquals(guest.ports.read(0xcfc, 4), 0xffffffff);
  guest.ports.write(0xcfc, 4, 0);
});

Deno.test("PciConfigPorts.data ignores an access that leaves the dword", () => {
  const guest = new Guest();
  guest.write(0x3c, 1, 0x0b);
  guest.write(0x3f, 2, 0);
  assertEquals(guest.read(0x3f, 2), 0xffff);
  assertEquals(guest.read(0x3c, 1), 0x0b);
});

Deno.test("PciFunction.write() keeps read-only bits and clears status bits by ones", () => {
  const guest = new Guest();
  guest.write(0x00, 4, 0);
  guest.write(0x04, 4, 0xffffffff);
  guest.write(0x40, 2, 0xffff);
  assertEquals(guest.read(0x00, 4), 0x00015853);
  assertEquals(guest.read(0x04, 4), 0x02800507);
  assertEquals(guest.read(0x40, 2), 0xffaf);
});

Deno.test("PciFunction.write() answers BAR sizing", () => {
  const guest = new Guest();
  assertEquals([guest.read(0x10, 4), guest.read(0x14, 4)], [0x00000001, 0x00000008]);
  for (const reg of [0x10, 0x14, 0x18]) guest.write(reg, 4, 0xffffffff);
  assertEquals([guest.read(0x10, 4), guest.read(0x14, 4), guest.read(0x18, 4)], [
    0xffffff01,
    0xff000008,
    0,
  ]);
});

Deno.test("PciFunction tells where a BAR decodes: enabled, moved, sized, disabled", () => {
  const guest = new Guest();
  guest.write(0x10, 4, 0xc001);
  assertEquals(guest.moves, []);
  guest.write(0x04, 2, 0x0003);
  guest.write(0x10, 4, 0xc101);
  guest.write(0x10, 4, 0xffffffff);
  guest.write(0x10, 4, 0xc101);
  guest.write(0x04, 2, 0x0000);
  assertEquals(guest.moves, ["0@49152", "0@49408", "0@undefined", "0@49408", "0@undefined"]);
});

Deno.test("PciFunction tells the gpa of a memory BAR above 2 GiB as an unsigned number", () => {
  const guest = new Guest();
  guest.write(0x14, 4, 0xf0000000);
  guest.write(0x04, 1, 0x02);
  guest.write(0x14, 4, 0xff000000);
  assertEquals(guest.moves, ["1@4026531840", "1@undefined"]);
});

Deno.test("PciBus.add() refuses a place that is taken", () => {
  const { bus } = new Guest();
  assertThrows(() => bus.add(2, 0, new PciFunction(SPEC)), InternalError, "0:2.0");
});
