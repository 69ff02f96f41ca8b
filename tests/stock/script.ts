/**
 * Shell commands run by Debian's kernel in a machine of this process, with what each of them costs.
 * @module
 */

import { withFiles } from "../../core/load/cpio.ts";
import { linuxFile } from "./linux.ts";
import { loadGuest } from "../../core/load/detect.ts";
import type { Counters, DiskConfig } from "../../core/machine/config.ts";
import { bootMachine } from "../../core/machine/machine.ts";
import { costPresets, DEFAULT_COST, mediaPresets } from "../../core/machine/storage.ts";

const RAM_BYTES = 256 << 20;
const APPEND = "console=ttyS0 panic=-1 mitigations=off cryptomgr.notests quiet";
/** Virtual time that a script may take: two time-outs of a disk fit in. */
const PATIENCE = 200e9;

/** What one command did. */
export interface CommandCost {
  /** Lines that it wrote to the console, the kernel's messages among them. */
  readonly lines: readonly string[];
  /** Exits by `"0x1f7:in"` of the primary IDE channel and its bus master. */
  readonly ports: Readonly<Record<string, number>>;
  /** All of those. */
  readonly exits: number;
}

/** How a script runs. */
export interface ScriptOptions {
  readonly disks: readonly Omit<DiskConfig, "media">[];
  /** Parameters of libata. */
  readonly libata?: string;
}

/** Loads the modules, waits for the disk, runs the commands one by one and switches off. */
export function runScript(
  commands: readonly string[],
  { disks, libata = "" }: ScriptOptions,
): CommandCost[] {
  const ran: CommandCost[] = [];
  let lines: string[] = [];
  let line = "";
  let before: Counters | undefined;
  const machine = bootMachine({
    machine: "pc",
    ramBytes: RAM_BYTES,
    guest: loadGuest(Deno.readFileSync(linuxFile("vmlinux")), {
      name: "vmlinux",
      ramBytes: RAM_BYTES,
      append: APPEND,
      initrd: "initrd",
      readFile: () =>
        withFiles(Deno.readFileSync(linuxFile("initramfs.gz")), {
          init: initScript(commands, libata),
        }),
    }),
    disks: disks.map((disk) => ({ ...disk, media: mediaPresets()["ramdisk"]! })),
    cost: costPresets()[DEFAULT_COST]!,
    maxTime: PATIENCE,
    onSerialByte: (byte) => {
      if (byte !== 10) {
        line += String.fromCharCode(byte);
        return;
      }
      const text = line.trimEnd();
      line = "";
      if (text.startsWith("#B")) {
        before = machine.counters();
        lines = [];
      } else if (text.startsWith("#E")) {
        ran.push({ lines, ...idePorts(before!, machine.counters()) });
      } else lines.push(text);
    },
  });
  while (machine.runSlice() === undefined);
  machine.close();
  return ran;
}

function initScript(commands: readonly string[], libata: string): string {
  return [
    "#!/bin/sh",
    "mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev",
    "for m in $(cat /lib/modules/order); do p=",
    `  case $m in xen_blkfront) continue;; libata) p="${libata}";; esac`,
    "  insmod /lib/modules/$m.ko $p",
    "done",
    "while [ ! -b /dev/sda ]; do sleep 0.1; done",
    "sleep 1",
    ...commands.map((command) => `echo "#B"; ${command}; echo "#E"`),
    "poweroff -f",
    "",
  ].join("\n");
}

function idePorts(before: Counters, after: Counters): Pick<CommandCost, "ports" | "exits"> {
  const counts = Object.entries(after.exits.byPort)
    .filter(([key]) => /^0x(1f.|3f6|c10[0-7]):/.test(key))
    .map(([key, count]) => [key, count - (before.exits.byPort[key] ?? 0)] as const)
    .filter(([, count]) => count > 0);
  return {
    ports: Object.fromEntries(counts),
    exits: counts.reduce((sum, [, count]) => sum + count, 0),
  };
}
