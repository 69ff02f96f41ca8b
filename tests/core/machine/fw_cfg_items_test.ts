import { assertEquals } from "@std/assert";
import { firmwareContents } from "../../../core/machine/fw_cfg_items.ts";
import { FW_CFG } from "../../../devices/fw_cfg.ts";

const RAM_BYTES = 0x12300000;

Deno.test("firmwareContents() tells RAM and processors in little-endian", () => {
  const { items } = firmwareContents({ ramBytes: RAM_BYTES });
  assertEquals([...items.get(FW_CFG.RAM_SIZE)!], [0, 0, 0x30, 0x12, 0, 0, 0, 0]);
  assertEquals([...items.get(FW_CFG.CPU_COUNT)!], [1, 0]);
});

Deno.test("firmwareContents() has a memory map of one entry: RAM from 0", () => {
  const map = firmwareContents({ ramBytes: RAM_BYTES }).files.get("etc/e820")!;
  const view = new DataView(map.buffer, map.byteOffset, map.length);
  assertEquals([map.length, view.getBigUint64(0, true)], [20, 0n]);
  assertEquals([view.getBigUint64(8, true), view.getUint32(16, true)], [BigInt(RAM_BYTES), 1]);
});

Deno.test("firmwareContents() has the tables that a BIOS is to place", () => {
  const names = [...firmwareContents({ ramBytes: RAM_BYTES }).files.keys()];
  assertEquals(names.sort(), ["etc/acpi/rsdp", "etc/acpi/tables", "etc/e820", "etc/table-loader"]);
});

Deno.test("firmwareContents() offers a video ROM, and a screen on the serial port, when asked", () => {
  const vgaRom = new Uint8Array([0x55, 0xaa]);
  const { files, items } = firmwareContents({ ramBytes: RAM_BYTES, vgaRom, serialScreen: true });
  assertEquals(files.get("vgaroms/vgabios-isavga.bin"), vgaRom);
  assertEquals([...items.get(FW_CFG.NO_GRAPHICS)!], [1, 0]);
  assertEquals([...firmwareContents({ ramBytes: RAM_BYTES }).items.get(FW_CFG.NO_GRAPHICS)!], [
    0,
    0,
  ]);
});
