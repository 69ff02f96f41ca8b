/**
 * Debian's kernel as a guest whose domain ends and begins anew while its disk is in use.
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { tailOf } from "./emulator.ts";
import { tool } from "./kit.ts";
import { APPEND, layOver, linuxFile, linuxTest } from "./linux.ts";
import { Emulator } from "./emulator.ts";
import { join } from "@std/path";

/** Loads the modules, and waits for the disk. */
const WITH_DISK = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in $(cat /lib/modules/order); do insmod /lib/modules/$m.ko; done
n=0; while [ ! -b $DISK ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
`;

/** Counts its starts on the disk, and asks for the next while the disk is read. */
const COUNT_STARTS = `${WITH_DISK}
mount -t ext2 $DISK /mnt || mount -t ext4 $DISK /mnt
echo start >> /mnt/starts
starts=$(wc -l < /mnt/starts)
echo "starts $starts"
umount /mnt
[ $starts -ge 3 ] && poweroff -f
dd if=$DISK of=/dev/null bs=64k iflag=direct &
dd if=$DISK of=/dev/null bs=64k iflag=direct skip=64 &
sleep 0.01
reboot -f
`;

for (const [machine, disk] of [["xenfv", "/dev/xvda"], ["pc", "/dev/sda"]] as const) {
  linuxTest(`Linux reboots twice on ${disk}, and nothing is lost`, async (folder) => {
    await layOver(join(folder, "initrd"), { start: COUNT_STARTS.replaceAll("$DISK", disk) });
    await using run = new Emulator(folder, [
      ...["-machine", machine, "-action", "reboot=reset", "--json", "--quiet"],
      ...["-kernel", linuxFile("vmlinuz"), "-initrd", "initrd", "-hda", "disk.img", "-m", "256"],
      ...["-append", `${APPEND} rdinit=/start`],
    ]);
    const end = await run.end();
    assertEquals(end.code, 0, tailOf(end));
    for (const starts of [1, 2, 3]) assertStringIncludes(end.serial, `starts ${starts}`);
    await tool("e2fsck", ["-fn", "disk.img"], folder);
    const count = await tool("debugfs", ["-R", "cat /starts", "disk.img"], folder);
    assertEquals(count, "start\n".repeat(3));
  });
}
