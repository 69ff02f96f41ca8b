import { assertEquals } from "@std/assert";
import type { BlockBackend } from "../../../core/types.ts";
import { MemoryDisk } from "../../../devices/disk/memory.ts";
import { makeBios } from "../../helpers/bios.ts";
import { BrokenBackend } from "../../helpers/disk.ts";
import { COSTS } from "../../helpers/host.ts";

const SECTORS = 16 * 63 * 3 + 100; // 16 heads, 63 sectors, 3 cylinders and some more
const BUFFER = 0x8000;
const PACKET = 0x600;

/** Every byte of a sector is the low byte of its number plus one. */
function makeDisk(): MemoryDisk {
  const bytes = new Uint8Array(SECTORS * 512);
  for (let sector = 0; sector < SECTORS; sector++) {
    bytes.fill(sector + 1, sector * 512, sector * 512 + 512);
  }
  return new MemoryDisk(bytes);
}

function makeCaller(disk: BlockBackend = makeDisk()) {
  const test = makeBios([disk]);
  const { memory, vcpu, books, call } = test;
  return {
    memory,
    vcpu,
    books,
    call,
    disk,
    hostErrors: test.hostErrors,
    status(ax: number, cx: number, dx: number): [ah: number, carry: boolean] {
      test.call(0x13, { ax, bx: BUFFER, cx, dx });
      return [test.ax >> 8, test.carry];
    },
    al: () => test.ax & 0xff,
    packet(ax: number, lba: number, count: number): [ah: number, carry: boolean] {
      test.memory.write16(PACKET, 16);
      test.memory.write16(PACKET + 2, count);
      test.memory.write16(PACKET + 4, 0);
      test.memory.write16(PACKET + 6, BUFFER >> 4);
      test.memory.write32(PACKET + 8, lba);
      test.memory.write32(PACKET + 12, 0);
      test.vcpu.regs[6] = PACKET; // SI
      test.call(0x13, { ax, dx: 0x80 });
      return [test.ax >> 8, test.carry];
    },
  };
}

Deno.test("INT 13h fails with the host, reads by 10h and writes by CCh", () => {
  const { status, hostErrors } = makeCaller(new BrokenBackend());
  assertEquals(status(0x0201, 1, 0x80), [0x10, true]);
  assertEquals(status(0x0301, 1, 0x80), [0xcc, true]);
  assertEquals(hostErrors.length, 2);
});

Deno.test("INT 13h 02h reads by cylinder, head and sector, for BIOS time only", () => {
  const { status, al, memory, books } = makeCaller();
  // Cylinder 1, head 2, sector 3: (1 * 16 + 2) * 63 + 2 = 1136.
  assertEquals(status(0x0202, 0x0103, 0x0280), [0, false]);
  assertEquals(al(), 2);
  assertEquals([memory.read8(BUFFER), memory.read8(BUFFER + 512)], [1137 & 0xff, 1138 & 0xff]);
  const { bios, exit, ioreq } = books.snapshot();
  assertEquals([bios, exit, ioreq], [COSTS.biosCall + 2 * COSTS.biosSector, 0, 0]);
});

Deno.test("INT 13h 02h refuses what the geometry or the disk does not have", () => {
  const { status } = makeCaller();
  const refused: [number, boolean] = [0x01, true];
  assertEquals(status(0x0201, 0x0000, 0x0080), refused); // sector 0
  assertEquals(status(0x0200, 0x0001, 0x0080), refused); // no sectors
  assertEquals(status(0x0201, 0x0001, 0x1080), refused); // head 16
  assertEquals(status(0x0201, 0x0301, 0x0080), refused); // cylinder 3
  assertEquals(status(0x0201, 0x0001, 0x0081), refused); // drive 81h
  assertEquals(status(0x0201, 0x0001, 0x0000), refused); // floppy
  assertEquals(status(0x5500, 0x0001, 0x0080), refused); // no such function
});

Deno.test("INT 13h 01h tells how the last function ended", () => {
  const { status } = makeCaller();
  status(0x0200, 1, 0x80);
  assertEquals(status(0x0100, 0, 0x80), [0x01, true]);
  status(0x0000, 0, 0x80);
  assertEquals(status(0x0100, 0, 0x80), [0x00, false]);
});

Deno.test("INT 13h 08h tells the last cylinder, head and sector, and how many drives", () => {
  const { status, vcpu } = makeCaller();
  assertEquals(status(0x0800, 0, 0x80), [0, false]);
  assertEquals([vcpu.regs[1], vcpu.regs[2]], [0x023f, 0x0f01]);
});

Deno.test("INT 13h 15h and 41h say that it is a hard disk with packet access", () => {
  const { status, call, vcpu } = makeCaller();
  assertEquals(status(0x1500, 0, 0x80), [0x03, false]);
  assertEquals((vcpu.regs[1]! << 16) | vcpu.regs[2]!, SECTORS);
  call(0x13, { ax: 0x4100, bx: 0x55aa, dx: 0x80 });
  assertEquals([vcpu.regs[0]! >> 8, vcpu.regs[3], vcpu.regs[1]], [0x21, 0xaa55, 1]);
});

Deno.test("INT 13h 42h reads up to the last sector and not beyond", () => {
  const { packet, memory } = makeCaller();
  assertEquals(packet(0x4200, SECTORS - 2, 2), [0, false]);
  assertEquals(memory.read8(BUFFER + 512), SECTORS & 0xff);
  assertEquals(memory.read16(PACKET + 2), 2);
  assertEquals(packet(0x4200, SECTORS - 1, 2), [0x01, true]);
  assertEquals(memory.read16(PACKET + 2), 0);
});

Deno.test("INT 13h 42h refuses a buffer that is not memory", () => {
  const { packet } = makeCaller();
  const count = (0xa0000 - BUFFER) / 512 + 1;
  assertEquals(packet(0x4200, 0, count), [0x09, true]);
});

Deno.test("INT 13h 43h writes; a write-protected disk says so", () => {
  const { packet, memory, disk } = makeCaller();
  memory.write8(BUFFER, 0x77);
  assertEquals(packet(0x4300, 5, 1), [0, false]);
  const sector = new Uint8Array(512);
  disk.read(5, sector);
  assertEquals(sector[0], 0x77);
  const locked: BlockBackend = {
    sectorCount: SECTORS,
    readOnly: true,
    read: () => {},
    write: () => {
      throw new Error("written");
    },
    flush: () => {},
    close: () => {},
  };
  assertEquals(makeCaller(locked).packet(0x4300, 5, 1), [0x03, true]);
});

Deno.test("INT 13h 44h verifies sectors whatever the buffer is, as SeaBIOS does", () => {
  const { call, packet, vcpu, memory } = makeCaller();
  assertEquals(packet(0x4400, SECTORS - 2, 2), [0, false]);
  memory.write16(PACKET + 6, 0xb800);
  call(0x13, { ax: 0x4400, dx: 0x80 });
  assertEquals(vcpu.regs[0]! >> 8, 0);
  assertEquals(packet(0x4400, SECTORS - 1, 2), [0x01, true]);
});

Deno.test("INT 13h has nothing to do for a drive that is always ready, and says so as SeaBIOS does", () => {
  const { status } = makeCaller();
  for (const ah of [0x00, 0x09, 0x0c, 0x0d, 0x10, 0x11, 0x14]) {
    assertEquals(status(ah << 8, 1, 0x80), [0, false]);
    assertEquals(status(ah << 8, 1, 0x81), [0x01, true]);
  }
});

Deno.test("INT 13h 48h tells the geometry of IDENTIFY DEVICE, as SeaBIOS does", () => {
  const edd = (sectorCount: number): number[] => {
    const disk = Object.assign(new BrokenBackend(), { sectorCount });
    const { memory, status, vcpu } = makeCaller(disk);
    memory.write16(PACKET, 26);
    vcpu.regs[6] = PACKET;
    assertEquals(status(0x4800, 0, 0x80), [0, false]);
    return [memory.read16(PACKET + 2), ...[4, 8, 12, 16].map((at) => memory.read32(PACKET + at))];
  };
  assertEquals(edd(2 ** 21), [2, 2080, 16, 63, 2 ** 21]);
  assertEquals(edd(2 ** 25), [0, 16383, 16, 63, 2 ** 25], "more than it can say");
});

Deno.test("INT 13h 48h fills the parameter table", () => {
  const { status, memory, vcpu } = makeCaller();
  memory.write16(PACKET, 26);
  vcpu.regs[6] = PACKET;
  assertEquals(status(0x4800, 0, 0x80), [0, false]);
  const words = [4, 8, 12, 16].map((at) => memory.read32(PACKET + at));
  assertEquals(words, [3, 16, 63, SECTORS]);
  assertEquals(memory.read16(PACKET + 24), 512);
});
