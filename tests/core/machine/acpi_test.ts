import { assertEquals } from "@std/assert";
import { buildAcpi, placeAcpi } from "../../../core/machine/acpi.ts";
import { ACPI_FILES, acpiFiles } from "../../../core/machine/acpi_loader.ts";
import { findTables, sum } from "../../helpers/acpi.ts";

const BASE = 0x40;

/** The tables at {@link BASE}, the root pointer at 0. */
function placed(): Uint8Array {
  const { rsdp, tables } = placeAcpi(buildAcpi(), BASE);
  const memory = new Uint8Array(BASE + tables.length);
  memory.set(rsdp);
  memory.set(tables, BASE);
  return memory;
}

Deno.test("placeAcpi() makes pointers lead from the root to every table, and sums 0", () => {
  const memory = placed();
  assertEquals(sum(memory.subarray(0, 20)), 0);
  const tables = findTables(memory, 0);
  assertEquals([...tables.keys()], ["RSDT", "FACP", "APIC", "FACS", "DSDT"]);
  for (const [name, table] of tables) {
    if (name !== "FACS") assertEquals([name, sum(table)], [name, 0]);
  }
});

Deno.test("placeAcpi() leaves the image as it was", () => {
  const image = buildAcpi();
  placeAcpi(image, 0x1000);
  assertEquals(image, buildAcpi());
});

Deno.test("buildAcpi() names the board's registers in the FADT", () => {
  const fadt = findTables(placed(), 0).get("FACP")!;
  const view = new DataView(fadt.buffer, fadt.byteOffset, fadt.length);
  assertEquals(fadt.length, 0x74);
  assertEquals(view.getUint16(0x2e, true), 9);
  const ports = [0x30, 0x38, 0x40, 0x4c, 0x50].map((at) => view.getUint32(at, true));
  assertEquals(ports, [0xb2, 0x600, 0x604, 0x608, 0xafe0]);
});

Deno.test("buildAcpi() lists one processor, one I/O APIC and the overrides in the MADT", () => {
  const madt = findTables(placed(), 0).get("APIC")!;
  const entries: string[] = [];
  for (let at = 44; at < madt.length; at += madt[at + 1]!) {
    entries.push(madt.subarray(at, at + madt[at + 1]!).toHex());
  }
  assertEquals(entries, [
    "0008000001000000",
    "010c00000000c0fe00000000",
    "020a0000020000000000",
    "020a0005050000000d00",
    "020a0009090000000d00",
    "020a000a0a0000000d00",
    "020a000b0b0000000d00",
    "0406ff000001",
  ]);
});

/** What SeaBIOS does with the script, at addresses of this test's choice. */
function runScript(files: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> {
  const script = files.get(ACPI_FILES.script)!;
  const view = new DataView(script.buffer);
  const memory = new Map<string, Uint8Array>();
  const name = (at: number) => {
    return new TextDecoder().decode(script.subarray(at, at + 56)).replace(/\0+$/, "");
  };
  for (let at = 0; at < script.length; at += 128) {
    const [command, file] = [view.getUint32(at, true), name(at + 4)];
    const place = memory.get(file);
    if (command === 1) memory.set(file, files.get(file)!.slice());
    else if (command === 2) {
      assertEquals([name(at + 60), view.getUint8(at + 120)], [ACPI_FILES.tables, 4]);
      const pointer = new DataView(place!.buffer);
      const offset = view.getUint32(at + 116, true);
      pointer.setUint32(offset, pointer.getUint32(offset, true) + BASE, true);
    } else {
      const [sumAt, start, length] = [60, 64, 68].map((field) => view.getUint32(at + field, true));
      place![sumAt!] = place![sumAt!]! - sum(place!.subarray(start, start! + length!));
    }
  }
  return memory;
}

Deno.test("acpiFiles() has a script that places the tables as the machine would", () => {
  const memory = runScript(acpiFiles(buildAcpi()));
  const { rsdp, tables } = placeAcpi(buildAcpi(), BASE);
  assertEquals(memory.get(ACPI_FILES.rsdp), rsdp);
  assertEquals(memory.get(ACPI_FILES.tables), tables);
});
