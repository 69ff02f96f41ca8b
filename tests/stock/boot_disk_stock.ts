/**
 * SeaBIOS from its reset vector, GRUB from the disk's first sector, Debian's kernel from its file
 * system: nothing is loaded but the BIOS.
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { Emulator } from "./emulator.ts";
import { stockFile } from "./kit.ts";
import { assertComplete, assertImage, linuxFile, linuxTest } from "./linux.ts";

const bios = stockFile("seabios", "usr/share/seabios/bios-256k.bin");

/** Lines of SeaBIOS's log that any boot from a disk has, in their order. */
const MILESTONES = [
  "SeaBIOS (version 1.16.2-debian-1.16.2-1)",
  "Running on QEMU (i440fx)",
  "Found QEMU fw_cfg",
  "=== PCI bus & bridge init ===",
  "=== PCI device probing ===",
  "=== PCI new allocation pass #1 ===",
  "=== PCI new allocation pass #2 ===",
  "PIIX3/PIIX4 init: elcr=00 0c",
  "Using pmtimer, ioport 0x608",
  "Found 1 cpu(s) max supported 1 cpu(s)",
  "ATA controller 1 at 1f0/3f4/0 (irq 14 dev 9)",
  "ATA controller 2 at 170/374/0 (irq 15 dev 9)",
  "ata0-0: QEMU HARDDISK ATA-7 Hard-Disk (17 MiBytes)",
  "All threads complete.",
  "Booting from Hard Disk...",
  "Booting from 0000:7c00",
];

linuxTest("boot.img starts Linux through SeaBIOS and GRUB, which switches off", async (folder) => {
  await Deno.copyFile(linuxFile("boot.img"), join(folder, "boot.img"));
  await using run = new Emulator(folder, [
    ...["-bios", bios!, "-hda", "boot.img", "-hdb", "disk.img", "-m", "256"],
    ...["-debugcon", "file:bios.log"],
  ]);
  const end = await run.end();
  assertComplete(end);
  assert(end.serial.includes("GRUB-ON-SERIAL"));
  await assertImage(folder);
  const lines = (await Deno.readTextFile(join(folder, "bios.log"))).split(/\r*\n/);
  // Its first line comes again on the screen, when there is one.
  assertEquals([...new Set(lines.filter((line) => MILESTONES.includes(line)))], MILESTONES);
}, "seabios");
