/**
 * ACPICA's disassembler and compiler as outside witnesses of the ACPI tables.
 * @module
 */

import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { RSDP_GPA } from "../../core/load/memory_map.ts";
import { placeTables } from "../../core/machine/firmware.ts";
import { findTables } from "../helpers/acpi.ts";
import { makeRam } from "../helpers/host.ts";
import { stockFile, tool } from "./kit.ts";

const iasl = stockFile("acpica-tools", "usr/bin/iasl");
const HEADER_BYTES = 36;
/** Of the compiler that made a table, and of the table in whole: a compiler puts its own there. */
const COMPILER = [9, 28, 29, 30, 31, 32, 33, 34, 35];

/** The tables as a kernel finds them, by signature. */
function tables(): Map<string, Uint8Array> {
  const ram = makeRam();
  placeTables(ram, "i686");
  const memory = new Uint8Array(0x100000);
  memory.set(ram.range(0xc0000, 0x40000)!, 0xc0000);
  return findTables(memory, RSDP_GPA);
}

for (const [name, table] of tables()) {
  Deno.test({
    name: `iasl takes ${name} apart without a complaint and puts the same together again`,
    ignore: iasl === undefined,
    async fn() {
      const folder = await Deno.makeTempDir();
      try {
        await Deno.writeFile(join(folder, "table.aml"), table);
        assertEquals(complaints(await tool(iasl!, ["-d", "table.aml"], folder)), []);
        await Deno.remove(join(folder, "table.aml"));
        assertEquals(complaints(await tool(iasl!, ["-oa", "table.dsl"], folder)), []);
        const again = await Deno.readFile(join(folder, "table.aml"));
        assertEquals(withoutCompiler(again), withoutCompiler(table));
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

function complaints(text: string): string[] {
  return text.split("\n").filter((line) => /\b(error|warning|invalid|unknown)\b/i.test(line));
}

function withoutCompiler(table: Uint8Array): Uint8Array {
  const rest = table.slice();
  for (const at of COMPILER) if (at < HEADER_BYTES) rest[at] = 0;
  return rest;
}
