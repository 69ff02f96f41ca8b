import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import { SymbolTable } from "../../../core/load/symbols.ts";

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("SymbolTable.nameAt() names functions of System.map, and neither data nor what is outside", () => {
  const table = SymbolTable.parse(
    encode(
      "00000040 A absolute\nc1000000 T _stext\nc1000000 t startup\nc1000100 W ioread8\n" +
        "c1001000 D data\nc1002000 B _end\n",
    ),
    "System.map",
  );
  const at = [0x50, 0xc0ffffff, 0xc1000000, 0xc10000ff, 0xc1000100, 0xc1001000, 0xf8000000];
  assertEquals(at.map((address) => table.nameAt(address)), [
    ...[undefined, undefined, "_stext", "_stext", "ioread8", undefined, undefined],
  ]);
});

Deno.test("SymbolTable.nameAt() keeps the module's name of /proc/kallsyms", () => {
  const table = SymbolTable.parse(encode("f8010000 t ata_sff_tf_load\t[libata]\n"), "kallsyms");
  assertEquals(table.nameAt(0xf8010004), "ata_sff_tf_load [libata]");
});

Deno.test("SymbolTable.parse() throws when there is no function in the file", () => {
  for (const text of ["", "no map\n", "00000000 A absolute\n"]) {
    assertThrows(() => SymbolTable.parse(encode(text), "x"), UsageError, "no function in it");
  }
});

Deno.test("SymbolTable.parse() takes a kallsyms whose addresses are hidden for none", () => {
  const hidden = "00000000 T _stext\n00000000 t startup\n00000000 t a [b]\n";
  const error = assertThrows(() => SymbolTable.parse(encode(hidden), "kallsyms"), UsageError);
  assertStringIncludes(error.hint!, "/proc/kallsyms of the guest as root reads it");
  assertEquals(SymbolTable.parse(encode("00000000 T main\n"), "nm").nameAt(5), "main");
});

/** Sections: none, .text of 100h bytes at 100000h, symbols, strings. */
function elf(): Uint8Array {
  const file = new Uint8Array(0x200);
  const data = new DataView(file.buffer);
  const words = (at: number, ...values: number[]) =>
    values.forEach((value, i) => data.setUint32(at + 4 * i, value, true));
  words(0, 0x464c457f);
  words(32, 0x100); // section headers
  data.setUint16(46, 40, true);
  data.setUint16(48, 4, true);
  words(0x100 + 40, 0, 1, 4, 0x100000, 0, 0x100);
  words(0x100 + 80, 0, 2, 0, 0, 0x80, 48, 3);
  words(0x100 + 120, 0, 3, 0, 0, 0x60, 16);
  file.set(encode("\0main\0helper\0"), 0x60);
  words(0x90, 1, 0x100000, 0, 0x10012); // global function in section 1
  words(0xa0, 6, 0x100040, 0, 0x10002);
  return file;
}

Deno.test("SymbolTable.parse() reads the symbols of an ELF file, up to its section's end", () => {
  const table = SymbolTable.parse(elf(), "guest");
  const at = [0xfffff, 0x100000, 0x10003f, 0x100040, 0x1000ff, 0x100100];
  assertEquals(at.map((address) => table.nameAt(address)), [
    ...[undefined, "main", "main", "helper", "helper", undefined],
  ]);
});

Deno.test("SymbolTable.parse() throws when an ELF file is damaged or stripped", () => {
  const damaged = elf();
  new DataView(damaged.buffer).setUint32(32, 0x1000, true);
  assertThrows(() => SymbolTable.parse(damaged, "x"), UsageError, "headers point outside");
  for (const [offset, value] of [[0x100 + 80 + 24, 4], [0x100 + 120 + 16, 0x1ff]] as const) {
    const unnamed = elf();
    unnamed[0x1ff] = 0x78;
    new DataView(unnamed.buffer).setUint32(offset, value, true);
    assertThrows(() => SymbolTable.parse(unnamed, "x"), UsageError, "headers point outside");
  }
  const stripped = elf();
  new DataView(stripped.buffer).setUint16(48, 2, true);
  assertThrows(() => SymbolTable.parse(stripped, "x"), UsageError, "no function in it");
});
