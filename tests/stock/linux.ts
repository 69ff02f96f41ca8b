/**
 * Debian's kernel with the initial RAM disk and the disk of `make-initramfs.sh`: what its runs share.
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import type { RequestRecord } from "../../core/machine/exit_report.ts";
import { Emulator, type RunEnd, tailOf } from "./emulator.ts";
import { withFiles } from "../../core/load/cpio.ts";
import { type Part, stockFile, tool } from "./kit.ts";

/** The serial console, no waiting after a panic, and no self-tests that take minutes. */
export const APPEND = "console=ttyS0 panic=-1 mitigations=off cryptomgr.notests";
const MEMORY = "256";

/** A file of the Linux images. */
export function linuxFile(name: string): string {
  return stockFile("linux", name)!;
}

/**
 * Loads modules as far as libata with the options that the kernel's command line has for it, as
 * modprobe would, and goes on with the usual script.
 */
const MODPROBE = `#!/bin/sh
mount -t proc proc /proc
for word in $(cat /proc/cmdline); do
  case $word in libata.*) options="$options \${word#libata.}";; esac
done
for module in $(cat /lib/modules/order); do
  [ $module = libata ] && break
  insmod /lib/modules/$module.ko
done
insmod /lib/modules/libata.ko $options
exec /init
`;

/** A test of a Linux run in a folder with a fresh disk; ignored without the parts it needs. */
export function linuxTest(
  name: string,
  fn: (folder: string) => void | Promise<void>,
  ...parts: readonly Part[]
): void {
  Deno.test({
    name,
    ignore: ["linux" as const, ...parts].some((part) => stockFile(part, "") === undefined),
    async fn() {
      const folder = await Deno.makeTempDir();
      try {
        await Deno.copyFile(linuxFile("disk.img"), join(folder, "disk.img"));
        await layOver(join(folder, "initrd"), { modprobe: MODPROBE });
        await fn(folder);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

/** Writes the initial RAM disk with further scripts in it. */
export async function layOver(
  path: string,
  scripts: Readonly<Record<string, string>>,
): Promise<void> {
  await Deno.writeFile(path, withFiles(await Deno.readFile(linuxFile("initramfs.gz")), scripts));
}

/** Starts a kernel by itself, with the initial RAM disk and the disk of the folder. */
export function startKernel(
  folder: string,
  kernel: "vmlinux" | "vmlinuz",
  append: string,
  ...args: readonly string[]
): Emulator {
  return new Emulator(folder, [
    ...["-kernel", linuxFile(kernel), "-initrd", "initrd", "-hda", "disk.img", "-m", MEMORY],
    ...["-append", `${APPEND} ${append}`, ...args],
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

/** A kernel whose libata is told to leave the bus master alone. */
export function pioTest(kernel: "vmlinux" | "vmlinuz"): void {
  linuxTest(`${kernel} boots and switches off with its disk in PIO mode`, async (folder) => {
    const append = "libata.dma=0 rdinit=/modprobe";
    await using run = startKernel(folder, kernel, append, "--json", "--quiet");
    const end = await run.end();
    assertComplete(end);
    await assertImage(folder);
    const { exits } = JSON.parse(end.report).counters;
    assert(exits.byPort["0x1f0:in"] > 0);
    assertEquals(exits.byPort["0xc100:out"], undefined, "the bus master stays idle");
  });
}

/** The requests that a run wrote with `--requests`. */
export async function readRequests(path: string): Promise<RequestRecord[]> {
  const [, ...lines] = (await Deno.readTextFile(path)).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line));
}
