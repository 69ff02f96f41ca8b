/**
 * VM exits as a test writes them down, and books that take them with a clock of their own.
 * @module
 */

import { newVmExit } from "../../core/cpu/exit.ts";
import { Accounting } from "../../core/hypervisor/books/accounting.ts";
import { ExitBooks } from "../../core/hypervisor/books/exit_books.ts";
import type { DeviceRange } from "../../core/hypervisor/books/exit_table.ts";
import type { DiskRequest } from "../../core/hypervisor/books/requests.ts";
import { exitReport, requestRecord } from "../../core/machine/exit_report.ts";
import type { ExitReport, RequestRecord } from "../../core/machine/exit_report.ts";
import { COST_KINDS, EXIT } from "../../core/types.ts";
import type { BlockRequest, CostKind, Disk, ExitReason, VmExit } from "../../core/types.ts";

const RANGES: readonly DeviceRange[] = [
  { name: "ide command", base: 0x1f0, length: 8 },
  { name: "ide control", base: 0x3f6, length: 1 },
  { name: "ide bus master", base: 0xc100, length: 8 },
  { name: "pic master", base: 0x20, length: 2 },
  { name: "com1", base: 0x3f8, length: 8 },
];
const LOCAL_APIC: DeviceRange = { name: "local apic", base: 0xfee00000, length: 0x1000 };
const IDE_IRQ = 14;
/** Every exit takes as long. */
export const EXIT_NS = 10;

/** A disk that completes when the test says so. */
class WaitingDisk implements Disk {
  readonly sectorCount = 1000;
  readonly readOnly = false;
  readonly waiting: BlockRequest[] = [];

  submit(request: BlockRequest): void {
    this.waiting.push(request);
  }
}

/** Books of a machine with hda on the primary channel. */
export class BooksBench {
  readonly books: ExitBooks;
  /** Requests that are over. */
  readonly requests: RequestRecord[] = [];
  readonly disk: Disk;
  readonly #hda = new WaitingDisk();
  readonly #accounting = new Accounting();
  #ranges = RANGES;
  #now = 0;
  #exits = 0;

  constructor() {
    // deno-lint-ignore no-this-alias
    const bench = this;
    this.books = new ExitBooks({
      clock: {
        get now() {
          return bench.#now;
        },
      },
      devices: {
        ofPort: (port) =>
          this.#ranges.find(({ base, length }) => port >= base && port < base + length),
        ofAddress: (gpa) => gpa >= LOCAL_APIC.base ? LOCAL_APIC : undefined,
      },
      ideIrqs: [IDE_IRQ, 15],
      sites: true,
      onRequest: (request: DiskRequest) => this.requests.push(requestRecord(request)),
    });
    this.disk = this.books.watchIde(0, "hda", this.#hda);
  }

  /**
   * Port accesses, one a word: `in1f7=50` is a read that is answered 50h, `out1f7=c8` a write,
   * `outw1f6=b0` one of two bytes. The disk is asked inside the access that ends with `!`.
   */
  ports(text: string): this {
    for (const word of text.trim().split(/\s+/)) {
      const [, direction, wide, port = "", value = "", asks] =
        /^(in|out)(w?)([0-9a-f]+)=([0-9a-f]+)(!?)$/.exec(word) ?? [];
      const size = wide === "w" ? 2 : 1;
      this.#exit(
        { port: parseInt(port, 16), write: direction === "out", value: parseInt(value, 16), size },
        asks === "!" ? () => this.#ask() : undefined,
      );
    }
    return this;
  }

  /** Gives a device other ports. */
  move(name: string, base: number): void {
    this.#ranges = this.#ranges.map((range) => range.name === name ? { ...range, base } : range);
    this.books.remapped();
  }

  /** A store to the local APIC. */
  lapic(offset: number): this {
    const gpa = LOCAL_APIC.base + offset;
    return this.#exit({ reason: EXIT.EPT_VIOLATION, gpa, write: true });
  }

  /** An exit for another reason; `during` happens while it is served. */
  other(reason: ExitReason, during?: () => void): this {
    return this.#exit({ reason, write: true }, during); // left over from an access
  }

  /** The disk has moved its bytes, and its interrupt ends the guest's run. */
  complete(): this {
    this.#hda.waiting.shift()!.done("ok");
    return this.event(EXIT.EXTERNAL_INTERRUPT);
  }

  event(reason: ExitReason): this {
    this.books.event(reason, 0xc0de, EXIT_NS);
    this.#accounting.eventExit(reason, 0xc0de, this.#now);
    this.#pass();
    return this;
  }

  /** Ends the run, checks that the books close, and reports. */
  finish(): ExitReport {
    const books = Object.fromEntries(COST_KINDS.map((kind) => [kind, 0]));
    books.exit = this.#exits * EXIT_NS;
    this.books.finish();
    this.books.assertClosed(this.#accounting.exitCounts(), books as Record<CostKind, number>);
    return exitReport(this.books);
  }

  #exit(given: Partial<VmExit>, during?: () => void): this {
    const io = { reason: EXIT.IO_INSTRUCTION, at: this.#now, rip: 0xc000 };
    const exit: VmExit = { ...newVmExit(), ...io, ...given };
    this.#accounting.exit(exit);
    const row = this.books.begin(exit);
    during?.();
    this.#pass();
    this.books.end(exit, row);
    return this;
  }

  #pass(): void {
    this.#exits++;
    this.#now += EXIT_NS;
  }

  #ask(): void {
    const segments = [new Uint8Array(4096)];
    this.disk.submit({ op: "read", sector: 24, segments, done: () => {} });
  }
}
