/**
 * What a disk was asked for during a phase, with the VM exits that served it.
 * @module
 */

import type { RequestRecord } from "../machine/exit_report.ts";
import type { Ns } from "../types.ts";

/** Sums over requests of the disk. */
export interface DiskRecord {
  /** How many there were. */
  requests: number;
  /** Bytes they moved. */
  bytes: number;
  /** How many took which way: `"ide-dma"`, `"pv"`. */
  byPath: Record<string, number>;
  /** VM exits that served them. */
  exits: number;
  /** Of those, the ones by which the driver went to the disk: port accesses and hypercalls. */
  driverExits: number;
  /** All of those by what they were for. */
  exitsBy: Record<string, number>;
  /** From exits to entries. */
  exitNs: Ns;
  /** Interrupts and upcalls injected for them. */
  interrupts: number;
}

/** Adds requests up. */
export class DiskSums {
  readonly #sums: DiskRecord = {
    requests: 0,
    bytes: 0,
    byPath: {},
    exits: 0,
    driverExits: 0,
    exitsBy: {},
    exitNs: 0,
    interrupts: 0,
  };

  /** Adds a request that is over. */
  add({ bytes, path, exits, driverExits, exitsBy, exitNs, interrupts }: RequestRecord): void {
    const sums = this.#sums;
    sums.requests++;
    sums.bytes += bytes;
    sums.exits += exits;
    sums.driverExits += driverExits;
    sums.exitNs += exitNs;
    sums.interrupts += interrupts;
    increase(sums.byPath, path, 1);
    for (const [name, count] of Object.entries(exitsBy)) increase(sums.exitsBy, name, count);
  }

  /** What has been added. */
  record(): DiskRecord {
    const { byPath, exitsBy, ...rest } = this.#sums;
    return { ...rest, byPath: { ...byPath }, exitsBy: { ...exitsBy } };
  }
}

function increase(tally: Record<string, number>, name: string, by: number): void {
  tally[name] = (tally[name] ?? 0) + by;
}
