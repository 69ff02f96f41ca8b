/**
 * Debian's kernel, unpacked, entered by PVH.
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { assertComplete, assertImage, linuxTest, startKernel } from "./linux.ts";

for (const append of ["", "acpi=off", "nolapic", "noapic"]) {
  linuxTest(`vmlinux boots and switches off with "${append}"`, async (folder) => {
    await using run = startKernel(folder, "vmlinux", append);
    assertComplete(await run.end());
    await assertImage(folder);
  });
}

linuxTest("vmlinux boots and switches off with its disk in PIO mode", async (folder) => {
  const append = "libata.dma=0 rdinit=/modprobe";
  await using run = startKernel(folder, "vmlinux", append, "--json", "--quiet");
  const end = await run.end();
  assertComplete(end);
  await assertImage(folder);
  const { exits } = JSON.parse(end.report).counters;
  assert(exits.byPort["0x1f0:in"] > 0);
  assertEquals(exits.byPort["0xc100:out"], undefined, "the bus master stays idle");
});
