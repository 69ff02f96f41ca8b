/**
 * Debian's kernel as a guest whose domain ends and begins anew while its disk is in use.
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { sha256 } from "../../core/cli/files.ts";
import { mediaPresets } from "../../core/machine/storage.ts";
import { SECTOR_SIZE } from "../../core/types.ts";
import type { MediaPreset } from "../../devices/disk/media.ts";
import { Emulator, tailOf } from "./emulator.ts";
import { tool } from "./kit.ts";
import { APPEND, layOver, linuxFile, linuxTest } from "./linux.ts";
import { MachineRun, type MachineRunOptions } from "./machine_run.ts";

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

/** Waits for its end to be asked for. The kernel has /sbin/poweroff do it. */
const WAIT = `${WITH_DISK}
mkdir /sbin
echo '#!/bin/sh' > /sbin/poweroff
echo 'poweroff -f' >> /sbin/poweroff
chmod +x /sbin/poweroff
echo ready; while true; do sleep 1; done
`;
const PLAIN = { verb: "shutdown", fallback: false, checkpoint: false } as const;

/** Boots with that script in place of init. */
async function start(
  folder: string,
  script: string,
  { media, xen = {}, append = "" }: Partial<Pick<MachineRunOptions, "media" | "xen" | "append">> =
    {},
): Promise<MachineRun> {
  const initrd = join(folder, "initrd");
  await layOver(initrd, { start: script.replaceAll("$DISK", "/dev/xvda") });
  const disk = join(folder, "disk.img");
  return new MachineRun({ disk, initrd, append: `rdinit=/start ${append}`, media, xen });
}

linuxTest("control/shutdown switches Linux off, and starts it again", async (folder) => {
  using run = await start(folder, WAIT);
  run.until("ready");
  run.ask({ ...PLAIN, request: "reboot" });
  run.until("Linux version");
  run.until("ready");
  run.ask({ ...PLAIN, request: "poweroff" });
  const { reason } = run.end();
  assertEquals(reason, "power-off", run.tail);
  assertEquals(run.told, ["Rebooting domain 1", "Shutting down domain 2"]);
});

const BLOCK = 4096;
/** Where the file system of the image may be damaged. */
const PLACE = 1024;
/** Of the request that is under way: behind the four blocks that dd wants and one more. */
const READ_AHEAD_SECTOR = (PLACE + 5) * BLOCK / SECTOR_SIZE;
const BLOCKS = Array.from({ length: 16 }, (_, i) => `block ${i}`.padEnd(BLOCK));
/** The kernel has asked for more than was read, and is not answered for a while. */
const SLOW: MediaPreset = { ...mediaPresets()["ssd"]!, readLatencyNs: 2e9, parallelism: 1 };

/** Reads ahead, suspends, reads what was read ahead. */
const READ_AHEAD = `${WITH_DISK}
exec 3< $DISK # the last to close it would wait
read() { dd if=$DISK bs=${BLOCK} skip=$((${PLACE} + $1)) count=$2 2>/dev/null; }
read 0 4 > /head
echo reading
sleep 1
read 4 12 > /tail
cat /head /tail | sha256sum
poweroff -f
`;

const WAYS = [
  { how: "is kept", checkpoint: true, xen: {} },
  { how: "is restored", checkpoint: false, xen: {} },
  {
    how: "is restored with FIFO events and a vector of the vCPU's",
    checkpoint: false,
    xen: { evtchnFifo: true, upcallVector: true },
  },
];
for (const { how, checkpoint, xen } of WAYS) {
  linuxTest(
    `Linux that suspends in the middle of a request and ${how} loses nothing`,
    async (folder) => {
      const image = await Deno.open(join(folder, "disk.img"), { write: true });
      await image.seek(PLACE * BLOCK, Deno.SeekMode.Start);
      const bytes = new TextEncoder().encode(BLOCKS.join(""));
      await image.write(bytes);
      image.close();

      using run = await start(folder, READ_AHEAD, { media: SLOW, xen });
      run.until("reading");
      run.ask({ ...PLAIN, request: "suspend", checkpoint });
      run.until("Restarting tasks ... done");
      const home = run.machine.inspector.xenstore("/local/domain", {
        full: true,
        permissions: false,
      });
      assertEquals(run.end().reason, "power-off", run.tail);
      const outcome = checkpoint ? "resumed" : "restored as domain 2";
      assertEquals(run.told, ["Suspending domain 1", `Domain 1 has suspended: ${outcome}`]);
      const domid = checkpoint ? 1 : 2;
      assertStringIncludes(home.join("\n"), `/local/domain/${domid}/domid = "${domid}"`);
      assertStringIncludes(run.serial, sha256(bytes));
      const ahead = run.requests.filter(({ sector }) => sector === READ_AHEAD_SECTOR);
      assertEquals(ahead.length, checkpoint ? 1 : 2);
    },
  );
}

linuxTest(
  "hvc0 is a console: Linux prints there, and a shell answers what is typed",
  async (folder) => {
    using run = await start(folder, "#!/bin/sh\nexec sh\n", { append: "console=hvc0" });
    run.until("Run /start as init process", "xenConsole");
    run.until("# ", "xenConsole");
    for (const factor of [6, 7]) {
      run.type(`echo $((${factor} * 7)) answers\r`);
      run.until(`${factor * 7} answers`, "xenConsole");
    }
    const long = "x".repeat(900);
    run.type(`echo ${long} | sha256sum\r`);
    run.until(sha256(new TextEncoder().encode(`${long}\n`)), "xenConsole");
    run.type("echo last words; poweroff -f\r");
    const { reason, counters } = run.end();
    assertEquals(reason, "power-off", run.tail);
    assertStringIncludes(run.xenConsole, "last words");
    assert(counters.dom0Books.console > 0);
  },
);

linuxTest("a magic SysRq reaches Linux by control/sysrq", async (folder) => {
  using run = await start(folder, WAIT, { append: "sysrq_always_enabled" });
  run.until("ready");
  run.ask({ verb: "sysrq", key: "h" });
  run.until("sysrq: HELP");
  run.ask({ verb: "sysrq", key: "o" });
  assertEquals(run.end().reason, "power-off", run.tail);
});
