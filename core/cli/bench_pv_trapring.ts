/**
 * Host of the PV benchmark: makes the requests of one case in a machine of its own and measures
 * them by the guest's marks. Nobody hashes data, as `compare` does.
 *
 *     bench_pv_trapring.ts CASE DISK PROGRAM [KERNEL INITRD]
 *
 * Without a kernel the program is a guest of its own. Prints CPU time, requests, and in `tsc` the
 * instructions that the guest has retired.
 * @module
 */

import { loadGuest } from "../load/detect.ts";
import type { GuestImage } from "../load/image.ts";
import { bootMachine, type Machine } from "../machine/machine.ts";
import { costPresets, DEFAULT_COST, mediaPresets, openDisk } from "../machine/storage.ts";
import type { Measurement } from "./bench_marks.ts";
import { PV_CASES, type PvCase } from "./bench_pv_cases.ts";
import { cpuNs, LINUX_RAM_BYTES, RAM_BYTES, reportRun } from "./bench_report.ts";
import { LINUX_BOOTS, linuxGuest } from "./compare_linux.ts";
import { workloadWords } from "./compare_workload.ts";
import { readGuest, readInitrd } from "./files.ts";

/** The image is in the page cache. */
const MEDIA = "ramdisk";

/** Marks of `core/report/phases.ts`: of the end of a phase, and of a request. */
const MARK = { phaseEnd: 0x20, requestEnd: 0x60, end: 0x80, number: 0x0f } as const;

/** What the last requests of a phase take, when the code that makes them has been compiled. */
class RequestTimer {
  readonly measurements: Measurement[] = [];
  readonly messages: string[] = [];
  readonly #case: PvCase;
  #requests = 0;
  #instructions = 0;
  #cpuNs = 0;

  constructor(pvCase: PvCase) {
    this.#case = pvCase;
  }

  /** The phase has ended. */
  get done(): boolean {
    return this.measurements.length > 0;
  }

  mark(value: number, machine: Machine): void {
    if (value >= MARK.requestEnd && value < MARK.end) {
      if (++this.#requests === this.#case.warmUp) this.#begin(machine);
    } else if ((value & ~MARK.number) === MARK.phaseEnd) this.#end(machine);
  }

  #begin(machine: Machine): void {
    this.#instructions = machine.counters().instructions;
    this.#cpuNs = cpuNs();
  }

  #end(machine: Machine): void {
    const used = cpuNs() - this.#cpuNs;
    const { name, count } = this.#case;
    const tsc = machine.counters().instructions - this.#instructions;
    this.measurements.push({ name, check: 0, units: count, tsc, cpuNs: used });
  }
}

function guestOf(pvCase: PvCase, [program, kernel, initrd]: readonly string[]): GuestImage {
  const ramBytes = ramOf(pvCase);
  const { bytes } = readGuest(program!, program!, ramBytes);
  const requests = { ...pvCase, count: pvCase.warmUp + pvCase.count };
  if (pvCase.boot === undefined) {
    const append = `path=pv sum=0 ${workloadWords(requests)}`;
    return loadGuest(bytes, { name: program!, ramBytes, append });
  }
  const boot = LINUX_BOOTS.find(({ path }) => path === pvCase.boot)!;
  return linuxGuest({
    ...requests,
    ramBytes,
    program: bytes,
    kernel: readGuest(kernel!, kernel!, ramBytes),
    initrd: { name: initrd!, bytes: readInitrd(initrd!, ramBytes) },
  }, boot).guest;
}

function ramOf({ boot }: PvCase): number {
  return boot === undefined ? RAM_BYTES : LINUX_RAM_BYTES;
}

async function main([name, disk, ...files]: readonly string[]): Promise<void> {
  const pvCase = PV_CASES.find((each) => each.name === name)!;
  const timer = new RequestTimer(pvCase);
  const machine: Machine = bootMachine({
    machine: "xenfv",
    ramBytes: ramOf(pvCase),
    guest: guestOf(pvCase, files),
    disks: [{
      backend: openDisk(disk!, { readOnly: false, snapshot: true }),
      media: mediaPresets()[MEDIA]!,
    }],
    cost: costPresets()[DEFAULT_COST]!,
    onMark: (value) => timer.mark(value, machine),
  });
  await reportRun(machine, timer);
}

if (import.meta.main) await main(Deno.args);
