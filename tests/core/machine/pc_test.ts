import { assertEquals } from "@std/assert";
import { VirtualClock } from "../../../core/clock.ts";
import { Accounting } from "../../../core/hypervisor/books/accounting.ts";
import { SERVICES } from "../../../core/hypervisor/books/tally.ts";
import { IRQ, MMIO, PORT } from "../../../core/machine/address_map.ts";
import { Pc } from "../../../core/machine/pc.ts";
import type { Disk } from "../../../core/types.ts";
import { makeRam } from "../../helpers/host.ts";

const DISK: Disk = { sectorCount: 64, readOnly: false, submit: () => {} };
const BUS_MASTER_BAR = 0x80000920; // 0:1.1, BAR 4
const IDE_COMMAND = 0x80000904;

function makePc() {
  const seen: string[] = [];
  const accounting = new Accounting();
  const pc = new Pc({
    clock: new VirtualClock(),
    memory: makeRam(),
    a20: { set: (open) => seen.push(`a20 ${open}`) },
    errors: accounting,
    drives: [0, 1, 3].map((index) => {
      return { index, kind: index === 3 ? "cdrom" as const : "disk" as const, disk: DISK };
    }),
    xenPlatform: true,
    firmware: () => ({ items: new Map(), files: new Map() }),
    events: {
      onSerialByte: (byte) => seen.push(`serial ${byte}`),
      onDebugByte: (byte) => seen.push(`debug ${byte}`),
      onMark: (value) => seen.push(`mark ${value}`),
      onExit: (value) => seen.push(`exit ${value}`),
      onFirmwareByte: (byte) => seen.push(`firmware ${byte}`),
      onUnplug: () => seen.push("unplug"),
      onPowerOff: () => seen.push("off"),
      onReset: (by) => seen.push(`reset by ${by}`),
      onNmi: () => seen.push("nmi"),
      onApic: (enabled) => seen.push(`apic ${enabled}`),
    },
  });
  const config = (register: number, value: number) => {
    pc.ports.write(PORT.PCI_ADDRESS, 4, register);
    pc.ports.write(PORT.PCI_DATA, 4, value);
  };
  /** Status of the drive at a position. */
  const status = (unit: number) => {
    pc.ports.write(PORT.IDE_COMMAND + 6, 1, 0xa0 | (unit << 4));
    return pc.ports.read(PORT.IDE_COMMAND + 7, 1);
  };
  return { pc, accounting, seen, config, status };
}

Deno.test("Pc connects the ports that speak to the outside", () => {
  const { pc, seen } = makePc();
  pc.ports.write(PORT.COM1, 1, 65);
  pc.ports.write(PORT.DEBUG_CONSOLE, 1, 66);
  pc.ports.write(PORT.POST, 1, 0x11);
  pc.ports.write(PORT.DEBUG_EXIT, 4, 16);
  assertEquals(seen, ["serial 65", "debug 66", "mark 17", "exit 16"]);
});

Deno.test("Pc wires the keyboard controller to A20, reset and its interrupts", () => {
  const { pc, seen } = makePc();
  pc.ports.write(PORT.KEYBOARD_COMMAND, 1, 0xdd);
  pc.ports.write(PORT.KEYBOARD_COMMAND, 1, 0xfe);
  assertEquals(seen, ["a20 false", "reset by port 64h"]);
  const requests = (port: number) => {
    pc.ports.write(port, 1, 0x0a); // OCW3: read IRR
    return pc.ports.read(port, 1);
  };
  pc.typist.receive(0x61);
  assertEquals(requests(PORT.PIC_MASTER) & 1 << IRQ.KEYBOARD, 1 << IRQ.KEYBOARD);
  for (let key = 0; key < 3; key++) pc.ports.read(PORT.KEYBOARD_DATA, 1);
  pc.ports.write(PORT.KEYBOARD_COMMAND, 1, 0xd3);
  pc.ports.write(PORT.KEYBOARD_DATA, 1, 0x5a);
  assertEquals(requests(PORT.PIC_SLAVE) & 1 << IRQ.MOUSE - 8, 1 << IRQ.MOUSE - 8);
});

Deno.test("Pc puts the video card at its ports, its window and slot 2", () => {
  const { pc } = makePc();
  pc.mmio.write(0xb8000, 2, 0x0741);
  assertEquals(pc.vga.screen()?.lines[0], "A");
  pc.ports.write(PORT.VGA_CRTC, 2, 0x500f);
  assertEquals(pc.vga.screen()?.cursor, { row: 1, column: 0 });
  assertEquals(pc.ports.read(PORT.VGA + 0xc, 1), 0x67);
  pc.ports.write(PORT.VGA + 2, 1, 0x66);
  assertEquals(pc.ports.read(PORT.VGA_CRTC_MONO + 1, 1), 0x50);
  pc.ports.write(PORT.PCI_ADDRESS, 4, 0x80001000);
  assertEquals(pc.ports.read(PORT.PCI_DATA, 4), 0x11111234);
});

Deno.test("Pc leaves the ports that no device of a PC takes to the open bus", () => {
  const { pc } = makePc();
  for (const port of [0x1e8, 0x168, 0x250, 0x7c0]) {
    assertEquals([pc.ports.ownerOf(port), pc.ports.read(port, 1)], [undefined, 0xff]);
  }
});

Deno.test("Pc wires the timer to IRQ 0", () => {
  assertEquals(IRQ.TIMER, 0);
  const { pc } = makePc();
  for (const value of [0x11, 0x20, 0x04, 0x01]) {
    pc.ports.write(value === 0x11 ? PORT.PIC_MASTER : PORT.PIC_MASTER + 1, 1, value);
  }
  pc.pic.line(IRQ.TIMER).set(false);
  pc.pic.line(IRQ.TIMER).set(true);
  assertEquals(pc.pic.acknowledge(), 0x20);
});

Deno.test("Pc moves the bus master with its BAR, and reports a BAR on taken ports", () => {
  const { pc, accounting, config } = makePc();
  config(IDE_COMMAND, 1);
  assertEquals(pc.ports.ownerOf(0xc100), undefined);
  config(BUS_MASTER_BAR, 0xc100);
  assertEquals(pc.ports.ownerOf(0xc107), "ide bus master");
  config(BUS_MASTER_BAR, 0xd000);
  assertEquals([pc.ports.ownerOf(0xc100), pc.ports.ownerOf(0xd000)], [undefined, "ide bus master"]);
  config(BUS_MASTER_BAR, 0x1f0);
  assertEquals([pc.ports.ownerOf(0x1f0), pc.ports.ownerOf(0xd000)], ["ide command", undefined]);
  assertEquals(accounting.guestErrors, 1);
});

Deno.test("Unplugging the auxiliary disks leaves the master, unplugging all leaves none", () => {
  const { pc, seen, status } = makePc();
  assertEquals([status(0), status(1)], [0x50, 0x50]);
  pc.ports.write(PORT.XEN_PLATFORM, 2, 2); // network cards
  assertEquals(seen, []);
  pc.ports.write(PORT.XEN_PLATFORM, 2, 4);
  assertEquals([status(0), status(1), seen], [0x50, 0, ["unplug"]]);
  pc.ports.write(PORT.XEN_PLATFORM, 2, 1);
  assertEquals([status(0), status(1)], [0, 0]);
  pc.ports.write(PORT.XEN_PLATFORM, 2, 1);
  assertEquals(seen.length, 2);
});

Deno.test("Pc.line() drives 8259 pair and I/O APIC both, IRQ 0 at input 2", () => {
  const { pc } = makePc();
  const { hypervisorMmio } = pc;
  const redirect = (pin: number, vector: number) => {
    hypervisorMmio.write(MMIO.IO_APIC, 4, 0x10 + 2 * pin);
    hypervisorMmio.write(MMIO.IO_APIC + 0x10, 4, vector);
  };
  hypervisorMmio.write(MMIO.LOCAL_APIC + 0xf0, 4, 0x1ff);
  redirect(2, 0x42);
  redirect(14, 0x5e);
  for (const irq of [IRQ.TIMER, IRQ.IDE]) {
    pc.line(irq).set(false);
    pc.line(irq).set(true);
  }
  pc.ports.write(PORT.PIC_MASTER, 1, 0x0a); // OCW3: read IRR
  pc.ports.write(PORT.PIC_SLAVE, 1, 0x0a);
  const [master, slave] = [pc.ports.read(PORT.PIC_MASTER, 1), pc.ports.read(PORT.PIC_SLAVE, 1)];
  assertEquals([master & 1, slave], [1, 0x40]);
  assertEquals(pc.localApic.acknowledge(), 0x5e);
  hypervisorMmio.write(MMIO.LOCAL_APIC + 0xb0, 4, 0); // end of interrupt
  assertEquals(pc.localApic.acknowledge(), 0x42);
  assertEquals(pc.line(IRQ.IDE), pc.line(IRQ.IDE));
});

Deno.test("Pc moves the local APIC with its base, and reports one that meets the I/O APIC", () => {
  const { pc, accounting, seen } = makePc();
  const { hypervisorMmio } = pc;
  pc.localApic.setBase(0xfed00900, 0);
  assertEquals([MMIO.LOCAL_APIC, 0xfed00000].map((gpa) => hypervisorMmio.ownerOf(gpa)), [
    undefined,
    "local apic",
  ]);
  pc.localApic.setBase(MMIO.IO_APIC | 0x900, 0);
  assertEquals([hypervisorMmio.ownerOf(MMIO.IO_APIC), accounting.guestErrors], ["io apic", 1]);
  pc.localApic.setBase(MMIO.LOCAL_APIC | 0x100, 0);
  assertEquals(seen, ["apic true", "apic true", "apic false"]);
});

Deno.test("Pc has a CD-ROM drive where it was placed, and keeps it when disks are unplugged", () => {
  const { pc } = makePc();
  pc.ports.write(PORT.XEN_PLATFORM, 2, 1);
  pc.ports.write(PORT.IDE2_COMMAND + 6, 1, 0xb0);
  assertEquals([4, 5].map((at) => pc.ports.read(PORT.IDE2_COMMAND + at, 1)), [0x14, 0xeb]);
  pc.ports.write(PORT.IDE2_COMMAND + 7, 1, 0xa1);
  const words = Array.from({ length: 14 }, () => pc.ports.read(PORT.IDE2_COMMAND, 2)).slice(10);
  assertEquals(words, [0x514d, 0x3030, 0x3030, 0x3420]); // QM00004
});

Deno.test("Pc calls devices that serve disk requests by the names that exits are tied by", () => {
  const { pc, config } = makePc();
  config(BUS_MASTER_BAR, 0xc100);
  config(IDE_COMMAND, 5);
  const names = [PORT.IDE_COMMAND, PORT.IDE_CONTROL, 0xc100].map((at) => pc.ports.ownerOf(at));
  const second = [PORT.IDE2_COMMAND, PORT.IDE2_CONTROL, 0xc108].map((at) => pc.ports.ownerOf(at));
  const pics = [PORT.PIC_MASTER, PORT.PIC_SLAVE].map((at) => pc.ports.ownerOf(at));
  const apics = [MMIO.LOCAL_APIC, MMIO.IO_APIC].map((at) => pc.hypervisorMmio.ownerOf(at));
  const devices = [...names, ...second, ...pics, ...apics];
  assertEquals(devices, SERVICES.filter((name) => name !== name.toUpperCase()));
});
