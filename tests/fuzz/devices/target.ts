/**
 * A guest that programs every device at random. Whatever it does, the host goes on, the books close,
 * and a disk changes by commands that write alone.
 * @module
 */

import { COST_PRESETS, DEFAULT_COST } from "../../../core/hypervisor/costs.ts";
import type { DiskConfig, MachineConfig, RunResult } from "../../../core/machine/config.ts";
import { bootMachine, type Machine } from "../../../core/machine/machine.ts";
import { type BlockBackend, SECTOR_SIZE } from "../../../core/types.ts";
import { MEDIA_PRESETS } from "../../../devices/disk/media.ts";
import { Rng } from "../rng.ts";
import type { Finding, FuzzTarget } from "../target.ts";
import { makeGuest, PLACE } from "./program.ts";
import { makeScratch, StepMaker } from "./steps.ts";

const STEPS = 20_000;
/** Of a guest that devices have derailed, or sent to sleep. One may do nothing but fault. */
const LIMITS = { maxInsns: 10_000_000, maxTime: 2_000_000_000 };
const DISK_SECTORS = 4096;

/** A disk that knows what it was asked. */
class WatchedDisk implements BlockBackend {
  readonly sectorCount = DISK_SECTORS;
  readonly readOnly: boolean;
  reads = 0;
  writes = 0;
  /** A request that no backend should see. */
  offence: string | undefined;

  constructor(readOnly: boolean) {
    this.readOnly = readOnly;
  }

  read(sector: number, into: Uint8Array): void {
    this.reads++;
    this.#check("read", sector, into);
    into.fill(sector);
  }

  write(sector: number, from: Uint8Array): void {
    this.writes++;
    this.#check("write", sector, from);
    if (this.readOnly) this.offence ??= `write of ${sector} to a read-only disk`;
  }

  discard(sector: number, count: number): void {
    this.writes++;
    if (sector + count > this.sectorCount) this.offence ??= `discard of ${count} at ${sector}`;
  }

  flush(): void {}

  close(): void {}

  #check(op: string, sector: number, { length }: Uint8Array): void {
    const isInside = Number.isInteger(sector) && sector >= 0 &&
      sector * SECTOR_SIZE + length <= this.sectorCount * SECTOR_SIZE;
    if (isInside && length % SECTOR_SIZE === 0) return;
    this.offence ??= `${op} of ${length} bytes at sector ${sector}`;
  }
}

/** What a seed decides besides the steps. */
interface Case {
  readonly machine: NonNullable<MachineConfig["machine"]>;
  readonly writing: "never" | "lawful";
  readonly readOnly: boolean;
  readonly disks: readonly WatchedDisk[];
  readonly faults: NonNullable<DiskConfig["faults"]>;
}

/** Fuzzes the board. */
export class DevicesTarget implements FuzzTarget {
  readonly counts: Record<string, number> = {};

  run(seed: number): Finding | undefined {
    const rng = new Rng(seed);
    const plan = makeCase(rng);
    const steps = new StepMaker(rng, plan.writing).make(STEPS);
    const machine = bootMachine(configure(plan, makeGuest(steps, makeScratch(rng))));
    const details = [`${plan.machine}, writing ${plan.writing}, read-only ${plan.readOnly}`];
    try {
      this.#record(runToEnd(machine, rng), plan);
    } catch (error) {
      const text = error instanceof Error ? error.stack ?? error.message : String(error);
      return { what: "the host failed", details: [...details, ...text.split("\n")] };
    }
    const what = judge(plan);
    return what === undefined ? undefined : { what, details };
  }

  #record({ reason, counters }: RunResult, { disks }: Case): void {
    this.#count("accesses", counters.portItems + (counters.exits.byReason["EPT_VIOLATION"] ?? 0));
    this.#count("exits", counters.exits.total);
    this.#count("interrupts", counters.interrupts);
    this.#count(`ended by ${reason}`, 1);
    for (const { reads, writes } of disks) {
      this.#count("disk reads", reads);
      this.#count("disk writes", writes);
    }
  }

  #count(name: string, by: number): void {
    this.counts[name] = (this.counts[name] ?? 0) + by;
  }
}

function makeCase(rng: Rng): Case {
  const readOnly = rng.chance(30);
  return {
    machine: rng.pick(["pc", "xenfv"] as const),
    writing: readOnly || rng.chance(50) ? "lawful" : "never",
    readOnly,
    disks: Array.from({ length: 3 }, () => new WatchedDisk(readOnly)),
    faults: Array.from({ length: rng.below(4) }, () => makeFault(rng)),
  };
}

/** Something wrong where most commands go. */
function makeFault(rng: Rng): Case["faults"][number] {
  const kind = rng.pick(["unc", "abort", "timeout"] as const);
  return { kind, sector: rng.below(800), count: 1 + rng.below(16), times: 1 + rng.below(10) };
}

/** Two disks on the primary channel, a CD-ROM on the secondary one. */
function configure({ machine, disks, faults }: Case, guest: MachineConfig["guest"]): MachineConfig {
  const attach = (backend: BlockBackend, index: number): DiskConfig => {
    const kind = index === 2 ? "cdrom" : "disk";
    return { backend, index, media: MEDIA_PRESETS.ssd, kind, faults };
  };
  return {
    machine,
    guest,
    ramBytes: PLACE.END,
    disks: disks.map(attach),
    cost: COST_PRESETS[DEFAULT_COST]!,
    ...LIMITS,
  };
}

/** The host types now and then. */
function runToEnd(machine: Machine, rng: Rng): RunResult {
  for (;;) {
    const result = machine.runSlice();
    if (result !== undefined) return result;
    if (!rng.chance(10)) continue;
    const bytes = Uint8Array.from({ length: 1 + rng.below(20) }, () => rng.below(256));
    machine.input(rng.pick(["serial", "keyboard"] as const), bytes);
  }
}

function judge({ writing, readOnly, disks }: Case): string | undefined {
  const offence = disks.find((disk) => disk.offence !== undefined)?.offence;
  if (offence !== undefined) return `a disk was asked what it must not be: ${offence}`;
  const mayChange = writing === "lawful" && !readOnly;
  const writes = disks.reduce((sum, disk, i) => sum + (mayChange && i !== 2 ? 0 : disk.writes), 0);
  return writes === 0 ? undefined : `a disk was written ${writes} times without such a command`;
}
