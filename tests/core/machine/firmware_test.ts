import { assertEquals } from "@std/assert";
import { RSDP_GPA } from "../../../core/load/memory_map.ts";
import { placeTables } from "../../../core/machine/firmware.ts";
import { findSignature, findTables, sum } from "../../helpers/acpi.ts";
import { makeRam } from "../../helpers/host.ts";

/** The first MiB as a kernel finds it. */
function lowMemory(): Uint8Array {
  const ram = makeRam();
  placeTables(ram, "pentium3");
  const memory = new Uint8Array(0x100000);
  memory.set(ram.range(0xc0000, 0x40000)!, 0xc0000);
  return memory;
}

Deno.test("placeTables() puts the ACPI root where boot records name it and software searches", () => {
  const memory = lowMemory();
  assertEquals(findSignature(memory, "RSD PTR ", 0xe0000), RSDP_GPA);
  assertEquals(sum(memory.subarray(RSDP_GPA, RSDP_GPA + 20)), 0);
  assertEquals(findTables(memory, RSDP_GPA).get("FACS")!.byteOffset % 64, 0);
});

Deno.test("placeTables() puts an MP table that counts its entries where software searches", () => {
  const memory = lowMemory();
  const view = new DataView(memory.buffer);
  const pointer = findSignature(memory, "_MP_", 0xf0000);
  assertEquals([pointer > 0, sum(memory.subarray(pointer, pointer + 16))], [true, 0]);
  const table = view.getUint32(pointer + 4, true);
  const bytes = memory.subarray(table, table + view.getUint16(table + 4, true));
  assertEquals([new TextDecoder().decode(bytes.subarray(0, 4)), sum(bytes)], ["PCMP", 0]);
  const entries: string[] = [];
  for (let at = 44; at < bytes.length; at += bytes[at] === 0 ? 20 : 8) {
    entries.push(bytes.subarray(at, at + (bytes[at] === 0 ? 20 : 8)).toHex());
  }
  assertEquals(entries.length, view.getUint16(table + 34, true));
  assertEquals(entries.slice(0, 4), [
    "0000140373060000" + entries[0]!.slice(16, 24) + "0000000000000000",
    "0100504349202020",
    "0101495341202020",
    "020011010000c0fe",
  ]);
  const interrupts = entries.filter((entry) => entry.startsWith("03"));
  assertEquals(interrupts.slice(0, 4), [
    "03000d000004000a", // INTA of slot 1, PIRQA
    "03000d000008000a", // INTA of slot 2, PIRQB
    "03000d00000c000b", // INTA of slot 3, PIRQC
    "0300000001000002", // the timer
  ]);
  assertEquals(
    interrupts.some((entry) => entry.startsWith("0300000001") && entry.endsWith("0004")),
    true,
  );
});
