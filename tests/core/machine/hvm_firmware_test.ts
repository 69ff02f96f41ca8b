import { assertEquals } from "@std/assert";
import { DEFAULT_PROFILE } from "../../../core/cpu/cpuid.ts";
import { placeHvmFirmware } from "../../../core/machine/hvm_firmware.ts";
import { buildSmbios } from "../../../core/machine/smbios.ts";
import { PagedMemory } from "../../helpers/xen_guest.ts";

const RAM = 4 << 20;
const UUID = "00112233-4455-6677-8899-aabbccddeeff";

function placed(): PagedMemory {
  const memory = new PagedMemory(RAM / 4096);
  const bios = new Uint8Array(0x20000).map((_, i) => i >> 8);
  placeHvmFirmware(memory, { bios, cpu: DEFAULT_PROFILE, version: "4.17.7", uuid: UUID });
  return memory;
}

const textAt = (memory: PagedMemory, gpa: number, length: number) =>
  String.fromCharCode(...Array.from({ length }, (_, i) => memory.read8(gpa + i)));
const sum = (bytes: readonly number[]) => bytes.reduce((total, byte) => total + byte, 0) & 0xff;
const bytesAt = (memory: PagedMemory, gpa: number, length: number) =>
  Array.from({ length }, (_, i) => memory.read8(gpa + i));

Deno.test("placeHvmFirmware() puts the BIOS below 1 MiB and its record at 1000h", () => {
  const memory = placed();
  assertEquals([memory.read8(0xe0000), memory.read8(0xe0100), memory.read8(0xfffff)], [0, 1, 0xff]);
  assertEquals(textAt(memory, 0x1000, 14), "XenHVMSeaBIOS\0");
  assertEquals([memory.read8(0x100e), sum(bytesAt(memory, 0x1000, 32))], [32, 0]);
});

Deno.test("placeHvmFirmware() points to ACPI, MP table and SMBIOS at the end of RAM", () => {
  const memory = placed();
  const list = memory.read32(0x1010);
  assertEquals(memory.read32(0x1014), 3);
  const pointers = [0, 1, 2].map((i) => memory.read32(list + 4 * i));
  assertEquals(pointers.map((gpa) => textAt(memory, gpa, 4)), ["RSD ", "_MP_", "_SM_"]);
  for (const gpa of pointers) assertEquals(gpa >= RAM - 0x10000, true);
  const rsdt = memory.read32(pointers[0]! + 16);
  assertEquals(textAt(memory, rsdt, 4), "RSDT");
  const smbios = memory.read32(pointers[2]! + 24);
  assertEquals([memory.read8(smbios), memory.read8(smbios + 1)], [0, 24]);
});

Deno.test("placeHvmFirmware() tells of RAM without the tables", () => {
  const memory = placed();
  const [map, count] = [memory.read32(0x1018), memory.read32(0x101c)];
  const entries = Array.from({ length: count }, (_, i) => {
    const at = map + 20 * i;
    return [Number(memory.read64(at)), Number(memory.read64(at + 8)), memory.read32(at + 16)];
  });
  assertEquals(entries, [
    [0, 0x9fc00, 1],
    [0x9fc00, 0x400, 2],
    [0xf0000, 0x10000, 2],
    [0x100000, RAM - 0x110000, 1],
    [RAM - 0x10000, 0x10000, 2],
    [0xfec00000, 0x1400000, 2],
  ]);
});

Deno.test("buildSmbios() has sums of zero, and counts what it has", () => {
  const { entryPoint, table } = buildSmbios(0x12340, { ramBytes: RAM, version: "4", uuid: UUID });
  const view = new DataView(entryPoint.buffer);
  assertEquals([sum([...entryPoint]), sum([...entryPoint.subarray(16)])], [0, 0]);
  assertEquals([view.getUint16(22, true), view.getUint32(24, true)], [table.length, 0x12340]);
  const types: number[] = [];
  for (let at = 0; at < table.length;) {
    types.push(table[at]!);
    at += table[at + 1]!;
    while (table[at] !== 0 || table[at + 1] !== 0) at++;
    at += 2;
  }
  assertEquals(types, [0, 1, 3, 4, 16, 17, 19, 32, 127]);
  assertEquals(view.getUint16(28, true), types.length);
});

Deno.test("buildSmbios() has the UUID in the order of its digits", () => {
  const { table } = buildSmbios(0, { ramBytes: RAM, version: "4", uuid: UUID });
  const text = [...table].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  assertEquals(text.includes(UUID.replaceAll("-", "")), true);
});
