/**
 * Which IDE command a register access belongs to, told from the accesses alone: what the guest
 * writes, and the status that it sees.
 *
 * | phase | begins with | its accesses belong to |
 * |---|---|---|
 * | set-up | a write to the task file, a descriptor table or direction for the bus master | the next |
 * | running | the command byte | this command |
 * | ended | a read of Status without BSY and DRQ | this command; polls of a status wait: they are |
 * | | | its own if results or the bus master follow, else the next one's |
 * | idle | SRST, or a command to a position without a drive | none, with all set-up before it |
 *
 * A DMA command of libata is 26 accesses that way (31 with LBA48), a flush 12: the first one reads
 * Status before the device is selected, the last one clears the bus master's interrupt bit.
 * Source: drivers/ata/libata-sff.c of Linux 6.1; ATA/ATAPI-7 (T13/1532D) vol. 1 §5.
 * @module
 */

import type { Disk, VmExit } from "../../types.ts";
import type { ExitRow } from "./exit_table.ts";
import type { DiskRequest, RequestBook, RequestPath } from "./requests.ts";
import { Tally } from "./tally.ts";
import { WatchedDisk } from "./watched_disk.ts";

/** Registers of the command block, by offset. */
const REG = { DATA: 0, DEVICE: 6, STATUS: 7 } as const;
/** Of the bus master. */
const BM = { COMMAND: 0, STATUS: 2 } as const;
const BM_START = 1;
const BSY_OR_DRQ = 0x88;
const SRST = 4;
const DEVICE_SHIFT = 4;

/** Commands that move data; all others are of path `ide`. */
const PATHS: Readonly<Record<number, RequestPath>> = {
  ...paths("ide-pio", [0x20, 0x21, 0x24, 0x30, 0x31, 0x34]),
  ...paths("ide-pio-multiple", [0x29, 0x39, 0xc4, 0xc5, 0xce]),
  ...paths("ide-dma", [0x06, 0x25, 0x35, 0x3d, 0xc8, 0xc9, 0xca, 0xcb]),
  ...paths("ide-packet", [0xa0]),
};

function paths(path: RequestPath, codes: readonly number[]): Record<number, RequestPath> {
  return Object.fromEntries(codes.map((code) => [code, path]));
}

type Phase = "setup" | "running" | "ended" | "idle";

/** The commands of one channel. */
export class IdeRequests {
  readonly #book: RequestBook;
  /** Names of master and slave; `undefined` where there is none. */
  readonly #disks: [string | undefined, string | undefined] = [undefined, undefined];
  readonly #setup = new Tally();
  readonly #polls = new Tally();
  #phase: Phase = "ended";
  #current: DiskRequest | undefined;
  #unit = 0;
  #started = false;

  constructor(book: RequestBook) {
    this.#book = book;
  }

  /** The command that runs or has ended last; its interrupt is the channel's. */
  get current(): DiskRequest | undefined {
    return this.#current;
  }

  /** A drive is at that position; has the accesses to its disk noted. */
  watch(unit: 0 | 1, name: string, disk: Disk): Disk {
    this.#disks[unit] = name;
    return new WatchedDisk(disk, {
      submitted: (op, sector, bytes) => {
        const request = this.#current;
        if (request === undefined) return;
        if (request.bytes === 0) {
          request.sector = sector;
          request.op = op;
        }
        request.bytes += bytes;
      },
      completed: () => {
        if (this.#current !== undefined) this.#book.completed(this.#current);
      },
    });
  }

  /** The run is over. */
  finish(): void {
    this.#idle();
  }

  /** An access to the command block: a write before it is served, a read after. */
  command({ write, value, size }: VmExit, { offset }: ExitRow): Tally {
    if (offset === REG.DATA) return this.#own();
    if (!write) return offset === REG.STATUS ? this.#status(value) : this.#result();
    if (size === 1 && offset === REG.STATUS) return this.#begin(value);
    if (size === 1 && offset === REG.DEVICE) this.#unit = value >> DEVICE_SHIFT & 1;
    return this.#prepare();
  }

  /** An access to Alternate Status and Device Control. */
  control({ write, value, size }: VmExit): Tally {
    if (write && size === 1 && (value & SRST) !== 0) {
      this.#idle();
      this.#unit = 0;
    }
    return this.#poll();
  }

  /**
   * An access to the bus master. Between commands, stopping and clearing end the last one; all
   * other writes begin the next.
   */
  busMaster({ write, value }: VmExit, { offset }: ExitRow): Tally {
    if (!write) return this.#result();
    const stops = this.#started;
    if (offset === BM.COMMAND) this.#started = (value & BM_START) !== 0;
    const ends = offset === BM.STATUS || offset === BM.COMMAND && stops;
    if (ends || this.#phase === "running") return this.#result();
    return this.#prepare();
  }

  #status(value: number): Tally {
    if (this.#phase !== "running") return this.#poll();
    const { tally } = this.#current!;
    if ((value & BSY_OR_DRQ) === 0) this.#end();
    return tally;
  }

  #end(): void {
    const request = this.#current!;
    this.#phase = "ended";
    if (Number.isNaN(request.completedAt)) this.#book.completed(request);
  }

  /** Any status, or Device Control. */
  #poll(): Tally {
    if (this.#phase === "setup") return this.#setup;
    return this.#phase === "ended" ? this.#polls : this.#own();
  }

  #result(): Tally {
    return this.#phase === "setup" ? this.#setup : this.#own();
  }

  #prepare(): Tally {
    if (this.#phase !== "setup") {
      this.#setup.absorb(this.#polls);
      this.#close();
      this.#phase = "setup";
    }
    return this.#setup;
  }

  #begin(code: number): Tally {
    this.#prepare();
    const disk = this.#disks[this.#unit];
    if (disk === undefined) {
      this.#idle();
      return this.#book.none;
    }
    const request = this.#book.open(disk, PATHS[code] ?? "ide", code);
    request.tally.absorb(this.#setup);
    this.#current = request;
    this.#phase = "running";
    return request.tally;
  }

  /** An access that can only be of the last command, and the polls before it. */
  #own(): Tally {
    const tally = this.#current?.tally ?? this.#book.none;
    tally.absorb(this.#polls);
    return tally;
  }

  #idle(): void {
    const { none } = this.#book;
    none.absorb(this.#setup);
    none.absorb(this.#polls);
    this.#close();
    this.#phase = "idle";
  }

  #close(): void {
    if (this.#current !== undefined) this.#book.close(this.#current);
    this.#current = undefined;
  }
}
