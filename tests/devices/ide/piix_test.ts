import { assertEquals } from "@std/assert";
import { PIIX3_IDE, PIIX3_IDE_BAR } from "../../../devices/ide/piix.ts";
import { PciFunction } from "../../../devices/pci.ts";

Deno.test("PIIX3_IDE has both channels disabled, as before a BIOS", () => {
  const ide = new PciFunction(PIIX3_IDE);
  assertEquals([ide.read(0x00, 4), ide.read(0x08, 4)], [0x70108086, 0x01018000]);
  assertEquals([ide.read(0x40, 2), ide.read(0x42, 2)], [0, 0]);
});

Deno.test("PIIX3_IDE asks for 16 ports and keeps the timings that a driver sets", () => {
  const bars: [number, number | undefined][] = [];
  const ide = new PciFunction(PIIX3_IDE, (bar, base) => bars.push([bar, base]));
  ide.write(0x20, 4, 0xffffffff);
  assertEquals(ide.read(0x20, 4), 0xfffffff1);
  ide.write(0x20, 4, 0x1000);
  ide.write(0x04, 2, 0x0005);
  assertEquals(bars.at(-1), [PIIX3_IDE_BAR, 0x1000]);
  ide.write(0x40, 2, 0xa307);
  assertEquals(ide.read(0x40, 2), 0xa307);
});
