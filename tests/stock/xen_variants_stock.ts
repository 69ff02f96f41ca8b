/**
 * Debian's kernel where Xen or its command line make it take other ways than usual: events by an
 * interrupt of the platform device, and grant tables of version 2.
 * @module
 */

import { assert, assertMatch, assertStringIncludes } from "@std/assert";
import { assertComplete, assertImage, linuxTest, startKernel } from "./linux.ts";

const WORKLOAD = "oracle.disk=/dev/xvda";

linuxTest("vmlinuz without a callback vector takes its events as IRQ 11", async (folder) => {
  const xen = ["-machine", "xenfv,callback-vector=off"];
  await using run = startKernel(folder, "vmlinuz", WORKLOAD, ...xen);
  const end = await run.end();
  assertComplete(end);
  await assertImage(folder);
  const [, count] = /^ *11: +(\d+) .*\bxen-platform-pci\r*$/m.exec(end.serial) ?? [];
  assert(Number(count) > 100, `${count} interrupts`);
});

/**
 * Linux maps the status words of version 2 in PV domains alone, and falls over their absence at the
 * first grant that it ends in an HVM domain (`gnttab_end_foreign_access_ref_v2`). Up to there its
 * entries serve: they carry the ring of the disk and the read of its first sector.
 */
linuxTest("vmlinuz grants by version 2 until it looks for status words", async (folder) => {
  const append = `${WORKLOAD} grant_table.version=2`;
  await using run = startKernel(folder, "vmlinuz", append, "-machine", "xenfv", "-no-reboot");
  const { serial } = await run.end();
  assertStringIncludes(serial, "Grant tables using version 2 layout");
  assertStringIncludes(serial, "blkfront: xvda: flush diskcache: enabled");
  assertMatch(serial, /ORACLE OK|EIP: gnttab_end_foreign_access_ref_v2/);
});
