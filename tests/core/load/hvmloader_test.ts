import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import { loadHvmloader } from "../../../core/load/hvmloader.ts";
import type { GuestImage } from "../../../core/load/image.ts";
import { elf32 } from "../../helpers/guest_files.ts";

const BASE = 0x100000;
const RAM = 16 << 20;
const BIOS = new Uint8Array(0x20000).fill(0x90);

/** A copy of what has been placed. */
function readAt({ segments }: GuestImage, gpa: number, length: number): Uint8Array {
  const segment = segments.find((s) => gpa >= s.gpa && gpa + length <= s.gpa + s.bytes.length)!;
  return segment.bytes.slice(gpa - segment.gpa, gpa - segment.gpa + length);
}

const load = (ramBytes = RAM) => {
  const code = Uint8Array.of(0xeb, 0xfe);
  const file = elf32(BASE, [{ vaddr: BASE, paddr: BASE, bytes: code, memsz: 0x33f40 }]);
  return loadHvmloader(file, { name: "hvmloader", ramBytes, bios: BIOS });
};

Deno.test("loadHvmloader() enters the ELF file with a start record in EBX", () => {
  const { format, mode, eip, regs } = load();
  assertEquals([format, mode, eip], ["hvmloader", "protected32", BASE]);
  assertEquals(regs, [0, 0, 0, 0x134000, 0, 0, 0, 0]);
});

Deno.test("loadHvmloader() has the BIOS as the module that is called firmware", () => {
  const guest = load();
  const start = guest.regs[3]!;
  const word = (gpa: number) => new DataView(readAt(guest, gpa, 4).buffer).getUint32(0, true);
  assertEquals([word(start), word(start + 4), word(start + 12)], [0x336ec578, 1, 1]);
  const list = word(start + 16);
  assertEquals([word(list), word(list + 8)], [0x135000, BIOS.length]);
  assertEquals(new TextDecoder().decode(readAt(guest, word(list + 16), 9)), "firmware\0");
  assertEquals(guest.segments.find(({ gpa }) => gpa === 0x135000)!.bytes, BIOS);
});

Deno.test("loadHvmloader() writes hvm_info_table, whose sum is zero", () => {
  const bytes = readAt(load(), 0x9f800, 48);
  const view = new DataView(bytes.buffer);
  assertEquals(new TextDecoder().decode(bytes.subarray(0, 8)), "HVM INFO");
  assertEquals(bytes.reduce((sum, byte) => sum + byte, 0) & 0xff, 0);
  assertEquals([8, 16, 20, 24].map((at) => view.getUint32(at, true)), [48, 1, 4096, 0xfeff0]);
  assertEquals([bytes[13], bytes[32]], [1, 1]);
});

Deno.test("loadHvmloader() refuses what has no room, and what is no program", () => {
  const options = { name: "h", ramBytes: RAM, bios: BIOS };
  assertThrows(() => loadHvmloader(BIOS, options), UsageError, "it is no ELF file");
  assertThrows(() => load(0x150000), UsageError, 'Cannot load "hvmloader": it does not fit');
  const at = (gpa: number) => elf32(gpa, [{ vaddr: gpa, paddr: gpa, bytes: new Uint8Array(16) }]);
  const refused = (gpa: number, why: string) =>
    assertThrows(() => loadHvmloader(at(gpa), options), UsageError, why);
  refused(0xa0000, "overlaps the hole");
  refused(0x9f800, "overlaps the hole"); // its BIOS does
  refused(0x7e000, "lies on that from"); // its BIOS on hvm_info_table
});
