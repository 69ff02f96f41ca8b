import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import { findMultibootHeader, loadMultiboot } from "../../../core/load/multiboot.ts";
import type { GuestImage } from "../../../core/load/image.ts";
import { elf32, multibootHeader } from "../../helpers/guest_files.ts";

const MIB = 1 << 20;
const options = { name: "k.bin", ramBytes: 64 * MIB, append: "op=read bs=4096" };

function at(offset: number, bytes: Uint8Array, length: number = offset + bytes.length): Uint8Array {
  const file = new Uint8Array(length);
  file.set(bytes, offset);
  return file;
}

/** The boot information: the last segment, as the guest finds it through EBX. */
function information(image: GuestImage) {
  const segment = image.segments.find((s) => s.gpa === image.regs[3]);
  if (segment === undefined) throw new Error("EBX points to no segment");
  const view = new DataView(segment.bytes.buffer, segment.bytes.byteOffset);
  const word = (offset: number) => view.getUint32(offset, true);
  const text = (gpa: number) => {
    const from = segment.bytes.subarray(gpa - segment.gpa);
    return new TextDecoder().decode(from.subarray(0, from.indexOf(0)));
  };
  return { segment, word, text };
}

Deno.test("findMultibootHeader() wants alignment, checksum and the first 8 KiB", () => {
  const header = multibootHeader(3);
  assertEquals(findMultibootHeader(at(64, header)), 64);
  assertEquals(findMultibootHeader(at(8180, header)), 8180);
  assertEquals(findMultibootHeader(at(8184, header)), undefined);
  assertEquals(findMultibootHeader(at(62, header)), undefined);
  const wrong = multibootHeader(3);
  wrong[8]! ^= 1;
  assertEquals(findMultibootHeader(at(0, wrong)), undefined);
  assertEquals(findMultibootHeader(new Uint8Array(3)), undefined);
});

Deno.test("loadMultiboot() enters with the magic in EAX and the information in EBX", () => {
  const file = elf32(MIB, [{ vaddr: MIB, paddr: MIB, bytes: multibootHeader(2) }]);
  const image = loadMultiboot(file, 84, options);
  assertEquals(image.mode, "protected32");
  assertEquals(image.eip, MIB);
  assertEquals(image.regs[0], 0x2badb002);
  const { word, text } = information(image);
  assertEquals(word(0), 0b10_0100_0101);
  assertEquals([word(4), word(8)], [639, 63 * 1024]);
  assertEquals(text(word(16)), "k.bin op=read bs=4096");
  assertEquals(text(word(64)), "trapring");
});

Deno.test("loadMultiboot() makes one word of a file name with folders and blanks", () => {
  const file = elf32(MIB, [{ vaddr: MIB, paddr: MIB, bytes: multibootHeader(2) }]);
  const image = loadMultiboot(file, 84, { ...options, name: "/my guests/a b.bin", append: "x=1" });
  const { word, text } = information(image);
  assertEquals(text(word(16)), "a_b.bin x=1");
});

Deno.test("loadMultiboot() lists RAM and holes in the memory map", () => {
  const file = elf32(MIB, [{ vaddr: MIB, paddr: MIB, bytes: multibootHeader(2) }]);
  const { segment, word } = information(loadMultiboot(file, 84, options));
  const entries: number[][] = [];
  let offset = word(48) - segment.gpa;
  const end = offset + word(44);
  for (; offset < end; offset += word(offset) + 4) {
    assertEquals([word(offset), word(offset + 8), word(offset + 16)], [20, 0, 0]);
    entries.push([word(offset + 4), word(offset + 12), word(offset + 20)]);
  }
  assertEquals(entries, [
    [0, 0x9fc00, 1],
    [0x9fc00, 0x400, 2],
    [0xf0000, 0x10000, 2],
    [0x100000, 63 * MIB, 1],
    [0xfec00000, 0x1400000, 2],
  ]);
});

Deno.test("loadMultiboot() names only the kernel when there is no -append", () => {
  const file = elf32(MIB, [{ vaddr: MIB, paddr: MIB, bytes: multibootHeader(2) }]);
  const { word, text } = information(loadMultiboot(file, 84, { ...options, append: "" }));
  assertEquals(text(word(16)), "k.bin");
});

Deno.test("loadMultiboot() keeps the information off the kernel's own low memory", () => {
  const low = { vaddr: 0x1000, paddr: 0x1000, bytes: multibootHeader(0), memsz: 0x9f000 - 0x1000 };
  const image = loadMultiboot(elf32(0x1000, [low]), 84, options);
  const { segment } = information(image);
  assertEquals(segment.gpa + segment.bytes.length <= 0x1000, true);
  const all = { ...low, vaddr: 0x400, paddr: 0x400, memsz: 0x9f000 - 0x400 };
  assertThrows(() => loadMultiboot(elf32(0x400, [all]), 84, options), UsageError, "low memory");
});

Deno.test("loadMultiboot() follows the header's addresses when flag 16 is set", () => {
  const base = MIB + 0x1000;
  const header = multibootHeader(1 << 16, base + 16, base, base + 64, base + 256, base + 48);
  const image = loadMultiboot(at(80, header, 200), 80, options);
  assertEquals(image.eip, base + 48);
  const [kernel] = image.segments;
  assertEquals([kernel?.gpa, kernel?.bytes.length, kernel?.zero], [base, 64, 192]);
  assertEquals(kernel?.bytes.subarray(16, 28), header.subarray(0, 12));
});

Deno.test("loadMultiboot() loads to the end of the file when load_end_addr is 0", () => {
  const image = loadMultiboot(
    at(0, multibootHeader(1 << 16, MIB, MIB, 0, 0, MIB + 32), 100),
    0,
    options,
  );
  assertEquals([image.segments[0]?.bytes.length, image.segments[0]?.zero], [100, 0]);
});

Deno.test("loadMultiboot() refuses addresses that point outside the file", () => {
  const bad = [
    [MIB + 64, MIB, 0, 0, MIB], // load_addr lies before the file
    [MIB, MIB + 4, 0, 0, MIB], // header_addr below load_addr
    [MIB, MIB, MIB + 4096, 0, MIB], // load_end_addr past the file
    [MIB, MIB, MIB + 64, MIB + 32, MIB], // bss ends before the data
  ];
  for (const addresses of bad) {
    const file = at(0, multibootHeader(1 << 16, ...addresses), 128);
    assertThrows(() => loadMultiboot(file, 0, options), UsageError, "Multiboot header");
  }
  const short = multibootHeader(1 << 16, MIB);
  assertThrows(() => loadMultiboot(short, 0, options), UsageError, "ends inside the header");
});

Deno.test("loadMultiboot() refuses demands it cannot meet, and files that are not ELF", () => {
  const video = at(0, multibootHeader(1 << 2), 64);
  assertThrows(() => loadMultiboot(video, 0, options), UsageError, "feature bits 0x4");
  const flat = at(0, multibootHeader(0), 64);
  assertThrows(() => loadMultiboot(flat, 0, options), UsageError, "it is not ELF");
});
