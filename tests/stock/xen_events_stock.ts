/**
 * Debian's kernel with what a Xen may have besides, and without what it may lack: each is asked for
 * in its own way, and the disk works with all of them.
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { assertComplete, layOver, linuxTest, startKernel } from "./linux.ts";
import { MachineRun } from "./machine_run.ts";

const TWO_LEVEL = "xen:events: Using 2-level ABI";
const FIFO = "xen:events: Using FIFO-based ABI";

/** Properties of the machine, the ABI that the kernel takes, and whether its vCPU has a vector. */
const UPCALLS = [
  ["", TWO_LEVEL, false],
  [",evtchn-fifo=on", FIFO, false],
  [",upcall-vector=on", TWO_LEVEL, true],
  [",evtchn-fifo=on,upcall-vector=on", FIFO, true],
] as const;

for (const [properties, abi, hasVector] of UPCALLS) {
  linuxTest(`vmlinuz on xenfv${properties} is told of its events`, async (folder) => {
    const machine = ["-machine", `xenfv${properties}`, "--json", "--quiet"];
    await using run = startKernel(folder, "vmlinuz", "oracle.disk=/dev/xvda", ...machine);
    const end = await run.end();
    assertComplete(end);
    assertStringIncludes(end.serial, abi);
    const [, events = ""] = /^ *\d+: +(\d+) .*blkif/m.exec(end.serial) ?? [];
    assert(Number(events) > 0, "no events of the disk");
    const { exits } = JSON.parse(end.report);
    // A vector of the local APIC is ended at it, which is an exit; the domain's callback is not.
    const apic = exits.byDevice.find(({ device }: { device: string }) => device === "local apic");
    assertEquals((apic?.tied ?? 0) >= Number(events), hasVector);
  });
}

/** Reads its disk, is suspended, and reads it again. */
const READ_TWICE = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in $(cat /lib/modules/order); do insmod /lib/modules/$m.ko; done
n=0; while [ ! -b /dev/xvda ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
sum() { dd if=/dev/xvda bs=64k count=32 iflag=direct 2>/dev/null | sha256sum; }
sum > /first
echo ready; sleep 2
sum | cmp - /first && echo "the same again"
poweroff -f
`;

for (const checkpoint of [false, true]) {
  const how = checkpoint ? "is kept" : "is restored";
  linuxTest(`Linux with queues and a vector of its own suspends and ${how}`, async (folder) => {
    const initrd = join(folder, "initrd");
    await layOver(initrd, { start: READ_TWICE });
    using run = new MachineRun({
      ...{ disk: join(folder, "disk.img"), initrd, append: "rdinit=/start" },
      xen: { evtchnFifo: true, upcallVector: true },
    });
    run.until("ready");
    run.ask({ verb: "shutdown", fallback: false, request: "suspend", checkpoint });
    run.until("the same again");
    assertEquals(run.end().reason, "power-off", run.tail);
    assertStringIncludes(run.serial, FIFO);
  });
}
