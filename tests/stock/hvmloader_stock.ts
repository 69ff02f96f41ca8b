/**
 * Xen's own hvmloader in an HVM domain: it finds the domain by hypercalls and xenstore, sets up PCI
 * functions and tables, and starts SeaBIOS, GRUB and Debian's kernel.
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { makeBootDisk } from "./boot_disk.ts";
import { Emulator } from "./emulator.ts";
import { stockFile } from "./kit.ts";
import { assertComplete, assertImage, linuxTest } from "./linux.ts";

const bios = stockFile("seabios", "usr/share/seabios/bios-256k.bin");
const hvmloader = stockFile("xen-utils-4.17", "usr/lib/xen-4.17/boot/hvmloader");

/** Lines of the debug console, hvmloader's and SeaBIOS's, in their order. */
const MILESTONES = [
  "HVM Loader",
  "Detected Xen v4.17.7",
  "Xenbus rings @0xfeffc000, event channel 1",
  "System requested SeaBIOS",
  "PCI-ISA link 0 routed to IRQ5",
  "pci dev 03:0 INTA->IRQ5",
  "pci dev 03:0 bar 14 size 001000000: 0f0000008",
  "pci dev 03:0 bar 10 size 000000100: 00000c001",
  "pci dev 01:1 bar 20 size 000000010: 00000c101",
  " - CPU0 ... done.",
  "Writing SMBIOS tables ...",
  "Loading SeaBIOS ...",
  "Creating MP tables ...",
  "Loading ACPI ...",
  "Invoking SeaBIOS ...",
  "Found Xen hypervisor signature at 40000000",
  "xen: copy BIOS tables...",
  "Using pmtimer, ioport 0xb008",
  "Booting from Hard Disk...",
  "Booting from 0000:7c00",
];

async function boot(folder: string, machine: string): Promise<string> {
  await makeBootDisk(folder);
  await using run = new Emulator(folder, [
    ...["-machine", machine, "-hvmloader", hvmloader!, "-bios", bios!, "-m", "256"],
    ...["-hda", "boot.img", "-hdb", "disk.img", "-debugcon", "file:debug.log"],
  ]);
  const end = await run.end();
  assertComplete(end);
  await assertImage(folder);
  return end.serial;
}

linuxTest(
  "hvmloader starts SeaBIOS, GRUB and Linux",
  async (folder) => {
    const serial = await boot(folder, "xenfv");
    const lines = (await Deno.readTextFile(join(folder, "debug.log"))).split(/\r*\n/);
    assertEquals([...new Set(lines.filter((line) => MILESTONES.includes(line)))], MILESTONES);
    assertStringIncludes(serial, "DMI: Xen HVM domU, BIOS 4.17.7");
    assertStringIncludes(serial, "ACPI: DSDT 0x00000000FC00");
  },
  "seabios",
  "xen-utils-4.17",
);

linuxTest(
  "hvmloader gives the platform device a GSI of its own, for events",
  async (folder) => {
    const serial = await boot(folder, "xenfv,callback-vector=off");
    const [, count] = /^ *28: +(\d+) .*\bxen-platform-pci\r*$/m.exec(serial) ?? [];
    assert(Number(count) > 100, `${count} interrupts`);
  },
  "seabios",
  "xen-utils-4.17",
);
