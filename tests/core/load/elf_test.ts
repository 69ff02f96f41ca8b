import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import { elfNotes, isElf, parseElf32 } from "../../../core/load/elf.ts";
import { elf32 } from "../../helpers/guest_files.ts";

const code = { vaddr: 0xc0100000, paddr: 0x100000, bytes: new Uint8Array([0x90, 0xf4]) };
const data = {
  vaddr: 0xc0200000,
  paddr: 0x200000,
  bytes: new Uint8Array([1, 2, 3]),
  memsz: 0x1000,
};

Deno.test("parseElf32() places segments at physical addresses with their bss", () => {
  const { segments } = parseElf32(elf32(0xc0100001, [code, data]), "k");
  assertEquals(segments.map((s) => [s.gpa, [...s.bytes], s.zero]), [
    [0x100000, [0x90, 0xf4], 0],
    [0x200000, [1, 2, 3], 0xffd],
  ]);
});

Deno.test("parseElf32() moves the entry point to the physical place of its segment", () => {
  assertEquals(parseElf32(elf32(0xc0100001, [code, data]), "k").entry, 0x100001);
});

Deno.test("parseElf32() keeps an entry point that lies in no segment", () => {
  assertEquals(parseElf32(elf32(0x100001, [code]), "k").entry, 0x100001);
});

Deno.test("parseElf32() refuses other classes, CPUs and types", () => {
  const patched = (offset: number, value: number) => {
    const file = elf32(0x100000, [code]);
    file[offset] = value;
    return () => parseElf32(file, "k");
  };
  assertThrows(patched(4, 2), UsageError, "64-bit or big-endian");
  assertThrows(patched(5, 2), UsageError, "64-bit or big-endian");
  assertThrows(patched(18, 62), UsageError, "another CPU");
  assertThrows(patched(16, 3), UsageError, "shared library");
});

Deno.test("parseElf32() refuses a file that ends inside its segments or headers", () => {
  const file = elf32(0x100000, [code]);
  for (const length of [4, 51, 60, file.length - 1]) {
    assertThrows(() => parseElf32(file.subarray(0, length), "k"), UsageError, "damaged");
  }
});

Deno.test("parseElf32() refuses a file with nothing to load", () => {
  assertThrows(() => parseElf32(elf32(0x100000, []), "k"), UsageError, "no loadable segment");
});

Deno.test("elfNotes() reads as many notes as the file has room for, and no byte of it twice", () => {
  const empty = { vaddr: 0, paddr: 0, bytes: new Uint8Array(12 * 200_000) };
  const file = elf32(0x100000, [empty, { ...empty, bytes: new Uint8Array() }]);
  const data = new DataView(file.buffer);
  for (const header of [52, 84]) file.set(file.subarray(52, 84), header);
  for (const header of [52, 84]) data.setUint32(header, 4, true);
  assertEquals(elfNotes(file).length, 200_000);
});

const tools =
  ["gcc", "readelf"].every((command) =>
    Deno.permissions.querySync({ name: "run", command }).state === "granted"
  ) && Deno.permissions.querySync({ name: "write" }).state === "granted" &&
  Deno.permissions.querySync({ name: "read" }).state === "granted";

Deno.test({
  name: "parseElf32() agrees with readelf when gcc has linked the file",
  ignore: !tools,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const source = "int big[9000]; int one = 1; void _start(void) { big[one] = 7; for (;;) {} }";
      await Deno.writeTextFile(`${folder}/a.c`, source);
      const flags = "-m32 -nostdlib -static -ffreestanding -fno-pic -Wl,--build-id=none";
      await run("gcc", [...flags.split(" "), "-o", `${folder}/a.elf`, `${folder}/a.c`]);
      const expected = readLoads(await run("readelf", ["-lW", `${folder}/a.elf`]));
      const file = await Deno.readFile(`${folder}/a.elf`);
      assertEquals(isElf(file), true);
      const { segments, entry } = parseElf32(file, "a.elf");
      const actual = segments.map((s) => [s.gpa, s.bytes.length, s.bytes.length + s.zero]);
      assertEquals({ actual, entry }, { actual: expected.loads, entry: expected.entry });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

async function run(command: string, args: string[]): Promise<string> {
  const output = await new Deno.Command(command, { args }).output();
  if (!output.success) throw new Error(new TextDecoder().decode(output.stderr));
  return new TextDecoder().decode(output.stdout);
}

function readLoads(text: string): { entry: number; loads: number[][] } {
  const entry = Number(/Entry point (0x[0-9a-f]+)/.exec(text)?.[1]);
  const row = /^\s+LOAD\s+\S+ \S+ (\S+) (\S+) (\S+)/gm;
  return { entry, loads: [...text.matchAll(row)].map((m) => m.slice(1, 4).map(Number)) };
}
