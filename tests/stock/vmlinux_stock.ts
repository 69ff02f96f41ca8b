/**
 * Debian's kernel, unpacked, entered by PVH.
 * @module
 */

import { assertComplete, assertImage, linuxTest, startKernel } from "./linux.ts";

for (const append of ["", "acpi=off", "nolapic", "noapic", "libata.dma=0"]) {
  linuxTest(`vmlinux boots and switches off with "${append}"`, async (folder) => {
    await using run = startKernel(folder, "vmlinux", append);
    assertComplete(await run.end());
    await assertImage(folder);
  });
}
