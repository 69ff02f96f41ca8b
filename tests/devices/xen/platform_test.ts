import { assertEquals } from "@std/assert";
import {
  PLATFORM_BAR1,
  UNPLUG,
  XEN_PLATFORM_PCI,
  XenPlatform,
} from "../../../devices/xen/platform.ts";

function platform() {
  const unplugs: number[] = [];
  const log: string[] = [];
  const locks: boolean[] = [];
  const device = new XenPlatform({
    onUnplug: (mask) => unplugs.push(mask),
    onLog: (byte) => log.push(String.fromCharCode(byte)),
    onRomLock: (locked) => locks.push(locked),
  });
  return { device, unplugs, log, locks };
}

Deno.test("XenPlatform answers Linux's handshake and unplugs what it asks", () => {
  const { device, unplugs } = platform();
  assertEquals(device.readPort(0, 2), 0x49d2);
  assertEquals(device.readPort(2, 1), 1);
  device.writePort(2, 2, 3);
  device.writePort(0, 4, 1);
  assertEquals(device.readPort(0, 2), 0x49d2);
  device.writePort(0, 2, UNPLUG.ALL_DISKS | UNPLUG.ALL_NICS);
  assertEquals(unplugs, [3]);
  assertEquals(device.driver, { product: 3, build: 1 });
});

Deno.test("XenPlatform.writePort() reports every unplug bit once", () => {
  const { device, unplugs } = platform();
  for (const mask of [0, 1, 1, 0xffff, 1]) device.writePort(0, 2, mask);
  assertEquals(unplugs, [1, 0xe]);
  assertEquals(device.unplugged, 0xf);
});

Deno.test("XenPlatform tells its functions apart by the width of the access", () => {
  const { device, unplugs, log } = platform();
  device.writePort(0, 1, 0xff);
  device.writePort(0, 4, 0xffff);
  device.writePort(2, 1, 0x58);
  assertEquals([unplugs, log], [[], ["X"]]);
  assertEquals(device.readPort(0, 1), 1);
  assertEquals([device.readPort(0, 4), device.readPort(2, 2)], [0xffffffff, 0xffff]);
  for (let offset = 3; offset < 16; offset++) assertEquals(device.readPort(offset, 1), 0xff);
});

Deno.test("XenPlatform.bar0 shares flags, log and the older unplug", () => {
  const { device, unplugs, log } = platform();
  device.writePort(0, 1, 1);
  assertEquals([device.bar0.readPort(0, 1), device.bar0.readPort(4, 4)], [1, 0xffffffff]);
  device.bar0.writePort(8, 1, 0x41);
  device.bar0.writePort(8, 1, 1);
  device.bar0.writePort(8, 1, 2);
  device.bar0.writePort(4, 1, 1);
  assertEquals([unplugs, log], [[1, 2], ["A"]]);
  device.bar0.writePort(0, 1, 0);
  assertEquals(device.readPort(0, 1), 0);
});

Deno.test("XEN_PLATFORM_PCI is the function that guests look for", () => {
  const { vendor, device, classCode, bars } = XEN_PLATFORM_PCI;
  assertEquals([vendor, device, classCode], [0x5853, 1, 0xff8000]);
  assertEquals(bars, {
    0: { space: "io", size: 256 },
    1: { space: "memory", size: 16777216, prefetchable: true },
  });
});

Deno.test("XenPlatform locks the ROM area by bit 0 of its flags, at the port and at the BAR", () => {
  const { device, locks } = platform();
  for (const value of [1, 0, 0xfe]) device.writePort(0, 1, value);
  device.bar0.writePort(0, 1, 3);
  assertEquals([locks, device.readPort(0, 1)], [[true, false, false, true], 1]);
});

Deno.test("XenPlatform has no registers in memory: BAR 1 reads zeros", () => {
  PLATFORM_BAR1.writeMmio(0, 4, 77);
  assertEquals([PLATFORM_BAR1.readMmio(0, 4), PLATFORM_BAR1.readMmio(0xffffff, 1)], [0, 0]);
});
