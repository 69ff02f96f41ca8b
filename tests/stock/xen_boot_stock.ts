/**
 * SeaBIOS as in an HVM domain, GRUB from the disk's first sector, Debian's kernel from its file
 * system: the disk is on IDE for the firmware, and comes over blkfront once Linux has unplugged it.
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { makeBootDisk } from "./boot_disk.ts";
import { Emulator } from "./emulator.ts";
import { stockFile } from "./kit.ts";
import { assertComplete, assertImage, linuxTest, readRequests } from "./linux.ts";

const bios = stockFile("seabios", "usr/share/seabios/bios-256k.bin");

/** Lines of SeaBIOS's log, in their order. */
const MILESTONES = [
  "SeaBIOS (version 1.16.2-debian-1.16.2-1)",
  "Found Xen hypervisor signature at 40000000",
  "xen: copy e820...",
  "Detected Xen v4.17.7",
  "xen: copy BIOS tables...",
  "ata0-0: QEMU HARDDISK ATA-7 Hard-Disk (17 MiBytes)",
  "All threads complete.",
  "Booting from Hard Disk...",
  "Booting from 0000:7c00",
];

linuxTest("boot.img starts Linux in an HVM domain through SeaBIOS and GRUB", async (folder) => {
  await makeBootDisk(folder);
  await using run = new Emulator(folder, [
    ...["-machine", "xenfv", "-bios", bios!, "-hda", "boot.img", "-hdb", "disk.img", "-m", "256"],
    ...["-debugcon", "file:bios.log", "--requests", "requests.jsonl"],
  ]);
  const end = await run.end();
  assertComplete(end);
  assertStringIncludes(end.serial, "GRUB-ON-SERIAL");
  assertStringIncludes(end.serial, "DMI: Xen HVM domU, BIOS 4.17.7");
  await assertImage(folder);
  const lines = (await Deno.readTextFile(join(folder, "bios.log"))).split(/\r*\n/);
  assertEquals([...new Set(lines.filter((line) => MILESTONES.includes(line)))], MILESTONES);
  await assertHandover(join(folder, "requests.jsonl"));
}, "seabios");

/** The firmware reads over IDE, and nobody does any more when the first request is on a ring. */
async function assertHandover(path: string): Promise<void> {
  const requests = await readRequests(path);
  const times = (isPv: boolean) =>
    requests.filter(({ path }) => (path === "pv") === isPv).map(({ submitNs }) => submitNs);
  assert(requests.some(({ disk, path }) => disk === "hda" && path !== "pv"));
  assert(Math.max(...times(false)) < Math.min(...times(true)));
}
