/**
 * Debian's kernel as a guest that knows of Xen: its emulated disk is unplugged, and the same disk
 * comes over blkfront.
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { assertComplete, assertImage, linuxTest, startKernel } from "./linux.ts";

linuxTest("vmlinuz that is shown Xen finds its disk over blkfront", async (folder) => {
  const xen = ["-machine", "xenfv", "--json", "--quiet"];
  await using run = startKernel(folder, "vmlinuz", "oracle.disk=/dev/xvda", ...xen);
  const end = await run.end();
  assertComplete(end);
  await assertImage(folder);
  const paths = JSON.parse(end.report).exits.requests.map(({ path }: { path: string }) => path);
  assert(paths.length > 0);
  assertEquals(new Set(paths), new Set(["pv"]));
});
