/**
 * The disk with GRUB for a machine whose Linux finds its disks over blkfront.
 * @module
 */

import { assertNotEquals } from "@std/assert";
import { join } from "@std/path";
import { gunzipSync } from "node:zlib";
import { tool } from "./kit.ts";
import { layOver, linuxFile } from "./linux.ts";

/** Where the disk's file system begins. */
const PARTITION = 1 << 20;

/** Makes boot.img: what GRUB starts looks for xvdb, whatever GRUB tells it. */
export async function makeBootDisk(folder: string): Promise<void> {
  const archive = gunzipSync(await Deno.readFile(linuxFile("initramfs.gz"))).toString("latin1");
  const [init = ""] = /#!\/bin\/sh\nmount -t proc[^]*?\nend\n/.exec(archive) ?? [];
  const named = init.replace("D=${w#oracle.disk=}", "D=/dev/xvdb");
  assertNotEquals(named, init);
  await layOver(join(folder, "initramfs"), { init: named });
  await Deno.copyFile(linuxFile("boot.img"), join(folder, "boot.img"));
  for (const request of ["rm initramfs.gz", "write initramfs initramfs.gz"]) {
    await tool("debugfs", ["-w", "-R", request, `boot.img?offset=${PARTITION}`], folder);
  }
}
