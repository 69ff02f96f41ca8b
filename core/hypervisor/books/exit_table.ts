/**
 * VM exits by place: by reason, and where the guest has accessed something, by the device that owns
 * the port or the address. Every exit is in one row, so the rows add up to all exits and their time.
 *
 * A row is made when its place is met for the first time; after that an exit allocates nothing. A
 * device keeps its rows when it moves.
 * @module
 */

import type { ExitReason, Gpa, Ns, VmExit } from "../../types.ts";
import { EXIT } from "../../types.ts";
import { EXIT_NAMES, EXIT_REASON_COUNT } from "../exits.ts";
import { type ServiceName, SERVICES } from "./tally.ts";

const PORT_COUNT = 0x10000;
const MOST_RANGES = 16;

const { IO_INSTRUCTION, EPT_VIOLATION } = EXIT;

/** A device's ports or addresses, as they are mapped now. */
export interface DeviceRange {
  readonly name: string;
  readonly base: number;
  readonly length: number;
}

/** Who answers where, always the same object for the same mapping; `undefined` is nobody. */
export interface DeviceRanges {
  ofPort(port: number): DeviceRange | undefined;
  ofAddress(gpa: Gpa): DeviceRange | undefined;
}

/** A device that exits have come from. */
export interface MetDevice {
  readonly name: string;
  /** Where it has been met; a guest that moves it about is not followed for ever. */
  readonly ranges: DeviceRange[];
}

/** Where exits come from. */
interface Place {
  readonly reason: ExitReason;
  /** Guest → outside. */
  readonly write: boolean;
  readonly device: MetDevice | undefined;
  /** Of the port from the device's first, or the port of nobody; 0 of anything else. */
  readonly offset: number;
}

/** One place: exits of one reason, of one port or device in memory, in one direction. */
export class ExitRow implements Place {
  /** From 1 up. */
  readonly id: number;
  readonly reason: ExitReason;
  readonly write: boolean;
  readonly device: MetDevice | undefined;
  readonly offset: number;
  /** How its exits can serve a disk request, if they can: the device's name, else the reason's. */
  readonly service: ServiceName | undefined;
  /** Of the service in `SERVICES`, -1 = none. */
  readonly serviceIndex: number;
  samples = 0;
  minNs: Ns = Infinity;
  maxNs: Ns = -Infinity;
  /** A double from the start, as the time of `VirtualClock`. */
  timeNs: Ns = NaN;

  constructor(id: number, place: Place) {
    this.id = id;
    this.reason = place.reason;
    this.write = place.write;
    this.device = place.device;
    this.offset = place.offset;
    const name = place.device?.name ?? EXIT_NAMES[place.reason];
    this.serviceIndex = SERVICES.findIndex((service) => service === name);
    this.service = SERVICES[this.serviceIndex];
    this.timeNs = 0;
  }

  /** Counts exits that took `ns` each, VM entry included. */
  count(ns: Ns, times: number = 1): void {
    this.samples += times;
    this.timeNs += ns * times;
    if (ns < this.minNs) this.minNs = ns;
    if (ns > this.maxNs) this.maxNs = ns;
  }
}

/** The rows of one vCPU. */
export class ExitTable {
  /** In the order in which they were met. */
  readonly rows: ExitRow[] = [];
  readonly #devices: DeviceRanges;
  readonly #byReason: (ExitRow | undefined)[] = new Array(EXIT_REASON_COUNT).fill(undefined);
  /** By port * 2 + write: the row's id, 0 = none yet. */
  readonly #byPort = new Uint32Array(PORT_COUNT * 2);
  readonly #loads = new Map<DeviceRange | undefined, ExitRow>();
  readonly #stores = new Map<DeviceRange | undefined, ExitRow>();
  readonly #byPlace = new Map<string, ExitRow>();
  readonly #met = new Map<string, MetDevice>();

  constructor(devices: DeviceRanges) {
    this.#devices = devices;
  }

  /** Devices have moved. */
  remapped(): void {
    this.#byPort.fill(0);
    this.#loads.clear();
    this.#stores.clear();
  }

  /** The row of an exit. */
  rowOf(exit: VmExit): ExitRow {
    const { reason } = exit;
    if (reason !== IO_INSTRUCTION) {
      return reason === EPT_VIOLATION ? this.#rowOfMmio(exit) : this.rowOfReason(reason);
    }
    const key = exit.port * 2 + (exit.write ? 1 : 0);
    const id = this.#byPort[key]!;
    return id > 0 ? this.rows[id - 1]! : this.#newPort(key, exit);
  }

  #rowOfMmio(exit: VmExit): ExitRow {
    const range = this.#devices.ofAddress(exit.gpa);
    return (exit.write ? this.#stores : this.#loads).get(range) ?? this.#newMmio(range, exit);
  }

  /** The row of a reason that has no address. */
  rowOfReason(reason: ExitReason): ExitRow {
    return this.#byReason[reason] ??= this.#add({
      reason,
      write: false,
      device: undefined,
      offset: 0,
    });
  }

  #newPort(key: number, { reason, port, write }: VmExit): ExitRow {
    const range = this.#devices.ofPort(port);
    const device = range && this.#meet(range);
    const row = this.#add({ reason, write, device, offset: port - (range?.base ?? 0) });
    this.#byPort[key] = row.id;
    return row;
  }

  #newMmio(range: DeviceRange | undefined, { reason, write }: VmExit): ExitRow {
    const row = this.#add({ reason, write, device: range && this.#meet(range), offset: 0 });
    (write ? this.#stores : this.#loads).set(range, row);
    return row;
  }

  #meet(range: DeviceRange): MetDevice {
    const { name, base } = range;
    const device = this.#met.get(name) ?? { name, ranges: [] };
    this.#met.set(name, device);
    const { ranges } = device;
    const isNew = ranges.every((each) => each.base !== base);
    if (isNew && ranges.length < MOST_RANGES) ranges.push(range);
    return device;
  }

  #add(place: Place): ExitRow {
    const { reason, write, device, offset } = place;
    const key = `${reason} ${write} ${offset} ${device?.name ?? ""}`;
    const known = this.#byPlace.get(key);
    if (known !== undefined) return known;
    const row = new ExitRow(this.rows.length + 1, place);
    this.rows.push(row);
    this.#byPlace.set(key, row);
    return row;
  }
}
