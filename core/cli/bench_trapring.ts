/**
 * Host of the benchmark that boots a guest as `run GUEST -m 64 --media ramdisk -snapshot` does.
 *
 *     bench_trapring.ts GUEST [PLACEMENT]
 * @module
 */

import { isBootDisk, loadGuest } from "../load/detect.ts";
import { parsePlacement } from "../load/flat.ts";
import { bootMachine, type Machine } from "../machine/machine.ts";
import { costPresets, DEFAULT_COST, mediaPresets, openDisk } from "../machine/storage.ts";
import { MarkReader } from "./bench_marks.ts";
import { cpuNs, RAM_BYTES, reportRun } from "./bench_report.ts";
import { readGuest } from "./files.ts";

/** The image is in the page cache; a slower disk would only have the guest poll longer. */
const MEDIA = "ramdisk";

function boot(
  path: string,
  placement: string | undefined,
  onSerialByte: (byte: number) => void,
): Machine {
  const { bytes, length } = readGuest(path, path, RAM_BYTES);
  const flat = placement === undefined ? {} : { placement: parsePlacement(placement) };
  const guest = loadGuest(bytes, { name: path, ramBytes: RAM_BYTES, ...flat });
  const disk = () => ({
    backend: openDisk(path, { readOnly: false, snapshot: true }),
    media: mediaPresets()[MEDIA]!,
  });
  return bootMachine({
    ramBytes: RAM_BYTES,
    guest,
    disks: isBootDisk(guest, length) ? [disk()] : [],
    cost: costPresets()[DEFAULT_COST]!,
    onSerialByte,
  });
}

async function main([path, placement]: readonly string[]): Promise<void> {
  const marks = new MarkReader(cpuNs);
  const machine = boot(path!, placement, (byte) => marks.push(byte));
  await reportRun(machine, marks);
}

if (import.meta.main) await main(Deno.args);
