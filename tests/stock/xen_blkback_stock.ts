/**
 * Debian's kernel over blkfront on disks that are not the usual one: of 4096-byte blocks, behind
 * each kind of backend, a CD-ROM, and one whose image the host cannot write.
 * @module
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { withFiles } from "../../core/load/cpio.ts";
import { sha256 } from "../../core/cli/files.ts";
import { mayMount, mountSmallDisk } from "../helpers/full_disk.ts";
import { imageBytes } from "../helpers/machine.ts";
import { Emulator, type RunEnd, tailOf } from "./emulator.ts";
import { APPEND, linuxFile, linuxTest } from "./linux.ts";

const SECTORS = 4096;
const IMAGE = imageBytes(SECTORS);

/** Loads the modules up to blkfront, waits for the disks, runs the commands and switches off. */
const script = (disks: readonly string[], commands: string) =>
  `#!/bin/sh
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in $(cat /lib/modules/order); do
  insmod /lib/modules/$m.ko
  [ $m = xen_blkfront ] && break
done
for d in ${disks.join(" ")}; do
  n=0; while [ ! -b /dev/$d ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
done
${commands}
poweroff -f
`;

/**
 * @param disks specifications for `--disk`
 * @param append further parameters of the kernel
 */
async function run(
  folder: string,
  init: string,
  disks: readonly string[],
  append = "",
): Promise<RunEnd & { readonly store: string }> {
  const initrd = await Deno.readFile(linuxFile("initramfs.gz"));
  await Deno.writeFile(join(folder, "initrd"), withFiles(initrd, { init }));
  await using emulator = new Emulator(folder, [
    ...["-machine", "xenfv", "-kernel", linuxFile("vmlinuz"), "-initrd", "initrd", "-m", "256"],
    ...["-append", `${APPEND} ${append}`, "--xenstore", "store.txt", "--json", "--quiet"],
    ...disks.flatMap((disk) => ["--disk", disk]),
  ]);
  const end = await emulator.end();
  return { ...end, store: await Deno.readTextFile(join(folder, "store.txt")) };
}

/** A line `NAME VALUE` of the guest. */
function value({ serial }: RunEnd, name: string): string | undefined {
  return new RegExp(`^${name} (.*?)\\r*$`, "m").exec(serial)?.[1];
}

/** A key of a backend. */
function key(store: string, devid: number, name: string): string | undefined {
  return new RegExp(`^/local/domain/0/backend/(?:vbd|qdisk)/1/${devid}/${name} = "(.*?)"`, "m")
    .exec(store)?.[1];
}

linuxTest("blkfront shows the blocks of a disk as they are", async (folder) => {
  await Deno.writeFile(join(folder, "k.img"), IMAGE);
  const init = script(
    ["xvda"],
    `q=/sys/block/xvda/queue
echo "logical $(cat $q/logical_block_size)"
echo "physical $(cat $q/physical_block_size)"
echo "size $(cat /sys/block/xvda/size)"
echo "sum $(dd if=/dev/xvda bs=64k iflag=direct | sha256sum)"
dd if=/dev/xvda of=/dev/xvda bs=4k count=3 seek=64 oflag=direct conv=fsync && echo "write served"`,
  );
  const disk = "k.img,raw,xvda,rw,logical_block_size=4096,physical_block_size=8192";
  const end = await run(folder, init, [disk]);
  assertEquals(end.code, 0, tailOf(end));
  assertEquals(["logical", "physical", "size"].map((name) => value(end, name)), [
    ...["4096", "8192", String(SECTORS)],
  ]);
  assertStringIncludes(value(end, "sum")!, sha256(IMAGE));
  assertEquals(value(end, "write"), "served");
  assertEquals(key(end.store, 51712, "sector-size"), "4096");
  assertEquals(JSON.parse(end.report).counters.guestErrors, 0);
  const wanted = IMAGE.slice();
  wanted.copyWithin(64 * 4096, 0, 3 * 4096);
  assertEquals(sha256(await Deno.readFile(join(folder, "k.img"))), sha256(wanted));
});

const KINDS = [
  { disk: "phy:p.img,xvda,w", devid: 51712, type: "phy", params: "xvda" },
  { disk: "file:f.img,xvdb,w", devid: 51728, type: "file", params: "xvdb" },
  { disk: "tap:aio:t.img,xvdc,w", devid: 51744, type: "tap", params: "/dev/xen/blktap-2/tapdev2" },
  {
    disk: "q.img,raw,xvdd,w,backendtype=qdisk",
    devid: 51760,
    type: "qdisk",
    params: "aio:xvdd",
  },
] as const;
const FILES = ["p.img", "f.img", "t.img", "q.img"];
const NAMES = ["xvda", "xvdb", "xvdc", "xvdd"];

linuxTest("blkfront does not tell the kinds of backends apart, dom0's books do", async (folder) => {
  for (const name of FILES) await Deno.writeFile(join(folder, name), IMAGE);
  const init = script(
    NAMES,
    `for d in ${NAMES.join(" ")}; do
echo "sum-$d $(dd if=/dev/$d bs=64k iflag=direct | sha256sum)"
dd if=/dev/$d of=/dev/$d bs=4k count=5 skip=9 seek=100 oflag=direct conv=fsync
dd if=/dev/$d of=/dev/null bs=4k count=32 iflag=direct
done`,
  );
  const end = await run(folder, init, KINDS.map(({ disk }) => disk));
  assertEquals(end.code, 0, tailOf(end));
  const wanted = IMAGE.slice();
  wanted.copyWithin(100 * 4096, 9 * 4096, 14 * 4096);
  for (const name of FILES) {
    assertEquals(sha256(await Deno.readFile(join(folder, name))), sha256(wanted), name);
  }
  for (const { devid, type, params } of KINDS) {
    assertEquals([key(end.store, devid, "type"), key(end.store, devid, "params")], [type, params]);
  }
  for (const disk of NAMES) assertStringIncludes(value(end, `sum-${disk}`)!, sha256(IMAGE));
  assertStringIncludes(
    end.serial,
    "blkfront: xvdd: flush diskcache: enabled; persistent grants: disabled; " +
      "indirect descriptors: disabled",
  );
  const { disks, counters } = JSON.parse(end.report);
  const { dom0Books, guestErrors, hostErrors, grants } = counters;
  assert(grants.copy > 0);
  assertEquals(disks.map(({ backend }: { backend: string }) => backend), [
    "phy",
    "file",
    "tap",
    "qdisk",
  ]);
  for (const kind of ["loop", "pageCache", "tapdisk", "qdisk"]) assert(dom0Books[kind] > 0, kind);
  assertEquals([guestErrors, hostErrors], [0, 0]);
});

linuxTest("blkfront takes back grants that a backend without work has let go", async (folder) => {
  await Deno.writeFile(join(folder, "d.img"), IMAGE);
  const sum = (name: string) =>
    `echo "${name} $(dd if=/dev/xvda bs=128k iflag=direct | sha256sum)"`;
  const commands = `${sum("before")}\nsleep 75\necho "slept"\n${sum("after")}`;
  const end = await run(folder, script(["xvda"], commands), ["d.img,raw,xvda,rw"]);
  assertEquals(end.code, 0, tailOf(end));
  for (const name of ["before", "after"]) {
    assertStringIncludes(value(end, name)!, sha256(IMAGE));
  }
  const { elapsedNs, guestErrors, grants: { map, unmap } } = JSON.parse(end.report).counters;
  assertEquals([elapsedNs > 75e9, guestErrors], [true, 0]);
  assert(map > 2 * 32 && unmap > 32, `${map} maps, ${unmap} unmaps`);
});

linuxTest("blkfront leaves a CD-ROM of an HVM domain alone", async (folder) => {
  for (const name of ["d.img", "c.iso"]) await Deno.writeFile(join(folder, name), IMAGE);
  const init = script(["xvda"], `sleep 1; echo "disks $(echo /sys/block/xvd*)"`);
  const end = await run(folder, init, ["d.img,raw,xvda,rw", "c.iso,raw,xvdc,cdrom"]);
  assertEquals(end.code, 0, tailOf(end));
  assertEquals(value(end, "disks"), "/sys/block/xvda");
  const keys = ["device-type", "removable", "mode", "state"];
  assertEquals(keys.map((name) => key(end.store, 51744, name)), ["cdrom", "1", "r", "2"]);
});

/** The same image over either path. */
const PATHS = [
  { name: "xvda", disk: "raw,xvda,rw", append: "" },
  { name: "sda", disk: "raw,hda,rw", append: "xen_emul_unplug=never" },
] as const;

for (const { name, disk, append } of mayMount ? PATHS : []) {
  linuxTest(`${name} gives an I/O error to who writes when the host is full`, async (folder) => {
    const { folder: small, unmount } = mountSmallDisk(256 << 10);
    try {
      const image = join(small, "full.img");
      await Deno.writeFile(image, new Uint8Array(64 << 10));
      await Deno.truncate(image, 1 << 20);
      const init = script(
        [name],
        `write() { dd if=/dev/zero of=/dev/${name} bs=4k oflag=direct conv=fsync "$@" && echo "$1 served"; }
write count=4 seek=0
write count=200 seek=16
write count=4 seek=8
echo "read $(dd if=/dev/${name} bs=64k iflag=direct | sha256sum)"`,
      );
      const end = await run(folder, init, [`${image},${disk}`], append);
      assertEquals(end.code, 1, tailOf(end));
      assertEquals(end.serial.match(/^count=\d+ served/gm), ["count=4 served", "count=4 served"]);
      assertMatch(end.serial, new RegExp(`I/O error, dev ${name}, sector \\d+ op 0x1:\\(WRITE\\)`));
      assertStringIncludes(value(end, "read")!, sha256(await Deno.readFile(image)));
      const { reason, message, counters: { hostErrors } } = JSON.parse(end.report);
      assertEquals([reason, hostErrors > 0], ["power-off", true]);
      assertStringIncludes(message, "The host failed to serve");
    } finally {
      unmount();
    }
  });
}
