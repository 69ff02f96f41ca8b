/**
 * Counts of VM exits that serve a disk request, or could have.
 * @module
 */

import type { Ns } from "../../types.ts";

/** Devices and reasons whose exits can serve a disk request; those of all others serve none. */
export const SERVICES = [
  "ide command",
  "ide control",
  "ide bus master",
  "ide2 command",
  "ide2 control",
  "ide2 bus master",
  "VMCALL",
  "pic master",
  "pic slave",
  "local apic",
  "io apic",
  "EXTERNAL_INTERRUPT",
  "INTERRUPT_WINDOW",
  "HLT",
] as const;

/** One of {@link SERVICES}. */
export type ServiceName = typeof SERVICES[number];

/** A driver's own way to its disk, the first of {@link SERVICES}; the others are of interrupts. */
const DRIVER_SERVICES = SERVICES.indexOf("VMCALL") + 1;

/** Exits of one request, or of none. */
export class Tally {
  /** By index into {@link SERVICES}. */
  readonly exits: Float64Array = new Float64Array(SERVICES.length);
  total = 0;
  /** Time from those exits to their VM entries. A double from the start, as in `VirtualClock`. */
  ns: Ns = NaN;

  constructor() {
    this.ns = 0;
  }

  /** Exits by which the driver itself has gone to the disk. */
  get driverExits(): number {
    let sum = 0;
    for (let service = 0; service < DRIVER_SERVICES; service++) sum += this.exits[service]!;
    return sum;
  }

  /** Counts exits that took `ns` each. */
  count(service: number, ns: Ns, times: number = 1): void {
    this.exits[service]! += times;
    this.total += times;
    this.ns += ns * times;
  }

  add({ exits, total, ns }: Tally): void {
    for (let i = 0; i < exits.length; i++) this.exits[i]! += exits[i]!;
    this.total += total;
    this.ns += ns;
  }

  /** Adds all of another tally, which is empty then. */
  absorb(other: Tally): void {
    if (other.total === 0) return;
    this.add(other);
    other.clear();
  }

  clear(): void {
    this.exits.fill(0);
    this.total = 0;
    this.ns = 0;
  }
}
