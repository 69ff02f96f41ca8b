import { assertEquals } from "@std/assert";
import { gzipSync } from "node:zlib";
import { findModules } from "../../../core/load/kernel_modules.ts";
import { moduleNeeding } from "../../helpers/linux_files.ts";

const files = new Map<string, Uint8Array>([
  ["lib/modules/6.1/kernel/drivers/ata/ata_piix.ko", moduleNeeding("libata")],
  ["lib/modules/6.1/kernel/drivers/ata/libata.ko.gz", gzipSync(moduleNeeding("scsi-mod"))],
  ["lib/modules/6.1/kernel/drivers/scsi/scsi_mod.ko", moduleNeeding("")],
  ["lib/modules/6.1/kernel/drivers/block/xen-blkfront.ko", new Uint8Array(64)],
  ["lib/modules/6.1/modules.dep", new Uint8Array(8)],
]);
const names = (...wanted: string[]) => {
  const { found, missing } = findModules(files, wanted);
  return [found.map(({ name }) => name), missing];
};

Deno.test("findModules() puts each module behind those that it needs, once", () => {
  assertEquals(names("ata_piix", "libata"), [["scsi_mod", "libata", "ata_piix"], []]);
});

Deno.test("findModules() knows a module by dashes or underscores, and expands it", () => {
  assertEquals(names("xen_blkfront"), [["xen_blkfront"], []]);
  const [, libata] = findModules(files, ["libata"]).found;
  assertEquals(new Uint8Array(libata!.bytes), moduleNeeding("scsi-mod"));
});

Deno.test("findModules() says what is missing", () => {
  assertEquals(names("sd_mod", "scsi_mod"), [["scsi_mod"], ["sd_mod"]]);
  const broken = new Map([["a.ko", moduleNeeding("b,c")], ["c.ko", new Uint8Array(4)]]);
  assertEquals(findModules(broken, ["a"]).missing, ["b"]);
});

Deno.test("findModules() comes to an end where modules need each other", () => {
  const circle = new Map([["a.ko", moduleNeeding("b")], ["b.ko", moduleNeeding("a")]]);
  assertEquals(findModules(circle, ["a"]).found.map(({ name }) => name), ["b", "a"]);
});
