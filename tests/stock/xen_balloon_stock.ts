/**
 * Debian's balloon driver gives memory back to Xen and takes it again, while the disk is in use.
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { layOver, linuxTest } from "./linux.ts";
import { MachineRun } from "./machine_run.ts";

const GIVEN_KIB = 100 * 1024;

/** Reads the disk at full size, without 100 MiB, and with them again. */
const BALLOON = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in $(cat /lib/modules/order); do insmod /lib/modules/$m.ko; done
n=0; while [ ! -b /dev/xvda ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
cd /sys/devices/system/xen_memory/xen_memory0
full=$(cat info/current_kb)
sum() { dd if=/dev/xvda bs=64k count=64 iflag=$1 2>/dev/null | sha256sum; }
resize() {
  echo $1 > target_kb
  n=0; while [ $(cat info/current_kb) != $1 ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
  echo "$(cat info/current_kb) of $full KiB"
}
sum direct > /first
sum direct > /dev/null &
resize $((full - ${GIVEN_KIB}))
wait
sum direct | cmp - /first && echo "the same without"
sum direct > /dev/null &
resize $full
wait
echo 3 > /proc/sys/vm/drop_caches
sum fullblock | cmp - /first && echo "the same again"
poweroff -f
`;

linuxTest("Linux gives 100 MiB to its balloon and takes them back", async (folder) => {
  const initrd = join(folder, "initrd");
  await layOver(initrd, { start: BALLOON });
  using run = new MachineRun({
    ...{ disk: join(folder, "disk.img"), initrd, append: "rdinit=/start" },
  });
  assertEquals(run.end().reason, "power-off", run.tail);
  const [, full] = /(\d+) of \1 KiB/.exec(run.serial) ?? [];
  assertStringIncludes(run.serial, `${Number(full) - GIVEN_KIB} of ${full} KiB`);
  assertStringIncludes(run.serial, "the same without");
  assertStringIncludes(run.serial, "the same again");
});
