import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import { loadGuest } from "../../../core/load/detect.ts";
import type { GuestImage } from "../../../core/load/image.ts";
import { RSDP_GPA } from "../../../core/load/memory_map.ts";
import { elf32 } from "../../helpers/guest_files.ts";
import { bzImage, readAt } from "../../helpers/linux_files.ts";

const MIB = 1 << 20;
const RAM = 64 * MIB;
const INITRD = new Uint8Array(10_000).fill(0xa5);

function load(file: Uint8Array, more: Partial<Parameters<typeof loadGuest>[1]> = {}): GuestImage {
  return loadGuest(file, { name: "vmlinuz", ramBytes: RAM, readFile: () => INITRD, ...more });
}

function refusal(
  file: Uint8Array,
  more: Partial<Parameters<typeof loadGuest>[1]> = {},
): UsageError {
  return assertThrows(() => load(file, more), UsageError);
}

/** An ELF file that only its text tells from others. */
function linuxElf(): Uint8Array {
  const bytes = new TextEncoder().encode("....Linux version 6.1.0 (test)\n");
  return elf32(16 * MIB, [{ vaddr: 0xc1000000, paddr: 16 * MIB, bytes, memsz: 2 * MIB }]);
}

Deno.test("loadGuest() enters a bzImage at 1 MiB with ESI at its boot parameters", () => {
  const image = load(bzImage());
  assertEquals([image.format, image.mode, image.eip], ["bzimage", "protected32", MIB]);
  const [params] = image.regs.slice(6);
  assertEquals(image.regs, [0, 0, 0, 0, 0, 0, params!, 0]);
  assertEquals(readAt(image, params! + 0x202, 4), 0x53726448); // the set-up header came along
  assertEquals(readAt(image, params! + 0x210, 1), 0xff); // a loader without a number
  assertEquals(readAt(image, params! + 0x211, 1), 0x81);
  assertEquals(readAt(image, params! + 0x70, 4), RSDP_GPA);
  assertEquals(image.segments[0]!.gpa, MIB);
  assertEquals(image.segments[0]!.bytes.subarray(0, 4), Uint8Array.of(0xcc, 0xcc, 0xcc, 0xcc));
});

Deno.test("loadGuest() gives a Linux kernel selectors 10h and 18h over a table in its reach", () => {
  const { gdt } = load(bzImage());
  assertEquals([gdt!.code, gdt!.data, gdt!.limit], [0x10, 0x18, 31]);
  assertEquals(readAt(load(bzImage()), gdt!.base + 0x14, 4), 0x00cf9b00);
});

Deno.test("loadGuest() tells Linux of the memory there is", () => {
  const image = load(bzImage());
  const params = image.regs[6]!;
  assertEquals(readAt(image, params + 0x1e8, 1), 5);
  const map = Array.from(
    { length: 5 },
    (_, i) => [0, 8, 16].map((field) => readAt(image, params + 0x2d0 + 20 * i + field, 4)),
  );
  assertEquals(map, [
    [0, 0x9fc00, 1],
    [0x9fc00, 0x400, 2],
    [0xf0000, 0x10000, 2],
    [MIB, RAM - MIB, 1],
    [0xfec00000, 0x1400000, 2],
  ]);
});

Deno.test("loadGuest() puts the command line where Linux is told", () => {
  const image = load(bzImage(), { append: "console=ttyS0 ä" });
  const at = readAt(image, image.regs[6]! + 0x228, 4);
  const { gpa, bytes } = image.segments.find((segment) => segment.gpa <= at && at < MIB)!;
  const text = new TextDecoder().decode(bytes.subarray(at - gpa));
  assertEquals(text.slice(0, text.indexOf("\0")), "console=ttyS0 ä");
});

Deno.test("loadGuest() puts the initrd as high as RAM and the kernel allow, on a page", () => {
  const place = (file: Uint8Array) => {
    const image = load(file, { initrd: "i.gz" });
    const [at, size] = [0x218, 0x21c].map((field) => readAt(image, image.regs[6]! + field, 4));
    assertEquals([image.segments.at(-1)!.gpa, size], [at, INITRD.length]);
    return at;
  };
  assertEquals(place(bzImage()), RAM - 3 * 4096);
  assertEquals(place(bzImage({ initrdLimit: 0x2ffffff })), 0x3000000 - 3 * 4096);
});

Deno.test("loadGuest() keeps the initrd out of what the kernel unpacks itself into", () => {
  const file = bzImage({ preferred: 16 * MIB, initSize: RAM - 16 * MIB - 8192 });
  const { message, hint } = refusal(file, { initrd: "i.gz" });
  assertStringIncludes(message, 'Cannot load initrd "i.gz": its 10000 bytes do not fit');
  assertStringIncludes(hint!, "-m 65 or more");
});

Deno.test("loadGuest() refuses a Linux kernel that needs more RAM than there is", () => {
  const { message, hint } = refusal(bzImage({ preferred: 16 * MIB, initSize: RAM }));
  assertStringIncludes(message, "needs memory up to 0x5000000, RAM has 64 MiB");
  assertEquals(hint, "-m 256");
  assertEquals(refusal(bzImage({ initSize: 1000 * MIB })).hint, "-m 1920");
  const larger = refusal(bzImage({ initSize: 1920 * MIB }));
  assertEquals(larger.hint, "-m 1920 is the most that a machine has");
});

Deno.test("loadGuest() refuses a truncated, an old and a low-loaded bzImage", () => {
  const whole = bzImage();
  assertStringIncludes(refusal(whole.subarray(0, whole.length - 16)).message, "header announces");
  assertStringIncludes(refusal(bzImage({ protocol: 0x0201 })).message, "boot protocol 2.01");
  assertStringIncludes(refusal(bzImage({ loadFlags: 0 })).message, "wanted a bzImage");
});

Deno.test("loadGuest() takes a bzImage whose last paragraph is not full", () => {
  const whole = bzImage();
  const cut = load(whole.subarray(0, whole.length - 8));
  assertEquals(cut.segments[0]!.bytes.length, load(whole).segments[0]!.bytes.length - 8);
});

Deno.test("loadGuest() refuses a 64-bit bzImage", () => {
  const file = bzImage();
  file[0x236] = 1;
  assertStringIncludes(refusal(file).message, "a 64-bit Linux kernel, wanted a 32-bit one");
  const old = bzImage({ protocol: 0x020b });
  old[0x236] = 1;
  assertEquals(load(old).format, "bzimage", "the bit has no meaning before 2.12");
});

Deno.test("loadGuest() refuses a command line that the kernel would cut", () => {
  const { message } = refusal(bzImage({ commandLineSize: 10 }), { append: "x".repeat(11) });
  assertEquals(message, 'Cannot pass -append to guest "vmlinuz": 11 bytes, the kernel takes 10');
});

Deno.test("loadGuest() has room for a command line up to 65,536 bytes, whatever a kernel takes", () => {
  const file = bzImage({ commandLineSize: 0xffffffff });
  const { message } = refusal(file, { append: "x".repeat(130_000) });
  assertStringIncludes(message, "130000 bytes, the kernel takes 65536");
  assertEquals(load(file, { append: "x".repeat(65_536) }).format, "bzimage");
});

Deno.test("loadGuest() does not believe the length in a header before protocol 2.04", () => {
  const old = bzImage({ protocol: 0x0203 });
  old[0x1f6] = 1; // the swap device
  assertEquals(load(old).segments[0]!.bytes.length, 4096);
  const newer = bzImage({ protocol: 0x0204 });
  newer[0x1f6] = 1;
  assertStringIncludes(refusal(newer).message, "header announces");
});

Deno.test("loadGuest() refuses an empty initrd", () => {
  const { message } = refusal(bzImage(), { initrd: "i.gz", readFile: () => new Uint8Array() });
  assertEquals(message, 'Cannot load initrd "i.gz": the file is empty');
});

Deno.test("loadGuest() enters a plain Linux ELF at its entry point with boot parameters", () => {
  const image = load(linuxElf(), { append: "quiet", initrd: "i.gz" });
  assertEquals([image.format, image.eip], ["linux-elf", 16 * MIB]);
  const params = image.regs[6]!;
  assertEquals(readAt(image, params + 0x1e8, 1), 5);
  assertEquals(readAt(image, params + 0x21c, 4), INITRD.length);
  assertEquals(image.segments[0]!.zero, 2 * MIB - image.segments[0]!.bytes.length);
});
