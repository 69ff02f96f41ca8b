/**
 * Host of the boot benchmark that starts Linux as `run -kernel KERNEL -initrd INITRD -append S -hda
 * DISK -snapshot --media ramdisk` does.
 *
 *     bench_boot_trapring.ts KERNEL INITRD DISK APPEND
 * @module
 */

import { loadGuest } from "../load/detect.ts";
import { bootMachine, type Machine } from "../machine/machine.ts";
import { costPresets, DEFAULT_COST, mediaPresets, openDisk } from "../machine/storage.ts";
import { MarkReader } from "./bench_marks.ts";
import { cpuNs, LINUX_RAM_BYTES, reportRun } from "./bench_report.ts";
import { readGuest, readInitrd } from "./files.ts";

const MEDIA = "ramdisk";

function boot(args: readonly string[], onSerialByte: (byte: number) => void): Machine {
  const [kernel, initrd, disk, append] = args as [string, string, string, string];
  const ramBytes = LINUX_RAM_BYTES;
  const backend = openDisk(disk, { readOnly: false, snapshot: true });
  return bootMachine({
    machine: "pc",
    ramBytes,
    guest: loadGuest(readGuest(kernel, kernel, ramBytes).bytes, {
      name: kernel,
      ramBytes,
      append,
      initrd,
      readFile: (path) => readInitrd(path, ramBytes),
    }),
    disks: [{ backend, media: mediaPresets()[MEDIA]! }],
    cost: costPresets()[DEFAULT_COST]!,
    onSerialByte,
  });
}

async function main(args: readonly string[]): Promise<void> {
  const marks = new MarkReader(cpuNs);
  const machine = boot(args, (byte) => marks.push(byte));
  await reportRun(machine, marks);
}

if (import.meta.main) await main(Deno.args);
