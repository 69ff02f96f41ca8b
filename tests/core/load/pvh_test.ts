import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import { loadGuest } from "../../../core/load/detect.ts";
import type { GuestImage } from "../../../core/load/image.ts";
import { RSDP_GPA } from "../../../core/load/memory_map.ts";
import { findPvhEntry } from "../../../core/load/pvh.ts";
import { elfNote as note, notedKernel as kernel, readAt } from "../../helpers/linux_files.ts";

const MIB = 1 << 20;
const ENTRY = 16 * MIB + 0x20;
const PHYS32_ENTRY = 18;

const PVH = kernel(
  note("Linux", PHYS32_ENTRY, 1),
  note("Xen", 5, 2),
  note("Xen", PHYS32_ENTRY, ENTRY),
);

function load(more: Partial<Parameters<typeof loadGuest>[1]> = {}): GuestImage {
  const initrd = new Uint8Array(5000).fill(0xa5);
  return loadGuest(PVH, { name: "vmlinux", ramBytes: 64 * MIB, readFile: () => initrd, ...more });
}

Deno.test("findPvhEntry() reads the entry from Xen's note among others", () => {
  assertEquals(findPvhEntry(PVH), ENTRY);
  assertEquals(findPvhEntry(kernel(note("Xen", 5, 2))), undefined);
  assertEquals(findPvhEntry(PVH.subarray(0, 40)), undefined);
});

Deno.test("loadGuest() enters a PVH kernel by its note with EBX at the start information", () => {
  const image = load();
  assertEquals([image.format, image.mode, image.eip], ["pvh", "protected32", ENTRY]);
  const start = image.regs[3]!;
  assertEquals(image.regs, [0, 0, 0, start, 0, 0, 0, 0]);
  const field = (offset: number) => readAt(image, start + offset, 4);
  assertEquals([field(0), field(4), field(8)], [0x336ec578, 1, 0]);
  assertEquals([field(12), field(16)], [0, 0]); // no module
  assertEquals(field(32), RSDP_GPA);
  assertEquals(field(48), 5);
  const fourth = field(40) + 3 * 24;
  const ram = [0, 8, 16].map((at) => readAt(image, fourth + at, 4));
  assertEquals(ram, [MIB, 63 * MIB, 1]);
});

Deno.test("loadGuest() enters Linux as the boot protocol says where a PVH note is to be ignored", () => {
  const banner = [...new TextEncoder().encode("Linux version 6.1.0\0")];
  const linux = kernel(note("Xen", PHYS32_ENTRY, ENTRY), banner);
  const load = (pvh: boolean) => loadGuest(linux, { name: "vmlinux", ramBytes: 64 * MIB, pvh });
  assertEquals([load(true).format, load(true).eip], ["pvh", ENTRY]);
  assertEquals([load(false).format, load(false).eip], ["linux-elf", 0x1000]);
  const other = loadGuest(PVH, { name: "unikernel", ramBytes: 64 * MIB, pvh: false });
  assertEquals(other.format, "pvh", "what is not Linux has no other way");
});

Deno.test("loadGuest() gives a PVH kernel its initrd as the only module", () => {
  const image = load({ initrd: "i.gz", append: "quiet" });
  const field = (offset: number) => readAt(image, image.regs[3]! + offset, 4);
  assertEquals(field(12), 1);
  const module = [0, 8, 16].map((at) => readAt(image, field(16) + at, 4));
  assertEquals(module, [64 * MIB - 2 * 4096, 5000, 0]);
  assertEquals(image.segments.at(-1)!.gpa, module[0]);
  assertEquals(readAt(image, field(24), 4), 0x65697571); // "quie"
});

Deno.test("loadGuest() refuses a PVH kernel whose note names no code, or that RAM cannot hold", () => {
  const refusal = (file: Uint8Array, ramBytes: number) =>
    assertThrows(() => loadGuest(file, { name: "vmlinux", ramBytes }), UsageError).message;
  const astray = kernel(note("Xen", PHYS32_ENTRY, 32 * MIB));
  assertStringIncludes(refusal(astray, 64 * MIB), "enters at 0x2000000, where it has no code");
  assertStringIncludes(refusal(PVH, 16 * MIB), "needs memory up to 0x1100000, RAM has 16 MiB");
});
