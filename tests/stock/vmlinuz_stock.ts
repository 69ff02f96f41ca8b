/**
 * Debian's bzImage, entered by the 32-bit boot protocol.
 * @module
 */

import { assertComplete, assertImage, linuxTest, pioTest, startKernel } from "./linux.ts";

for (const append of ["", "acpi=off", "nolapic"]) {
  linuxTest(`vmlinuz boots and switches off with "${append}"`, async (folder) => {
    await using run = startKernel(folder, "vmlinuz", append);
    assertComplete(await run.end());
    await assertImage(folder);
  });
}

pioTest("vmlinuz");
