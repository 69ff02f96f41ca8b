import { assertEquals } from "@std/assert";
import { loadBootSector } from "../../../core/load/bootsector.ts";
import { makeBios } from "../../helpers/bios.ts";
import { COSTS } from "../../helpers/host.ts";
import { boot, bootGuest, exitWith, runToEnd } from "../../helpers/small_machine.ts";

const SMAP = 0x534d4150;

Deno.test("Bios puts a stub behind every vector and tells where the hardware is", () => {
  const { bios, memory } = makeBios();
  for (let vector = 0; vector < 256; vector++) {
    const stub = memory.read16(vector * 4 + 2) * 16 + memory.read16(vector * 4);
    assertEquals(bios.covers(stub), true);
  }
  assertEquals([bios.covers(0xeffff), bios.covers(0xf1000)], [false, false]);
  assertEquals(memory.read8(0xf0000 + 0x21 * 16), 0xcf); // INT 21h: iret
  assertEquals(memory.read32(0xf0000 + 0x13 * 16), 0xcfc1010f); // INT 13h: vmcall, iret
  assertEquals([memory.read16(0x400), memory.read16(0x413)], [0x3f8, 639]);
});

Deno.test("Bios leaves of screen and keyboard in the data area what SeaBIOS leaves in mode 3", () => {
  const { memory } = makeBios();
  const words: readonly [gpa: number, value: number][] = [
    [0x449, 0x5003], // mode, columns
    [0x44c, 0x1000], // bytes of a page
    [0x450, 0x0000], // cursor of page 0
    [0x460, 0x0607], // its shape
    [0x463, 0x03d4], // CRT controller
    [0x484, 0x1018], // last row, lines of a character
    [0x496, 0x0010], // a keyboard of 101 keys
  ];
  assertEquals(words.map(([gpa]) => [gpa, memory.read16(gpa)]), words);
});

Deno.test("Bios.call() INT 11h tells of the coprocessor and the mouse, as CMOS does", () => {
  const test = makeBios();
  test.call(0x11, {});
  assertEquals([test.ax, test.memory.read16(0x410)], [0x0226, 0x0226]);
});

Deno.test("Bios.call() INT 10h prints, and charges BIOS time", () => {
  const test = makeBios();
  for (const char of "ok") test.call(0x10, { ax: 0x0e00 | char.charCodeAt(0) });
  test.call(0x10, { ax: 0x0a2d, cx: 3 });
  assertEquals(String.fromCharCode(...test.printed), "ok---");
  assertEquals(test.books.snapshot().bios, 3 * COSTS.biosCall);
  test.call(0x10, { ax: 0x0f00 });
  assertEquals(test.ax, 0x5003);
});

Deno.test("Bios.call() INT 15h E820h lists RAM around the hole, one entry a call", () => {
  const test = makeBios();
  const { memory, vcpu } = test;
  const entries: number[][] = [];
  let next = 0;
  do {
    vcpu.segments[0] = 0x50; // ES
    vcpu.regs[7] = 0x100; // DI
    test.call(0x15, { ax: 0xe820, bx: next, cx: 24, dx: SMAP });
    assertEquals([vcpu.regs[0], vcpu.regs[1], test.carry], [SMAP, 20, false]);
    entries.push([0x600, 0x608, 0x610].map((gpa) => memory.read32(gpa)));
    next = vcpu.regs[3]!;
  } while (next !== 0);
  assertEquals(entries, [
    [0, 0x9fc00, 1],
    [0x9fc00, 0x400, 2],
    [0xf0000, 0x10000, 2],
    [0x100000, 15 << 20, 1],
    [0xfec00000, 0x1400000, 2],
  ]);
  test.call(0x15, { ax: 0xe820, bx: 5, cx: 20, dx: SMAP });
  assertEquals(test.carry, true);
});

Deno.test("Bios.call() INT 15h tells sizes and A20, and refuses what it does not have", () => {
  const test = makeBios();
  test.call(0x15, { ax: 0x8800 });
  assertEquals([test.ax, test.carry], [15 * 1024, false]);
  test.call(0x15, { ax: 0xe801 });
  assertEquals([test.ax, test.vcpu.regs[3]], [15 * 1024, 0]);
  test.call(0x15, { ax: 0x2402 });
  assertEquals([test.ax, test.carry], [1, false]);
  test.call(0x15, { ax: 0xc000 });
  assertEquals([test.ax >> 8, test.carry], [0x86, true]);
});

Deno.test("Bios.call() INT 15h AX=2400h to 2402h switches A20 and tells how it stands, as SeaBIOS does", () => {
  const call = (ax: number) => [0xb8, ax & 0xff, ax >> 8, 0xcd, 0x15];
  const store = [
    ...[0xc6, 0x06, 0x00, 0x05, 0x01], // mov byte [0500h], 1
    ...[0x26, 0xc6, 0x06, 0x10, 0x05, 0x02], // mov byte [es:0510h], 2
  ];
  const seen = (...code: readonly number[]) => {
    const machine = boot(bootGuest(...[0xb8, 0xff, 0xff, 0x8e, 0xc0], ...code, 0xe6, 0xf4)); // mov es, ffffh
    return runToEnd(machine).code >> 1;
  };
  const load = [0xa0, 0x00, 0x05]; // mov al, [0500h]
  const off92 = [0xb0, 0x00, 0xe6, 0x92];
  assertEquals(seen(...call(0x2402)), 1);
  assertEquals(seen(...call(0x2400), ...store, ...load), 2);
  assertEquals(seen(...call(0x2400), ...call(0x2402)), 0);
  assertEquals(seen(...off92, ...call(0x2401), ...store, ...load), 1);
  assertEquals(seen(...off92, ...call(0x2401), ...call(0x2402)), 1);
});

Deno.test("Bios.call() INT 16h without a key makes who waits for one wait in the stub", () => {
  const test = makeBios();
  test.call(0x16, { ax: 0x0100 });
  assertEquals([test.zero, test.vcpu.eflags & 1], [true, 0]);
  test.call(0x16, { ax: 0 });
  assertEquals(test.vcpu.eflags & 1, 1);
});

Deno.test("Bios.call() INT 08h counts ticks up to midnight and ends the interrupt", () => {
  const test = makeBios();
  const { memory, vcpu, pic } = test;
  memory.write32(0x46c, 0x1800ae);
  test.call(0x08, {});
  test.call(0x1a, {});
  assertEquals([vcpu.regs[1], vcpu.regs[2], test.ax & 0xff], [0x18, 0x00af, 0]);
  test.call(0x08, {});
  test.call(0x1a, {});
  assertEquals([vcpu.regs[1], vcpu.regs[2], test.ax & 0xff], [0, 0, 1]);
  assertEquals(pic.log, ["out 0 size 1 20", "out 0 size 1 20"]);
});

Deno.test("Bios begins to count ticks at the time of day that the clock shows, as SeaBIOS does", () => {
  const noon = 1_767_225_600 + 12 * 3600;
  const loadTicks = [0xa0, 0x6e, 0x04, 0xe6, 0xf4]; // mov al, [46eh]; out 0f4h, al
  const hours = runToEnd(boot(bootGuest(...loadTicks), { rtcBase: noon })).code >> 1;
  assertEquals(hours, 12);
});

Deno.test("Bios.call() INT 76h notes the disk's interrupt and ends it", () => {
  const { call, memory, pic } = makeBios();
  call(0x76, {});
  assertEquals([memory.read8(0x48e), pic.log], [0xff, ["out 0 size 1 20"]]);
});

Deno.test("Bios starts a boot sector with interrupts on, as SeaBIOS does: its ticks can be waited for", () => {
  const wait = [0xa1, 0x6c, 0x04, 0x3b, 0x06, 0x6c, 0x04, 0x74, 0xfa]; // mov ax, [46ch]; cmp; je
  const sector = Uint8Array.from([...wait, ...exitWith(1)]);
  const machine = boot(loadBootSector(sector, "ticks.img"), { maxTime: 1e9 });
  assertEquals(runToEnd(machine).reason, "guest-exit");
});

Deno.test("Bios leaves the keyboard controller tested and translating, as SeaBIOS does", () => {
  const seen = (...code: readonly number[]) =>
    runToEnd(boot(bootGuest(...code, 0xe6, 0xf4))).code >> 1;
  assertEquals(seen(0xe4, 0x64), 0x1c); // in al, 64h
  assertEquals(seen(0xb0, 0x20, 0xe6, 0x64, 0xe4, 0x60), 0x61); // out 64h, 20h; in al, 60h
  assertEquals(seen(0xb0, 0x0a, 0xe6, 0x20, 0xe4, 0x20) & 0x02, 0); // IRR: no IRQ 1 of the test
});
