/**
 * What a guest was told is durable outlives the emulator.
 * @module
 */

import { assertImage, linuxTest, startKernel } from "./linux.ts";

linuxTest(
  "an image holds what the guest has flushed when the emulator is killed",
  async (folder) => {
    await using run = startKernel(folder, "vmlinux", "oracle.stop=shell");
    await run.until(/ORACLE OK/);
    run.kill();
    await run.end();
    await assertImage(folder);
  },
);
