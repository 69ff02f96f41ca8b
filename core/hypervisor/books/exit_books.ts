/**
 * The books of VM exits: each by its place, by the disk request that it served, and, if asked, by
 * the instruction that made it. All three close: none has an exit, or a nanosecond of one, more or
 * less than another.
 * @module
 */

import { InternalError } from "../../errors.ts";
import type { CostKind, Disk, ExitReason, Ns, VmExit } from "../../types.ts";
import { PAGE_SIZE } from "../../types.ts";
import type { ExitCounts } from "./accounting.ts";
import { type ExitSite, ExitSites } from "./exit_sites.ts";
import { ExitTable } from "./exit_table.ts";
import type { DeviceRanges, ExitRow } from "./exit_table.ts";
import { EXIT_NAMES } from "../exits.ts";
import { type RequestKind, RequestKinds } from "./request_kinds.ts";
import { type DiskRequest, RequestBook } from "./requests.ts";
import { IdeRequests } from "./requests_ide.ts";
import { PvRequests } from "./requests_pv.ts";
import { SERVICES, Tally } from "./tally.ts";

/** End of interrupt, offset in the local APIC's page. */
const APIC_EOI = 0xb0;

/** Books of time that exits are charged to, from exit to entry. */
const EXIT_COSTS: readonly CostKind[] = ["exit", "emulation", "ioreq", "device", "hypercall"];

/** What the books are kept with. */
export interface ExitBooksOptions {
  readonly clock: { readonly now: Ns };
  readonly devices: DeviceRanges;
  /** ISA interrupts of the two IDE channels. */
  readonly ideIrqs: readonly [number, number];
  /** Counts by instruction, too. */
  readonly sites: boolean;
  /** A request to which no further exit can belong. Reused: copy what you keep. */
  readonly onRequest?: ((request: DiskRequest) => void) | undefined;
}

/** Exits that served disk requests, and those that did not. */
export interface RequestTallies {
  readonly kinds: readonly RequestKind[];
  /** Sum over all requests. */
  readonly tied: Tally;
  /** Of exits that could have served a request. */
  readonly none: Tally;
}

/** Where repetitions of an exit are counted. */
interface Polled {
  row: ExitRow | undefined;
  tally: Tally | undefined;
  rip: number;
  ns: Ns;
}

/** The books of one vCPU. */
export class ExitBooks {
  readonly #clock: { readonly now: Ns };
  readonly #table: ExitTable;
  readonly #sites: ExitSites | undefined;
  readonly #book: RequestBook;
  readonly #kinds = new RequestKinds();
  readonly #tied = new Tally();
  /** By number of the channel. */
  #channels: readonly [IdeRequests, IdeRequests];
  readonly #ideIrqs: readonly [number, number];
  readonly #rings: PvRequests[] = [];
  /** Of a write, known before it is served. */
  #tally: Tally | undefined;
  /** The exit that may be repeated. */
  readonly #polled: Polled = { row: undefined, tally: undefined, rip: 0, ns: 0 };

  constructor({ clock, devices, ideIrqs, sites, onRequest }: ExitBooksOptions) {
    this.#clock = clock;
    this.#ideIrqs = ideIrqs;
    this.#sites = sites ? new ExitSites() : undefined;
    this.#book = new RequestBook(clock, (request) => {
      this.#kinds.add(request);
      this.#tied.add(request.tally);
      onRequest?.(request);
    });
    this.#channels = [new IdeRequests(this.#book), new IdeRequests(this.#book)];
    this.#table = new ExitTable(devices);
  }

  // ---- for the machine --------------------------------------------------------------------------

  /**
   * A drive on an IDE cable.
   * @param index 0, 1 = master, slave of the primary channel; 2, 3 = of the secondary
   * @returns the disk by which its requests are known
   */
  watchIde(index: number, name: string, disk: Disk): Disk {
    return this.#channels[index < 2 ? 0 : 1].watch(index % 2 === 0 ? 0 : 1, name, disk);
  }

  /** A block backend, whose ring tells of its requests. */
  watchRing(name: string): PvRequests {
    const ring = new PvRequests(this.#book, name);
    this.#rings.push(ring);
    return ring;
  }

  /** The rings of a domain are gone, and its events: their requests under way end here. */
  domainEnded(): void {
    for (const ring of this.#rings) ring.finish();
    this.#rings.length = 0;
    this.#book.finish();
  }

  /** There is another board: all requests under way end here. */
  restarted(): void {
    this.domainEnded();
    for (const channel of this.#channels) channel.finish();
    this.#channels = [new IdeRequests(this.#book), new IdeRequests(this.#book)];
    this.#table.remapped();
  }

  /** Devices have moved. */
  remapped(): void {
    this.#table.remapped();
  }

  // ---- for the hypervisor -----------------------------------------------------------------------

  /**
   * An exit is about to be served.
   * @returns its row, for {@link end}
   */
  begin(exit: VmExit): ExitRow {
    const row = this.#table.rowOf(exit);
    if (row.write) this.#tally = this.#tallyOf(exit, row);
    return row;
  }

  /** It has been served. */
  end(exit: VmExit, row: ExitRow): void {
    const ns = this.#clock.now - exit.at;
    row.count(ns);
    const tally = row.write ? this.#tally : this.#tallyOf(exit, row);
    tally?.count(row.serviceIndex, ns);
    this.#sites?.count(exit.rip, row.id, ns);
  }

  /**
   * The exit that was served last, a read, may be repeated: see {@link repeated}. Repetitions need
   * not belong where it does: behind a command's last status they wait for what follows.
   */
  mayRepeat(exit: VmExit, row: ExitRow): void {
    const polled = this.#polled;
    polled.row = row;
    polled.tally = this.#tallyOf(exit, row);
    polled.rip = exit.rip;
    polled.ns = exit.steady;
  }

  /** It was. */
  repeated(times: number): void {
    const { row, tally, rip, ns } = this.#polled;
    if (row === undefined) throw new InternalError("an exit was repeated that may not be");
    row.count(ns, times);
    tally?.count(row.serviceIndex, ns, times);
    this.#sites?.count(rip, row.id, ns, times);
  }

  /**
   * An exit that no instruction made.
   * @param rip linear address of the next instruction
   */
  event(reason: ExitReason, rip: number, ns: Ns): void {
    const row = this.#table.rowOfReason(reason);
    row.count(ns);
    this.#book.events.count(row.serviceIndex, ns);
    this.#sites?.count(rip, row.id, ns);
  }

  /**
   * An interrupt has been injected.
   * @param irq the ISA interrupt, if it is one
   */
  interrupt(irq: number | undefined): void {
    const [first, second] = this.#ideIrqs;
    const channel = irq === first
      ? this.#channels[0]
      : irq === second
      ? this.#channels[1]
      : undefined;
    this.#book.interrupt(channel?.current);
  }

  /** An upcall has been injected. */
  upcall(): void {
    this.#book.upcall();
  }

  // ---- for reports ------------------------------------------------------------------------------

  /** The run is over: requests under way end here. */
  finish(): void {
    for (const path of [...this.#channels, ...this.#rings]) path.finish();
    this.#book.finish();
  }

  /** By place. */
  get rows(): readonly ExitRow[] {
    return this.#table.rows;
  }

  /** By request. */
  get requests(): RequestTallies {
    return { kinds: this.#kinds.all, tied: this.#tied, none: this.#book.none };
  }

  /** By instruction, if that was asked for. */
  get sites(): readonly ExitSite[] | undefined {
    return this.#sites?.sites();
  }

  /**
   * After {@link finish}.
   * @throws {InternalError} when an exit or its time is missing somewhere
   */
  assertClosed(counts: ExitCounts, books: Readonly<Record<CostKind, Ns>>): void {
    const { rows } = this;
    for (const [name, count] of Object.entries(counts.byReason)) {
      const samples = sum(rows.filter(({ reason }) => EXIT_NAMES[reason] === name), "samples");
      assertEqual(`exits ${name}`, count, samples);
    }
    assertEqual("exits", counts.total, sum(rows, "samples"));
    assertEqual(
      "ns of exits",
      EXIT_COSTS.reduce((ns, kind) => ns + books[kind], 0),
      sum(rows, "timeNs"),
    );
    this.#assertTiesClosed();
  }

  #assertTiesClosed(): void {
    const tied = this.rows.filter(({ service }) => service !== undefined);
    const { tied: some, none } = this.requests;
    SERVICES.forEach((name, i) => {
      const samples = sum(tied.filter(({ service }) => service === name), "samples");
      assertEqual(`requests, ${name}`, samples, some.exits[i]! + none.exits[i]!);
    });
    assertEqual("ns of requests", sum(tied, "timeNs"), some.ns + none.ns);
  }

  /**
   * Where an exit is counted, if it could serve a request. A write is asked for before it is served,
   * all else after.
   */
  #tallyOf(exit: VmExit, row: ExitRow): Tally | undefined {
    switch (row.service) {
      case undefined:
        return undefined;
      case "ide command":
        return this.#channels[0].command(exit, row);
      default:
        return this.#rarerTallyOf(exit, row);
    }
  }

  /** Apart, as V8 does not inline it. */
  #rarerTallyOf(exit: VmExit, row: ExitRow): Tally | undefined {
    const book = this.#book;
    const [ide, ide2] = this.#channels;
    switch (row.service) {
      case "ide control":
        return ide.control(exit);
      case "ide bus master":
        return ide.busMaster(exit, row);
      case "ide2 command":
        return ide2.command(exit, row);
      case "ide2 control":
        return ide2.control(exit);
      case "ide2 bus master":
        return ide2.busMaster(exit, row);
      case "VMCALL":
        return book.claimedSince(exit.at);
      case "local apic":
        return exit.gpa % PAGE_SIZE === APIC_EOI ? book.interrupted : book.none;
      case "pic master":
      case "pic slave":
      case "io apic":
        return book.interrupted;
      case "EXTERNAL_INTERRUPT":
      case "INTERRUPT_WINDOW":
        return book.events;
      case "HLT":
        book.halted();
        return book.none;
    }
  }
}

function sum(rows: readonly ExitRow[], field: "samples" | "timeNs"): number {
  return rows.reduce((total, row) => total + row[field], 0);
}

function assertEqual(what: string, counted: number, found: number): void {
  if (counted === found) return;
  throw new InternalError(`books of exits do not close: ${what}: ${counted}, found ${found}`);
}
