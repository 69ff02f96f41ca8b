import { assertEquals } from "@std/assert";
import { I440FX, PIIX3_ISA } from "../../devices/chipset.ts";
import { PciFunction } from "../../devices/pci.ts";

Deno.test("I440FX is what SeaBIOS takes for QEMU", () => {
  const bridge = new PciFunction(I440FX);
  assertEquals(bridge.read(0x00, 4), 0x12378086);
  assertEquals(bridge.read(0x08, 4), 0x06000002);
  assertEquals(bridge.read(0x2c, 4), 0x11001af4);
  assertEquals([bridge.read(0x57, 1), bridge.read(0x72, 1)], [0x20, 0x02]);
});

Deno.test("I440FX stores the PAM writes of SeaBIOS", () => {
  const bridge = new PciFunction(I440FX);
  const values = [0x10, 0x11, 0x11, 0x11, 0x11, 0x11, 0x33];
  values.forEach((value, index) => bridge.write(0x59 + index, 1, value));
  assertEquals(values.map((_, index) => bridge.read(0x59 + index, 1)), values);
  bridge.write(0x58, 4, 0xffffffff);
  assertEquals(bridge.read(0x58, 4), 0x333330ff);
});

Deno.test("PIIX3_ISA is function 0 of several, its interrupt routing off", () => {
  const bridge = new PciFunction(PIIX3_ISA);
  assertEquals(bridge.read(0x00, 4), 0x70008086);
  assertEquals(bridge.read(0x04, 4), 0x02000000);
  assertEquals(bridge.read(0x08, 4), 0x06010000);
  assertEquals(bridge.read(0x0e, 1), 0x80);
  assertEquals(bridge.read(0x60, 4), 0x80808080);
});

Deno.test("PIIX3_ISA keeps the PIRQ routes that SeaBIOS writes", () => {
  const bridge = new PciFunction(PIIX3_ISA);
  [0x0a, 0x0a, 0x0b, 0xfb].forEach((route, index) => bridge.write(0x60 + index, 1, route));
  assertEquals(bridge.read(0x60, 4), 0x8b0b0a0a);
});
