/**
 * Executes the one command that a disk drive can be working on.
 * Source: ATA/ATAPI-7 (T13/1532D) vol. 2 §11 (protocols); Bus Master IDE rev. 1.0 §3 (how transfers
 * end).
 *
 * ```
 * PIO in    BSY → disk → DRQ, INTRQ → host takes the block → DRQ, INTRQ (buffered) or BSY … idle
 * PIO out   DRQ → host gives the block → BSY → disk → DRQ, INTRQ … idle, INTRQ
 * DMA       DRQ, wait for Start → disk to or from guest memory → idle, INTRQ
 * verify    BSY → disk into the buffer … idle, INTRQ
 * trim      DRQ, wait for Start → ranges from guest memory → BSY → disk … idle, INTRQ
 * ```
 * A drive that hangs stays busy, or in its DMA transfer, until the host resets it.
 * @module
 */

import { hex } from "../../core/bits.ts";
import { SECTOR_SIZE } from "../../core/types.ts";
import type { BlockRequest, BlockStatus, Disk } from "../../core/types.ts";
import type { Command } from "./commands.ts";
import type { DiskDrive } from "./disk_drive.ts";
import type { Cable } from "./drive.ts";
import { DrqBlock } from "./drq_block.ts";
import {
  ER_ABRT,
  ER_IDNF,
  ER_UNC,
  SR_BSY,
  SR_DF,
  SR_DRQ,
  SR_ERR,
  SR_IDLE,
  WITH_DATA,
  WITH_FLUSH,
} from "./taskfile.ts";
import { DSM_TRIM, readTrimRanges } from "./trim.ts";
import type { TrimRange } from "./trim.ts";

/** What the drive's buffer holds: all of a command with a 28-bit address. */
const BUFFER_SECTORS = 256;
const SR_DATA_READY = SR_IDLE | SR_DRQ;
const SR_WORKING = SR_IDLE | SR_BSY;
const NO_SEGMENTS: readonly Uint8Array[] = [];

/** A command's way through its protocol: data blocks, disk requests, status, interrupts. */
export class CommandRunner {
  /** The data port's block. */
  readonly block: DrqBlock = new DrqBlock(BUFFER_SECTORS, () => this.#blockEnded());
  readonly #drive: DiskDrive;
  readonly #disk: Disk;
  readonly #cable: Cable;
  readonly #request: BlockRequest = {
    op: "read",
    sector: 0,
    segments: [],
    count: 0,
    done: (status, failedAt) => this.#diskDone(status, failedAt),
  };
  #running = false;
  #command!: Command; // set by run()
  #sector = 0; // first sector not yet transferred
  #remaining = 0; // sectors from there on
  #sectors = 0; // of the block or DMA transfer under way
  #fetched = 0; // sectors read ahead into the buffer by the last disk request
  #taken = 0; // of those, offered to the host
  #failure: BlockStatus = "ok"; // of the read-ahead, once the host wants what comes after them
  #failedAt = 0;
  #ranges: TrimRange[] = [];
  #inFlight: "nothing" | "buffer" | "dma" | "hung" = "nothing";

  constructor(drive: DiskDrive, disk: Disk, cable: Cable) {
    this.#drive = drive;
    this.#disk = disk;
    this.#cable = cable;
  }

  /** Starts a command. The caller has seen to it that nothing runs or drains. */
  run(command: Command): void {
    this.#running = true;
    this.#command = command;
    this.#sector =
      this.#remaining =
      this.#fetched =
      this.#taken =
        0;
    this.#failure = "ok";
    this.#drive.error = 0;
    switch (command.protocol) {
      case "immediate":
        return this.#answer();
      case "flush":
        return this.#submit("flush", NO_SEGMENTS);
      case "trim":
        return this.#beginTrim();
      default:
        return this.#beginSectors();
    }
  }

  /** Drops the command without a word to the host. What the disk has been given, it finishes. */
  abandon(): void {
    const isWaiting = this.#inFlight === "buffer" || this.#inFlight === "dma";
    if (this.#running && isWaiting) this.#cable.draining++;
    if (this.#inFlight === "hung") this.#inFlight = "nothing";
    this.#running = false;
    this.block.close();
  }

  /** Starts the transfer of a DMA command once both the command and the Start bit are there. */
  tryDma(): void {
    if (!this.#running || !this.#isDma() || this.#inFlight !== "nothing") return;
    if (!this.#cable.busMaster.active) return;
    const bytes = this.#sectors * SECTOR_SIZE;
    switch (this.#cable.busMaster.prepare(bytes, this.#isRead())) {
      case "short":
        return this.#starve(bytes);
      case "fault":
        this.#guestError("PRD table names an address without memory");
        return this.#end(ER_ABRT);
      default:
        return this.#beginDma();
    }
  }

  #beginDma(): void {
    const { busMaster } = this.#cable;
    if (this.#command.protocol !== "trim") {
      return this.#submit(this.#isRead() ? "read" : "write", busMaster.segments, "dma");
    }
    this.#ranges = readTrimRanges(busMaster.segments);
    busMaster.transferred();
    const { sectorCount } = this.#disk;
    if (this.#ranges.every(({ sector, count }) => sector + count <= sectorCount)) this.#trim();
    else {
      this.#guestError("a range reaches past the end of the disk");
      this.#end(ER_IDNF);
    }
  }

  #isDma(): boolean {
    const { protocol } = this.#command;
    return protocol === "dma-in" || protocol === "dma-out" || protocol === "trim";
  }

  #isRead(): boolean {
    return this.#command.protocol === "dma-in" || this.#command.protocol === "pio-in";
  }

  #isWrite(): boolean {
    return this.#command.protocol === "dma-out" || this.#command.protocol === "pio-out";
  }

  #answer(): void {
    const { run, ext } = this.#command;
    const outcome = run(this.#drive, ext, this.block.segments(1)[0]);
    if (outcome === WITH_FLUSH) return this.#submit("flush", NO_SEGMENTS);
    if (outcome !== WITH_DATA) return this.#end(outcome);
    this.#sectors = 1;
    this.#offerBlock("in");
    this.#cable.interrupt();
  }

  #beginTrim(): void {
    const sectors = this.#drive.taskfile.sectorCount(true);
    const { features } = this.#drive.taskfile;
    if (features !== DSM_TRIM || !this.#drive.canTrim || sectors > BUFFER_SECTORS) {
      return this.#end(ER_ABRT);
    }
    this.#awaitDma(sectors);
  }

  /** Gives the next range back. */
  #trim(): void {
    const range = this.#ranges.shift();
    if (range === undefined) return this.#end(0);
    this.#sector = range.sector;
    this.#submit("discard", NO_SEGMENTS, "buffer", range.count);
  }

  #beginSectors(): void {
    const { ext, multiple } = this.#command;
    if (this.#isWrite() && this.#disk.readOnly) {
      this.#guestError("disk is read-only");
      return this.#end(ER_ABRT);
    }
    if (multiple && this.#drive.multiple === 0) return this.#end(ER_ABRT);
    this.#sector = this.#drive.firstSector(ext);
    this.#remaining = this.#drive.taskfile.sectorCount(ext);
    if (this.#command.protocol === "verify") this.#verify();
    else if (!this.#isDma()) this.#nextBlock();
    else if (this.#reaches(1)) this.#awaitDma(this.#inside());
    else this.#endOutOfRange();
  }

  /** Of the remaining sectors those that the disk has. */
  #inside(): number {
    return Math.min(this.#remaining, this.#disk.sectorCount - this.#sector);
  }

  /** Reads into the buffer what nobody takes from there. */
  #verify(): void {
    this.#sectors = Math.min(this.#inside(), BUFFER_SECTORS);
    if (this.#reaches(1)) this.#submit("read", this.block.segments(this.#sectors));
    else this.#endOutOfRange();
  }

  #awaitDma(sectors: number): void {
    this.#sectors = sectors;
    this.#drive.status = SR_DATA_READY;
    this.tryDma();
  }

  /** @returns whether a block began; if not the command has ended */
  #nextBlock(): boolean {
    this.#sectors = this.#command.multiple ? Math.min(this.#drive.multiple, this.#remaining) : 1;
    if (!this.#reaches(this.#sectors)) {
      this.#endOutOfRange();
      return false;
    }
    if (!this.#isRead()) this.#offerBlock("out");
    else if (this.#taken < this.#fetched) this.#advance();
    else if (this.#failure === "ok") this.#fetch();
    else this.#fail(this.#failure, this.#failedAt);
    return true;
  }

  /** Reads the block and, as drives do, as much of the rest of the command as the buffer holds. */
  #fetch(): void {
    const room = BUFFER_SECTORS - BUFFER_SECTORS % this.#sectors;
    this.#fetched = Math.min(room, this.#inside());
    this.#taken = 0;
    this.#submit("read", this.block.segments(this.#fetched));
  }

  #offerBlock(direction: "in" | "out", skip: number = 0): void {
    this.#drive.status = SR_DATA_READY;
    this.block.open(direction, this.#sectors * SECTOR_SIZE, skip * SECTOR_SIZE);
  }

  /** The host has moved the last word of a block. */
  #blockEnded(): void {
    if (this.#command.protocol === "pio-out") {
      this.#submit("write", this.block.segments(this.#sectors));
    } else if (this.#remaining > 0) {
      this.#nextBlock();
    } else {
      this.#running = false;
      this.#drive.status = SR_IDLE;
    }
  }

  #submit(
    op: BlockRequest["op"],
    segments: readonly Uint8Array[],
    into: "buffer" | "dma" = "buffer",
    discards: number = 0,
  ): void {
    this.#inFlight = into;
    if (into === "buffer") this.#drive.status = SR_WORKING;
    this.#request.op = op;
    this.#request.sector = this.#sector;
    this.#request.segments = segments;
    this.#request.count = discards;
    this.#disk.submit(this.#request);
  }

  #diskDone(status: BlockStatus, failedAt: number = this.#sector): void {
    const finished = this.#inFlight;
    this.#inFlight = "nothing";
    if (finished === "dma") this.#cable.busMaster.transferred(status === "timeout");
    if (!this.#running) this.#cable.draining--;
    else if (status === "ok") this.#goOn();
    else if (this.#command.protocol === "pio-in") this.#keepFetched(status, failedAt);
    else this.#fail(status, failedAt);
  }

  #goOn(): void {
    switch (this.#request.op) {
      case "flush":
        return this.#end(0);
      case "discard":
        return this.#trim();
      default:
        return this.#advance();
    }
  }

  /** A read-ahead has failed: the host gets the blocks before the bad one. */
  #keepFetched(status: BlockStatus, failedAt: number): void {
    const before = failedAt - this.#sector;
    this.#fetched = before - before % this.#sectors;
    this.#failure = status;
    this.#failedAt = failedAt;
    if (this.#fetched > 0) this.#advance();
    else this.#fail(status, failedAt);
  }

  /** The disk has moved the sectors of a block or of a DMA transfer. */
  #advance(): void {
    this.#sector += this.#sectors;
    this.#remaining -= this.#sectors;
    this.#report(this.#sector);
    if (this.#command.protocol === "pio-in") {
      this.#offerBlock("in", this.#taken);
      this.#taken += this.#sectors;
      this.#cable.interrupt();
    } else if (this.#remaining === 0) {
      this.#finish();
    } else if (this.#command.protocol === "verify") {
      this.#verify();
    } else if (this.#isDma()) {
      this.#endOutOfRange();
    } else if (this.#nextBlock()) {
      this.#cable.interrupt();
    }
  }

  /** Where no cache may keep what has been written, a write ends when it is durable. */
  #finish(): void {
    if (this.#isWrite() && !this.#drive.writeCache) this.#submit("flush", NO_SEGMENTS);
    else this.#end(0);
  }

  #reaches(sectors: number): boolean {
    return this.#sector >= 0 && this.#sector + sectors <= this.#disk.sectorCount;
  }

  #report(sector: number): void {
    this.#drive.report(this.#command.ext, sector, this.#remaining);
  }

  #endOutOfRange(): void {
    this.#guestError(`sectors ${this.#sector}+${this.#remaining} reach past the end of the disk`);
    if (this.#sector >= 0) {
      const bad = Math.max(this.#sector, this.#disk.sectorCount);
      this.#remaining -= bad - this.#sector;
      this.#report(bad);
    }
    this.#end(ER_IDNF);
  }

  #fail(status: BlockStatus, failedAt: number): void {
    const { op } = this.#request;
    if (status === "timeout") return this.#hang();
    if (op === "read" || op === "write") {
      this.#remaining -= failedAt - this.#sector;
      this.#report(failedAt);
    }
    if (status === "aborted") return this.#end(ER_ABRT);
    if (op !== "read") return this.#end(ER_ABRT, SR_DF);
    this.#drive.readErrors++;
    this.#end(ER_UNC);
  }

  #hang(): void {
    this.#inFlight = "hung";
    if (!this.#isDma()) this.#drive.status = SR_WORKING;
  }

  /** A PRD table that ends too early: nothing moves, no interrupt; the host has its timeout. */
  #starve(bytes: number): void {
    this.#guestError(`PRD table ends before ${bytes} bytes`);
    this.#running = false;
    this.#drive.status = SR_IDLE;
  }

  #end(error: number, fault: number = 0): void {
    this.#running = false;
    if (error !== 0 && this.#isDma()) this.#cable.busMaster.stop();
    this.#drive.error = error;
    this.#drive.status = SR_IDLE | fault | (error === 0 ? 0 : SR_ERR);
    this.#cable.interrupt();
  }

  #guestError(what: string): void {
    const { name, opcode } = this.#command;
    this.#cable.errors.guestError("ide", `${name} (${hex(opcode, 2)}): ${what}`);
  }
}
