import { assertEquals } from "@std/assert";
import { StringPorts } from "../../../core/hypervisor/port_access.ts";
import type { PortString } from "../../../core/hypervisor/port_access.ts";
import type { PortDevice } from "../../../core/types.ts";
import { IoPortBus } from "../../../devices/bus.ts";
import { makeRam } from "../../helpers/host.ts";

const HOLE = 0xa0000;

/** Counts up in words on reads, remembers writes. */
class Counter implements PortDevice {
  #next = 0x0100;
  readonly written: number[] = [];
  readPort(): number {
    return this.#next++;
  }
  writePort(_offset: number, _size: number, value: number): void {
    this.written.push(value);
  }
}

function makeStrings() {
  const ports = new IoPortBus();
  const device = new Counter();
  ports.map("counter", 0x300, 1, device);
  const memory = makeRam();
  const wrote: [number, number][] = [];
  memory.onWrote((offset, length) => wrote.push([offset - 0x1000, length]));
  const strings = new StringPorts(ports, memory);
  const transfer = (fields: Partial<PortString>) =>
    strings.transfer({
      port: 0x300,
      size: 2,
      write: false,
      gpa: 0x2000,
      count: 3,
      descending: false,
      ...fields,
    });
  return { device, memory, wrote, transfer };
}

Deno.test("StringPorts.transfer() fills memory and tells whose code may have changed", () => {
  const { memory, wrote, transfer } = makeStrings();
  transfer({});
  assertEquals([0, 2, 4].map((at) => memory.read16(0x2000 + at)), [0x100, 0x101, 0x102]);
  assertEquals(wrote, [[0x2000, 6]]);
});

Deno.test("StringPorts.transfer() downwards puts the first item highest", () => {
  const { memory, transfer } = makeStrings();
  transfer({ descending: true });
  assertEquals([0, 2, 4].map((at) => memory.read16(0x2000 + at)), [0x102, 0x101, 0x100]);
});

Deno.test("StringPorts.transfer() writes in the direction of the string", () => {
  const { device, memory, wrote, transfer } = makeStrings();
  [1, 2, 3].forEach((value, i) => memory.write16(0x2000 + 2 * i, value));
  wrote.length = 0;
  transfer({ write: true });
  transfer({ write: true, descending: true });
  assertEquals(device.written, [1, 2, 3, 3, 2, 1]);
  assertEquals(wrote, []);
});

Deno.test("StringPorts.transfer() on a hole moves items all the same: ones out, nothing in", () => {
  const { device, memory, transfer } = makeStrings();
  transfer({ write: true, gpa: HOLE });
  transfer({ gpa: HOLE - 2 });
  assertEquals(device.written, [0xffff, 0xffff, 0xffff]);
  assertEquals(memory.read16(HOLE - 2), 0x100);
  transfer({});
  assertEquals(memory.read16(0x2000), 0x103);
});
