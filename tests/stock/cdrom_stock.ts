/**
 * A CD-ROM that SeaBIOS starts: isolinux loads Debian's kernel, whose sr_mod reads the disc again.
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { sha256 } from "../../core/cli/files.ts";
import { makeIso } from "../helpers/iso.ts";
import { imageBytes } from "../helpers/machine.ts";
import { withFiles } from "../../core/load/cpio.ts";
import { Emulator, tailOf } from "./emulator.ts";
import { stockFile } from "./kit.ts";
import { APPEND, linuxFile } from "./linux.ts";

const cd = (name: string): string => stockFile("cdrom", name)!;
const MODULES = ["cdrom", "sr_mod", "isofs"];

/** @param libata options of that module, which does not see the kernel's command line */
const init = (libata: string): string =>
  `#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for m in $(cat /lib/modules/order) ${MODULES.join(" ")}; do
  case $m in xen*|sd_mod|t10_pi|ext4|jbd2|mbcache|crc*) continue;; esac
  [ $m = libata ] && o="${libata}" || o=
  insmod /lib/modules/$m.ko $o
done
n=0; while [ ! -b /dev/sr0 ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
mount -t iso9660 -o ro /dev/sr0 /mnt
echo "FILE $(sha256sum < /mnt/data.bin)"
umount /mnt
echo "DISC $(sha256sum < /dev/sr0)"
poweroff -f
`;

/** isolinux without a question. */
const CONFIGURATION = "SERIAL 0 115200\nPROMPT 0\nDEFAULT linux\nLABEL linux\nKERNEL vmlinuz\n" +
  `INITRD initrd.gz\nAPPEND ${APPEND}\n`;

function makeInitrd(libata: string): Uint8Array {
  const modules = MODULES.map((name) => [
    `lib/modules/${name}.ko`,
    Deno.readFileSync(cd(`${name}.ko`)),
  ]);
  const files = { ...Object.fromEntries(modules), init: init(libata) };
  return withFiles(Deno.readFileSync(linuxFile("initramfs.gz")), files);
}

/** 1,000,001 bytes: the last block of the file is not full. */
const DATA = imageBytes(2048).subarray(0, 1_000_001);

function makeDisc(libata: string): Uint8Array {
  const file = (name: string, path: string) => ({ name, bytes: Deno.readFileSync(path) });
  return makeIso([
    file("ISOLINUX.BIN", cd("isolinux.bin")),
    file("LDLINUX.C32", cd("ldlinux.c32")),
    file("VMLINUZ", linuxFile("vmlinuz")),
    { name: "ISOLINUX.CFG", bytes: new TextEncoder().encode(CONFIGURATION) },
    { name: "INITRD.GZ", bytes: makeInitrd(libata) },
    { name: "DATA.BIN", bytes: DATA },
  ], "ISOLINUX.BIN");
}

function cdromTest(name: string, libata: string, args: readonly string[]): void {
  const parts = [stockFile("cdrom", ""), stockFile("linux", ""), stockFile("seabios", "")];
  Deno.test({
    name,
    ignore: parts.includes(undefined),
    async fn() {
      const folder = await Deno.makeTempDir();
      try {
        const disc = makeDisc(libata);
        await Deno.writeFile(join(folder, "cd.iso"), disc);
        const bios = stockFile("seabios", "usr/share/seabios/bios-256k.bin")!;
        await using run = new Emulator(folder, ["-bios", bios, "-m", "256", ...args]);
        const end = await run.end();
        assertEquals(end.code, 0, tailOf(end));
        assertStringIncludes(end.serial, `FILE ${sha256(DATA)}`, tailOf(end));
        assertStringIncludes(end.serial, `DISC ${sha256(disc)}`, tailOf(end));
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

cdromTest("SeaBIOS boots a CD-ROM that Linux mounts, by DMA", "", ["-cdrom", "cd.iso"]);
cdromTest("SeaBIOS boots a CD-ROM that Linux mounts, as primary slave by PIO", "dma=0", [
  ...["-drive", "file=cd.iso,media=cdrom,index=1"],
]);
