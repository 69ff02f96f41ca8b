import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  compareLinux,
  type CompareLinuxOptions,
  LINUX_BOOTS,
  linuxGuest,
} from "../../../core/cli/compare_linux.ts";
import { UsageError } from "../../../core/errors.ts";
import { writeCpio } from "../../../core/load/cpio.ts";
import { costPresets, mediaPresets, memoryDisk } from "../../../core/machine/storage.ts";
import { bootDisk } from "../../helpers/guest_files.ts";
import { bzImage } from "../../helpers/linux_files.ts";

const MIB = 1 << 20;
const [EMULATED, PARAVIRTUAL] = LINUX_BOOTS;

function options(more: Partial<CompareLinuxOptions> = {}): CompareLinuxOptions {
  return {
    kernel: { name: "vmlinuz", bytes: bzImage() },
    program: Uint8Array.of(1),
    disk: { name: "memory", backends: [memoryDisk(bootDisk(64)), memoryDisk(bootDisk(64))] },
    cost: costPresets()["xen-4.17"]!,
    media: mediaPresets()["ssd"]!,
    op: "randread",
    bs: 8192,
    count: 7,
    depth: 2,
    ramBytes: 32 * MIB,
    ...more,
  };
}

/** All that a guest is given, as text. */
function textOf({ segments }: ReturnType<typeof linuxGuest>["guest"]): string {
  return segments.map(({ bytes }) => new TextDecoder("latin1").decode(bytes)).join("");
}

Deno.test("linuxGuest() tells the kernel which disk to leave, and the benchmark what to do", () => {
  const append = "libata.dma=0";
  const emulated = textOf(linuxGuest(options({ append }), EMULATED).guest);
  assertStringIncludes(
    emulated,
    " libata.dma=0 xen_emul_unplug=never -- " +
      "path=ide-dma sum=0 op=randread bs=8192 count=7 depth=2\0",
  );
  const paravirtual = textOf(linuxGuest(options(), PARAVIRTUAL).guest);
  assertStringIncludes(paravirtual, "-- path=pv sum=0 ");
  assertEquals(paravirtual.includes("xen_emul_unplug"), false);
  assertStringIncludes(paravirtual, "modules/order");
});

Deno.test("linuxGuest() says which drivers are missing, and takes no other kernel", () => {
  assertEquals(linuxGuest(options(), EMULATED).missing, ["ata_piix", "sd_mod"]);
  const kernel = { name: "boot.img", bytes: bootDisk(1) };
  const error = assertThrows(() => linuxGuest(options({ kernel }), EMULATED), UsageError);
  assertStringIncludes(error.message, 'Cannot compare with --kernel "boot.img": it is no');
});

Deno.test("compareLinux() has no record when a kernel crashes, and says what may be missing", async () => {
  const initrd = { name: "i.gz", bytes: writeCpio({}) };
  const { record, failure } = await compareLinux(options({ initrd }));
  assertEquals(record, undefined);
  assertStringIncludes(failure!, 'Guest "vmlinuz" did not finish the comparison: Guest crashed');
  assertStringIncludes(
    failure!,
    '; initrd "i.gz" lacks ata_piix.ko, sd_mod.ko for the emulated disk',
  );
});

Deno.test("compareLinux() refuses requests that are larger than the disk", async () => {
  await assertRejects(() => compareLinux(options({ bs: 128 * 1024 })), UsageError, "has only");
});
