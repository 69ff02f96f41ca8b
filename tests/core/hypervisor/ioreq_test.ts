import { assertEquals, assertThrows } from "@std/assert";
import { InternalError } from "../../../core/errors.ts";
import { newVmExit } from "../../../core/cpu/exit.ts";
import { DeviceModel, IOREQ_STATE, IoreqSlot } from "../../../core/hypervisor/ioreq.ts";
import { EXIT } from "../../../core/types.ts";
import type { VmExit } from "../../../core/types.ts";
import { IoPortBus } from "../../../devices/bus.ts";
import { MmioBus } from "../../../devices/mmio.ts";
import { makeRam, NotingMmio, NotingPort } from "../../helpers/host.ts";

function io(fields: Partial<VmExit>): VmExit {
  return { ...newVmExit(), reason: EXIT.IO_INSTRUCTION, ...fields };
}

Deno.test("IoreqSlot.request() lays out ioreq_t as Xen's header does", () => {
  const page = new Uint8Array(4096);
  const view = new DataView(page.buffer);
  const slot = new IoreqSlot(page, 2);
  slot.request(io({ port: 0x1f7, size: 1, write: true, value: 0xec }));
  assertEquals(view.getBigUint64(64, true), 0x1f7n); // addr
  assertEquals(view.getBigUint64(72, true), 0xecn); // data
  assertEquals([view.getUint32(80, true), view.getUint32(84, true)], [1, 1]); // count, size
  assertEquals(page[64 + 30], IOREQ_STATE.READY); // a write of a value
  assertEquals(page[64 + 31], 0); // IOREQ_TYPE_PIO
});

Deno.test("IoreqSlot.request() of a string read downwards points at the first item", () => {
  const page = new Uint8Array(4096);
  const slot = new IoreqSlot(page, 0);
  const fields = { port: 0x1f0, size: 2, string: true, count: 4, gpa: 0x1000 } as const;
  slot.request(io({ ...fields, descending: true }));
  assertEquals(new DataView(page.buffer).getBigUint64(8, true), 0x1006n);
  assertEquals(page[30], 0x10 | 0x20 | 0x40 | IOREQ_STATE.READY); // pointer, read, df
  assertEquals(slot.gpa, 0x1000);
});

Deno.test("IoreqSlot goes NONE, READY, INPROCESS, RESP_READY, NONE", () => {
  const slot = new IoreqSlot(new Uint8Array(4096), 0);
  const states = [slot.state];
  slot.request(io({ port: 0x1f7 }));
  states.push(slot.state);
  slot.take();
  states.push(slot.state);
  slot.respond(0x50);
  states.push(slot.state);
  assertEquals(slot.complete(), 0x50);
  states.push(slot.state);
  assertEquals(states, [0, 1, 2, 3, 0]);
});

Deno.test("IoreqSlot refuses a step out of order", () => {
  const slot = new IoreqSlot(new Uint8Array(4096), 0);
  assertThrows(() => slot.take(), InternalError, "state 0, wanted 1");
  slot.request(io({}));
  assertThrows(() => slot.request(io({})), InternalError, "state 1, wanted 0");
  assertThrows(() => slot.complete(), InternalError);
});

Deno.test("DeviceModel.serve() performs the access that the slot describes", () => {
  const ports = new IoPortBus();
  const device = new NotingPort();
  ports.map("device", 0x1f0, 8, device);
  const slot = new IoreqSlot(new Uint8Array(4096), 0);
  const model = new DeviceModel(ports, new MmioBus(), makeRam());
  slot.request(io({ port: 0x1f7, size: 1, value: 0xdead }));
  model.serve(slot);
  assertEquals(slot.complete(), 0x50);
  slot.request(io({ port: 0x1f2, size: 1, write: true, value: 8 }));
  model.serve(slot);
  slot.complete();
  assertEquals(device.log, ["in 7 size 1", "out 2 size 1 8"]);
});

Deno.test("DeviceModel.serve() stores every item of a REP STOS, and reads registers in memory", () => {
  const mmio = new MmioBus();
  const device = new NotingMmio();
  mmio.map("device", 0xfffff000, 0x1000, device);
  const model = new DeviceModel(new IoPortBus(), mmio, makeRam());
  const page = new Uint8Array(4096);
  const slot = new IoreqSlot(page, 0);
  const at = { reason: EXIT.EPT_VIOLATION, gpa: 0xfffff010, size: 2 } as const;
  slot.requestMmio({ ...newVmExit(), ...at, write: true, string: true, count: 2, value: 0x1234 });
  assertEquals(page[31], 1); // IOREQ_TYPE_COPY
  assertEquals(new DataView(page.buffer).getBigUint64(0, true), 0xfffff010n);
  model.serve(slot);
  slot.complete();
  slot.requestMmio({ ...newVmExit(), ...at });
  model.serve(slot);
  assertEquals(slot.complete(), 0xc0d0);
  assertEquals(device.log, ["write 16 size 2 1234", "write 18 size 2 1234", "read 16 size 2"]);
});
