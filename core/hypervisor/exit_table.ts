/**
 * VM exits by place: by reason, and where the guest has accessed something, by port or page and by
 * the device behind it. Every exit is in one row, so the rows add up to all exits and their time.
 *
 * A row is made when its place is met for the first time; after that an exit allocates nothing.
 * @module
 */

import type { ExitReason, Gpa, Ns, VmExit } from "../types.ts";
import { EXIT, PAGE_SIZE } from "../types.ts";
import { EXIT_NAMES, EXIT_REASON_COUNT } from "./exits.ts";
import type { Tally } from "./tally.ts";

const PORT_COUNT = 0x10000;
/** Pages of which a guest's accesses are told apart: more than all devices have. */
const PAGE_ROWS = 1024;

const { IO_INSTRUCTION, EPT_VIOLATION } = EXIT;

/** A device's ports or addresses, as they are mapped now. */
export interface DeviceRange {
  readonly name: string;
  readonly base: number;
  readonly length: number;
}

/** Who answers where; `undefined` is nobody. */
export interface DeviceRanges {
  ofPort(port: number): DeviceRange | undefined;
  ofAddress(gpa: Gpa): DeviceRange | undefined;
}

/** Says where an exit is counted. A write is asked for before it is served, all else after. */
export type TallyOf = (exit: VmExit, row: ExitRow) => Tally;

/** Exits that can serve a disk request. */
export interface ExitTie {
  /** Index into `SERVICES`. */
  readonly service: number;
  readonly tallyOf: TallyOf;
}

/** The ties there are, by name of the device or else of the reason. */
export type ExitTies = Readonly<Partial<Record<string, ExitTie>>>;

/** One place: exits of one reason, and of one port or page in one direction. */
export class ExitRow {
  /** From 1 up. */
  readonly id: number;
  readonly reason: ExitReason;
  /** Guest → outside. */
  readonly write: boolean;
  readonly device: DeviceRange | undefined;
  /** Of the port or page from the device's first. */
  readonly offset: number;
  readonly tie: ExitTie | undefined;
  samples = 0;
  timeNs: Ns = 0;
  minNs: Ns = Infinity;
  maxNs: Ns = 0;

  constructor(id: number, place: Omit<Place, "address">, offset: number, tie?: ExitTie) {
    this.id = id;
    this.reason = place.reason;
    this.write = place.write;
    this.device = place.device;
    this.offset = offset;
    this.tie = tie;
  }

  /** Counts an exit that took `ns`, VM entry included. */
  count(ns: Ns): void {
    this.samples++;
    this.timeNs += ns;
    if (ns < this.minNs) this.minNs = ns;
    if (ns > this.maxNs) this.maxNs = ns;
  }
}

/** Where exits come from. */
interface Place {
  readonly reason: ExitReason;
  /** The port, or the first address of the page; 0 when the reason has neither. */
  readonly address: number;
  readonly write: boolean;
  readonly device: DeviceRange | undefined;
}

/** The rows of one vCPU. */
export class ExitTable {
  /** In the order in which they were met. */
  readonly rows: ExitRow[] = [];
  readonly #devices: DeviceRanges;
  readonly #ties: ExitTies;
  readonly #byReason: (ExitRow | undefined)[] = new Array(EXIT_REASON_COUNT).fill(undefined);
  /** By port * 2 + write: the row's id, 0 = none yet. */
  readonly #byPort = new Uint32Array(PORT_COUNT * 2);
  /** By page number * 2 + write. */
  readonly #byPage = new Map<number, ExitRow>();

  constructor(devices: DeviceRanges, ties: ExitTies) {
    this.#devices = devices;
    this.#ties = ties;
  }

  /** Devices have moved: later exits get rows of their own. */
  remapped(): void {
    this.#byPort.fill(0);
    this.#byPage.clear();
  }

  /** The row of an exit. */
  rowOf(exit: VmExit): ExitRow {
    const { reason } = exit;
    if (reason === IO_INSTRUCTION) {
      const key = exit.port * 2 + (exit.write ? 1 : 0);
      const id = this.#byPort[key]!;
      return id > 0 ? this.rows[id - 1]! : this.#newPort(key, exit);
    }
    if (reason === EPT_VIOLATION) {
      const key = Math.floor(exit.gpa / PAGE_SIZE) * 2 + (exit.write ? 1 : 0);
      return this.#byPage.get(key) ?? this.#newPage(key, exit);
    }
    return this.rowOfReason(reason);
  }

  /** The row of a reason that has no address. */
  rowOfReason(reason: ExitReason): ExitRow {
    return this.#byReason[reason] ??= this.#add({
      reason,
      address: 0,
      write: false,
      device: undefined,
    });
  }

  #newPort(key: number, { reason, port, write }: VmExit): ExitRow {
    const device = this.#devices.ofPort(port);
    const row = this.#add({ reason, address: port, write, device });
    this.#byPort[key] = row.id;
    return row;
  }

  /** A guest that roams through the address space gets no memory of ours for it. */
  #newPage(key: number, { reason, gpa, write }: VmExit): ExitRow {
    if (this.#byPage.size >= PAGE_ROWS) return this.rowOfReason(reason);
    const address = gpa - gpa % PAGE_SIZE;
    const row = this.#add({ reason, address, write, device: this.#devices.ofAddress(gpa) });
    this.#byPage.set(key, row);
    return row;
  }

  #add(place: Place): ExitRow {
    const { reason, address, device } = place;
    const tie = this.#ties[device?.name ?? EXIT_NAMES[reason]!];
    const row = new ExitRow(this.rows.length + 1, place, address - (device?.base ?? address), tie);
    this.rows.push(row);
    return row;
  }
}
