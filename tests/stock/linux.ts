/**
 * Debian's kernel with the initial RAM disk and the disk of `make-initramfs.sh`: what its runs share.
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { Emulator, type RunEnd, tailOf } from "./emulator.ts";
import { stockFile, tool } from "./kit.ts";

/** The serial console, no waiting after a panic, and no self-tests that take minutes. */
export const APPEND = "console=ttyS0 panic=-1 mitigations=off cryptomgr.notests";
const MEMORY = "256";

/** A file of the Linux images. */
export function linuxFile(name: string): string {
  return stockFile("linux", name)!;
}

/** A test of a Linux run in a folder with a fresh disk; ignored without the images. */
export function linuxTest(name: string, fn: (folder: string) => Promise<void>): void {
  Deno.test({
    name,
    ignore: stockFile("linux", "vmlinux") === undefined,
    async fn() {
      const folder = await Deno.makeTempDir();
      try {
        await Deno.copyFile(linuxFile("disk.img"), join(folder, "disk.img"));
        await fn(folder);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

/** Starts a kernel by itself. */
export function startKernel(
  folder: string,
  kernel: "vmlinux" | "vmlinuz",
  append: string = "",
  ...args: readonly string[]
): Emulator {
  return new Emulator(folder, [
    ...["-kernel", linuxFile(kernel), "-initrd", linuxFile("initramfs.gz"), "-m", MEMORY],
    ...["-append", `${APPEND} ${append}`, "-hda", "disk.img", ...args],
  ]);
}

/** The run switched itself off after every line that was expected of it. */
export function assertComplete(end: RunEnd): void {
  assertEquals(end.code, 0, tailOf(end));
  const lines = new Set(end.serial.split(/\r*\n/));
  const expected = Deno.readTextFileSync(linuxFile("expected.txt")).trimEnd().split("\n");
  for (const line of expected) assert(lines.has(line), `no line "${line}" in\n${tailOf(end)}`);
}

/** The file system is sound, and holds what the guest read and what it wrote. */
export async function assertImage(folder: string): Promise<void> {
  await tool("e2fsck", ["-fn", "disk.img"], folder);
  const read = (file: string) => tool("debugfs", ["-R", `cat ${file}`, "disk.img"], folder);
  assertEquals(await read("/hello.txt"), "hello from the ext2 image\n");
  assertEquals(await read("/written.txt"), "written by the guest\n");
}
