/**
 * Debian's kernel says on the way what it finds of Xen: the lines that it says on Xen 4.17 itself, in
 * their order; and others where something is missing.
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { tailOf } from "./emulator.ts";
import { assertComplete, linuxTest, startKernel } from "./linux.ts";

/** What a domain built by xl says, but for devices that this machine does not have. */
const LINES: readonly string[] = [
  "Hypervisor detected: Xen HVM",
  "Xen version 4.17.",
  "platform_pci_unplug: Netfront and the Xen platform PCI driver have been compiled for this " +
  "kernel: unplug emulated NICs.",
  "platform_pci_unplug: Blkfront and the Xen platform PCI driver have been compiled for this " +
  "kernel: unplug emulated disks.",
  "You might have to change the root device",
  "from /dev/hd[a-d] to /dev/xvd[a-d]",
  "in your root= kernel command line option",
  "HVMOP_pagetable_dying not supported",
  "Booting paravirtualized kernel on Xen HVM",
  "xen: PV spinlocks disabled",
  "xen:events: Using 2-level ABI",
  "xen:events: Xen HVM callback vector for event delivery is enabled",
  "clocksource: xen: mask: 0xffffffffffffffff max_cycles: 0x1cd42e4dffb, " +
  "max_idle_ns: 881590591483 ns",
  "Xen: using vcpuop timer interface",
  "installing Xen timer for CPU 0",
  "xen:balloon: Initialising balloon driver",
  "clocksource: Switched to clocksource xen",
  "xen:grant_table: Grant tables using version 1 layout",
  "Grant table initialized",
  "xenbus_probe_frontend: Device with no driver: device/vbd/768",
  "Invalid max_queues (4), will use default max: 1.",
  "blkfront: xvda: flush diskcache: enabled; persistent grants: enabled; " +
  "indirect descriptors: enabled; bounce buffer: enabled",
];

const XVDA = "oracle.disk=/dev/xvda";
const ALL = "ignore_loglevel";

linuxTest("vmlinuz says of Xen what it says on Xen, in that order", async (folder) => {
  await using run = startKernel(folder, "vmlinuz", `${XVDA} ${ALL}`, "-machine", "xenfv");
  const end = await run.end();
  assertComplete(end);
  const said = end.serial.split(/\r*\n/).map((line) => line.replace(/^\[ *\d+\.\d+\] /, ""));
  let from = 0;
  for (const line of LINES) {
    const at = said.indexOf(line, from);
    assert(at >= 0, `no "${line}" behind "${said[from - 1]}" in\n${tailOf(end)}`);
    from = at + 1;
  }
});

/** What is switched off, the disk that works then, what the kernel says, and what it does not. */
const ABSENT = [
  ["pvclock", XVDA, "Xen doesn't support pvclock on HVM, disable pv timer", "installing Xen timer"],
  ["console", XVDA, "Grant table initialized", "hvc0"],
  ["xenstore", "oracle.disk=/dev/sda xen_emul_unplug=never", "ata1.00: ATA-", "blkfront"],
] as const;

for (const [feature, disk, says, keepsQuietOf] of ABSENT) {
  linuxTest(`vmlinuz lives without Xen's ${feature}`, async (folder) => {
    const machine = ["-machine", `xenfv,${feature}=off`];
    await using run = startKernel(folder, "vmlinuz", `${disk} ${ALL}`, ...machine);
    const end = await run.end();
    assertComplete(end);
    assertStringIncludes(end.serial, says);
    assertEquals(end.serial.includes(keepsQuietOf), false, keepsQuietOf);
  });
}
