/**
 * Debian's kernel with what a Xen may have besides, and without what it may lack: each is asked for
 * in its own way, and the disk works with all of them.
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { assertComplete, linuxTest, startKernel } from "./linux.ts";

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
