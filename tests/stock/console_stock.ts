/**
 * A user at the console of Debian's kernel: a shell on a terminal, keys, a break, the monitor.
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { PtyRun, ptyTest } from "../helpers/pty.ts";
import { stockFile } from "./kit.ts";

const vmlinux = stockFile("linux", "vmlinux");
const APPEND = "console=ttyS0 rdinit=/bin/sh panic=-1 mitigations=off cryptomgr.notests " +
  "sysrq_always_enabled";
/** What the kernel may take to its shell on a busy host. */
const BOOT_MS = 120_000;

function startShell(folder: string): PtyRun {
  const initrd = stockFile("linux", "initramfs.gz")!;
  const files = ["-kernel", vmlinux!, "-initrd", initrd, "-m", "256", "-append", APPEND];
  return new PtyRun(folder, "run", ...files);
}

ptyTest(
  "a shell on the terminal answers what is typed, hears a break, and sleeps in real time",
  async (folder) => {
    const run = startShell(folder);
    await run.until("/ # ", BOOT_MS);
    await run.type("echo $((6 * 7)) answers\r");
    await run.until("42 answers");
    await run.type("\x01bh");
    await run.until("sysrq: HELP");
    const begin = performance.now();
    await run.type("sleep 1; echo wo''ken\r");
    await run.until("woken");
    assert(performance.now() - begin > 950, "the guest's clock keeps to the host's");
    await run.type("poweroff -f\r");
    const { code, restored } = await run.end();
    assertEquals([code, restored], [0, true]);
  },
  vmlinux === undefined,
);

ptyTest(
  "the monitor stops Debian's kernel, looks at it, and lets it go on",
  async (folder) => {
    const run = startShell(folder);
    await run.until("/ # ", BOOT_MS);
    await run.type("\x01cstop\rinfo registers\r");
    await run.until("TSS32-busy");
    await run.type("x/2i $pc\rinfo lapic\rinfo exits\r");
    await run.until("dumping local APIC state");
    await run.until("com1 0x03f8-0x03ff");
    await run.type("cont\r\x01cecho still he''re\r");
    await run.until("still here");
    await run.type("\x01x");
    const { code, restored } = await run.end();
    assertEquals([code, restored], [130, true]);
  },
  vmlinux === undefined,
);
