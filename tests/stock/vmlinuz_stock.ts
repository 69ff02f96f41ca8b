/**
 * Debian's bzImage, entered by the 32-bit boot protocol.
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { assertComplete, assertImage, linuxTest, startKernel } from "./linux.ts";

for (const append of ["", "acpi=off", "nolapic"]) {
  linuxTest(`vmlinuz boots and switches off with "${append}"`, async (folder) => {
    await using run = startKernel(folder, "vmlinuz", append);
    assertComplete(await run.end());
    await assertImage(folder);
  });
}

linuxTest("vmlinuz boots and switches off with its disk in PIO mode", async (folder) => {
  const append = "libata.dma=0 rdinit=/modprobe";
  await using run = startKernel(folder, "vmlinuz", append, "--json", "--quiet");
  const end = await run.end();
  assertComplete(end);
  await assertImage(folder);
  const { exits } = JSON.parse(end.report).counters;
  assert(exits.byPort["0x1f0:in"] > 0);
  assertEquals(exits.byPort["0xc100:out"], undefined, "the bus master stays idle");
});
