/**
 * Debian's kernel, unpacked, entered by PVH and by its ELF entry point.
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { words } from "../helpers/guest_files.ts";
import { Emulator, type RunEnd, tailOf } from "./emulator.ts";
import {
  APPEND,
  assertComplete,
  assertImage,
  linuxFile,
  linuxTest,
  pioTest,
  startKernel,
} from "./linux.ts";

/** Of an ELF note: where its type is, "Xen", the type that names the PVH entry, and one of none. */
const TYPE = 8;
const XEN = 0x006e6558;
const PHYS32_ENTRY = 18;
const UNKNOWN_TYPE = 99;

linuxTest("vmlinux boots twice the same, to the last byte of its books", async (folder) => {
  const ends: RunEnd[] = [];
  for (let boot = 0; boot < 2; boot++) {
    await Deno.copyFile(linuxFile("disk.img"), join(folder, "disk.img"));
    await using run = startKernel(folder, "vmlinux", "", "--json", "--quiet");
    ends.push(await run.end());
  }
  assertComplete(ends[0]!);
  await assertImage(folder);
  assertEquals(ends[1], ends[0]);
});

for (const append of ["acpi=off", "nolapic", "noapic"]) {
  linuxTest(`vmlinux boots and switches off with "${append}"`, async (folder) => {
    await using run = startKernel(folder, "vmlinux", append);
    assertComplete(await run.end());
    await assertImage(folder);
  });
}

pioTest("vmlinux");

linuxTest(
  "vmlinux without a PVH note boots by its ELF entry point, and may reset",
  async (folder) => {
    await Deno.writeFile(join(folder, "kernel"), withoutPvhNote());
    await using run = new Emulator(folder, [
      ...["-kernel", "kernel", "-initrd", "initrd", "-hda", "disk.img", "-m", "256"],
      ...["-append", `${APPEND} oracle.stop=init oracle.end=reboot`],
    ]);
    const end = await run.end();
    assertEquals(end.code, 0, tailOf(end));
    assertStringIncludes(end.serial, "ORACLE stop");
    assertStringIncludes(end.report, "Guest asked for a reset by port 64h");
  },
);

/** The note keeps its place and gets a type that nobody reads. */
function withoutPvhNote(): Uint8Array {
  const kernel = Deno.readFileSync(linuxFile("vmlinux"));
  const note = words(4, 4, PHYS32_ENTRY, XEN);
  let at = kernel.indexOf(PHYS32_ENTRY);
  while (at >= 0 && !note.every((byte, i) => kernel[at - TYPE + i] === byte)) {
    at = kernel.indexOf(PHYS32_ENTRY, at + 1);
  }
  kernel[at] = UNKNOWN_TYPE;
  return kernel;
}
