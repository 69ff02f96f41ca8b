import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import { isBootDisk, loadGuest } from "../../../core/load/detect.ts";
import { bootDisk, elf32, multibootHeader } from "../../helpers/guest_files.ts";

const MIB = 1 << 20;
const options = { name: "guest.bin", ramBytes: 32 * MIB };

function usageError(file: Uint8Array, extra: Partial<Parameters<typeof loadGuest>[1]> = {}) {
  return assertThrows(() => loadGuest(file, { ...options, ...extra }), UsageError);
}

Deno.test("loadGuest() enters a boot sector at 0000:7C00 with DL = 80h and interrupts on", () => {
  const image = loadGuest(bootDisk(1), options);
  assertEquals(image.format, "bootsector");
  assertEquals([image.mode, image.interrupts], ["real16", true]);
  assertEquals(image.eip, 0x7c00);
  assertEquals(image.regs[2], 0x80);
  assertEquals(image.segments.map((s) => [s.gpa, s.bytes.length]), [[0x7c00, 512]]);
});

Deno.test("loadGuest() takes only sector 0 when the guest is a disk image", () => {
  const file = bootDisk(64);
  const image = loadGuest(file, options);
  assertEquals(image.segments[0]?.bytes.length, 512);
  assertEquals(isBootDisk(image, file.length), true);
  assertEquals(isBootDisk(loadGuest(bootDisk(1), options), 512), false);
});

Deno.test("loadGuest() boots the disk when its first sectors also hold a Multiboot kernel", () => {
  const file = bootDisk(16);
  file.set(multibootHeader(0), 4096);
  assertEquals(loadGuest(file, options).format, "bootsector");
});

Deno.test("loadGuest() prefers Multiboot when an ELF file has 55 AA at offset 510", () => {
  const bytes = new Uint8Array(1024);
  bytes.set(multibootHeader(0));
  bytes.set([0x55, 0xaa], 510 - 84);
  const file = elf32(MIB, [{ vaddr: MIB, paddr: MIB, bytes }]);
  assertEquals([file[510], file[511]], [0x55, 0xaa]);
  assertEquals(loadGuest(file, options).format, "multiboot");
});

Deno.test("loadGuest() obeys --load before any detection", () => {
  const image = loadGuest(bootDisk(1), {
    ...options,
    placement: { mode: "protected32", gpa: 0x200000 },
  });
  assertEquals([image.format, image.mode, image.eip], ["flat", "protected32", 0x200000]);
});

Deno.test("loadGuest() names the wanted formats when it knows none", () => {
  const error = usageError(new Uint8Array(4096).fill(0x90));
  assertEquals(
    error.message,
    'Cannot load guest "guest.bin": neither a boot sector (55 AA at offset 510), nor a Linux ' +
      "bzImage, nor Multiboot",
  );
  assertEquals(
    error.hint,
    "deno task run guest.bin --load flat@0x100000 runs it as raw 32-bit code",
  );
});

Deno.test("loadGuest() refuses an empty file, and ELF without a Multiboot header", () => {
  assertEquals(
    usageError(new Uint8Array(0)).message,
    'Cannot load guest "guest.bin": the file is empty',
  );
  const file = elf32(MIB, [{ vaddr: MIB, paddr: MIB, bytes: new Uint8Array(16) }]);
  assertEquals(usageError(file).message.includes("an ELF file without a Multiboot header"), true);
});

Deno.test("loadGuest() says how much memory is wanted when the guest is too big for RAM", () => {
  const error = usageError(new Uint8Array(3 * MIB), {
    ramBytes: 2 * MIB,
    placement: { mode: "protected32", gpa: MIB },
  });
  assertEquals(
    error.message,
    'Cannot load guest "guest.bin": it needs memory 0x100000 to 0x400000, RAM has 2 MiB',
  );
  assertEquals(error.hint, "-m 4 or more");
  const far = { placement: { mode: "protected32", gpa: 0xfffff000 } } as const;
  const { hint } = usageError(new Uint8Array(MIB), far);
  assertEquals(hint, "-m 1920 is the most that a machine has");
});

Deno.test("loadGuest() counts the bss when it checks for room", () => {
  const bytes = multibootHeader(0);
  const file = elf32(MIB, [{ vaddr: MIB, paddr: MIB, bytes, memsz: 40 * MIB }]);
  assertEquals(usageError(file).hint, "-m 41 or more");
});

Deno.test("loadGuest() refuses a guest that reaches into the hole below 1 MiB", () => {
  const error = usageError(new Uint8Array(0x40000), {
    placement: { mode: "protected32", gpa: 0x80000 },
  });
  assertEquals(error.message.endsWith("overlaps the hole at 0xa0000 to 0x100000"), true);
});

Deno.test("loadGuest() refuses -append when the guest has no command line", () => {
  const error = usageError(bootDisk(1), { append: "x=1" });
  assertEquals(error.hint, "only Linux and Multiboot kernels do");
});
