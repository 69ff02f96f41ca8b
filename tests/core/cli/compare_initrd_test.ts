import { assertEquals } from "@std/assert";
import { compareInitrd } from "../../../core/cli/compare_initrd.ts";
import { writeCpio } from "../../../core/load/cpio.ts";
import { readInitramfs } from "../../../core/load/initramfs.ts";
import { moduleNeeding } from "../../helpers/linux_files.ts";

const program = Uint8Array.of(1, 2, 3);
const initrd = {
  name: "initrd.img",
  bytes: writeCpio({
    "usr/bin/busybox": "no need",
    "usr/lib/modules/x/ata_piix.ko": moduleNeeding("libata"),
    "usr/lib/modules/x/libata.ko": moduleNeeding(""),
  }),
};
const order = (files: Map<string, Uint8Array>) =>
  new TextDecoder().decode(files.get("modules/order"));

Deno.test("compareInitrd() packs the program, the drivers and their order", () => {
  const { bytes, missing } = compareInitrd(initrd, program, ["ata_piix", "sd_mod"], "quiet");
  const files = readInitramfs({ name: "made", bytes });
  assertEquals(missing, ["sd_mod"]);
  assertEquals([...files.keys()], [
    "init",
    "modules/order",
    "modules/libata.ko",
    "modules/ata_piix.ko",
  ]);
  assertEquals(files.get("init"), program);
  assertEquals(order(files), "libata.ko\nata_piix.ko\n");
});

Deno.test("compareInitrd() hands parameters on the command line to their modules", () => {
  const append = "libata.dma=0 quiet ata-piix.x=1 libata.force=noncq";
  const { bytes } = compareInitrd(initrd, program, ["ata_piix"], append);
  const files = readInitramfs({ name: "made", bytes });
  assertEquals(order(files), "libata.ko dma=0 force=noncq\nata_piix.ko x=1\n");
});

Deno.test("compareInitrd() makes do without the user's", () => {
  const { bytes, missing } = compareInitrd(undefined, program, ["xen_blkfront"], "");
  assertEquals(missing, ["xen_blkfront"]);
  assertEquals(order(readInitramfs({ name: "made", bytes })), "");
});
