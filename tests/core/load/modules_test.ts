import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import { loadGuest } from "../../../core/load/detect.ts";
import { readModules } from "../../../core/load/modules.ts";
import { elf32, multibootHeader } from "../../helpers/guest_files.ts";
import { readAt } from "../../helpers/linux_files.ts";

const MIB = 1 << 20;

Deno.test("readModules() takes names, arguments, and doubled commas as QEMU does", () => {
  const read: string[] = [];
  const modules = readModules("a.bin one,,two,b,,c.bin", (path) => {
    read.push(path);
    return new Uint8Array();
  });
  assertEquals(modules.map(({ text }) => text), ["a.bin one,two", "b,c.bin"]);
  assertEquals(read, ["a.bin", "b,c.bin"]);
  assertEquals(readModules("", () => new Uint8Array()), []);
});

Deno.test("readModules() refuses an entry without a name", () => {
  const { message } = assertThrows(() => readModules("a, b", () => new Uint8Array()), UsageError);
  assertEquals(message, 'Cannot read -initrd "a, b": an entry without a file name');
});

Deno.test("loadGuest() lists a Multiboot kernel's modules on pages behind it", () => {
  const file = elf32(MIB, [{ vaddr: MIB, paddr: MIB, bytes: multibootHeader(3), memsz: 5000 }]);
  const image = loadGuest(file, {
    name: "kernel",
    ramBytes: 32 * MIB,
    initrd: "a one,b",
    readFile: (path) => new Uint8Array(path === "a" ? 4097 : 10).fill(path.charCodeAt(0)),
  });
  const info = image.regs[3]!;
  assertEquals(readAt(image, info, 4) & 8, 8);
  assertEquals(readAt(image, info + 20, 4), 2);
  const list = readAt(image, info + 24, 4);
  const range = (module: number) =>
    [0, 4].map((field) => readAt(image, list + module * 16 + field, 4));
  assertEquals([range(0), range(1)], [
    [MIB + 0x2000, MIB + 0x2000 + 4097],
    [MIB + 0x4000, MIB + 0x4000 + 10],
  ]);
  assertEquals(readAt(image, MIB + 0x4000, 1), "b".charCodeAt(0));
  assertEquals(readAt(image, readAt(image, list + 8, 4), 4), 0x6e6f2061); // "a on"
});
