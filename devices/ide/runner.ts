/**
 * Executes the one command that a disk drive can be working on.
 * Source: ATA/ATAPI-7 (T13/1532D) vol. 2 §11 (protocols); Bus Master IDE rev. 1.0 §3 (how transfers
 * end).
 *
 * ```
 * PIO in    BSY → disk → DRQ, INTRQ → host takes the block → DRQ, INTRQ (buffered) or BSY … idle
 * PIO out   DRQ → host gives the block → BSY → disk → DRQ, INTRQ … idle, INTRQ
 * DMA       DRQ, wait for Start → disk to or from guest memory → idle, INTRQ
 * ```
 * @module
 */

import { hex } from "../../core/bits.ts";
import { SECTOR_SIZE } from "../../core/types.ts";
import type { BlockRequest, BlockStatus, Disk } from "../../core/types.ts";
import type { Command } from "./commands.ts";
import type { DiskDrive } from "./disk_drive.ts";
import type { Cable } from "./drive.ts";
import { DrqBlock } from "./drq_block.ts";
import { fillIdentify } from "./identify.ts";
import { ER_ABRT, ER_IDNF, ER_UNC, SR_BSY, SR_DF, SR_DRQ, SR_ERR, SR_IDLE } from "./taskfile.ts";

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
    done: (status) => this.#diskDone(status),
  };
  #running = false;
  #command!: Command; // set by run()
  #sector = 0; // first sector not yet transferred
  #remaining = 0; // sectors from there on
  #sectors = 0; // of the block or DMA transfer under way
  #fetched = 0; // sectors read ahead into the buffer by the last disk request
  #taken = 0; // of those, offered to the host
  #readAhead = true; // off after a media error, until the next command
  #inFlight: "nothing" | "block" | "dma" | "flush" = "nothing";

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
    this.#readAhead = true;
    this.#drive.error = 0;
    switch (command.protocol) {
      case "non-data":
        return this.#end(command.run(this.#drive, command.ext));
      case "identify":
        return this.#identify();
      case "flush":
        return this.#submit("flush", NO_SEGMENTS);
      default:
        return this.#beginSectors();
    }
  }

  /** Drops the command without a word to the host. What the disk has been given, it finishes. */
  abandon(): void {
    if (this.#running && this.#inFlight !== "nothing") this.#cable.draining++;
    this.#running = false;
    this.block.close();
  }

  /** Starts the transfer of a DMA command once both the command and the Start bit are there. */
  tryDma(): void {
    if (!this.#running || !this.#isDma() || this.#inFlight !== "nothing") return;
    if (!this.#cable.busMaster.started) return;
    this.#sectors = Math.min(this.#remaining, this.#disk.sectorCount - this.#sector);
    const bytes = this.#sectors * SECTOR_SIZE;
    switch (this.#cable.busMaster.prepare(bytes, this.#isRead())) {
      case "short":
        return this.#starve(bytes);
      case "fault":
        this.#guestError("PRD table names an address without memory");
        return this.#end(ER_ABRT);
      default:
        return this.#submit(this.#isRead() ? "read" : "write", this.#cable.busMaster.segments);
    }
  }

  #isDma(): boolean {
    return this.#command.protocol === "dma-in" || this.#command.protocol === "dma-out";
  }

  #isRead(): boolean {
    return this.#command.protocol === "dma-in" || this.#command.protocol === "pio-in";
  }

  #identify(): void {
    fillIdentify(this.#drive, this.block.segments(1)[0]);
    this.#sectors = 1;
    this.#offerBlock("in");
    this.#cable.interrupt();
  }

  #beginSectors(): void {
    const { ext, multiple } = this.#command;
    if (!this.#isRead() && this.#disk.readOnly) {
      this.#guestError("disk is read-only");
      return this.#end(ER_ABRT);
    }
    if (multiple && this.#drive.multiple === 0) return this.#end(ER_ABRT);
    this.#sector = this.#drive.firstSector(ext);
    this.#remaining = this.#drive.taskfile.sectorCount(ext);
    if (!this.#isDma()) this.#nextBlock();
    else if (this.#reaches(1)) this.#awaitDma();
    else this.#endOutOfRange();
  }

  #awaitDma(): void {
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
    else this.#fetch();
    return true;
  }

  /** Reads the block and, as drives do, as much of the rest of the command as the buffer holds. */
  #fetch(): void {
    const room = BUFFER_SECTORS - BUFFER_SECTORS % this.#sectors;
    const inside = Math.min(room, this.#remaining, this.#disk.sectorCount - this.#sector);
    this.#fetched = this.#readAhead ? inside : this.#sectors;
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

  #submit(op: BlockRequest["op"], segments: readonly Uint8Array[]): void {
    this.#inFlight = op === "flush" ? "flush" : this.#isDma() ? "dma" : "block";
    if (!this.#isDma()) this.#drive.status = SR_WORKING;
    this.#request.op = op;
    this.#request.sector = this.#sector;
    this.#request.segments = segments;
    this.#disk.submit(this.#request);
  }

  #diskDone(status: BlockStatus): void {
    const finished = this.#inFlight;
    this.#inFlight = "nothing";
    if (finished === "dma") this.#cable.busMaster.transferred();
    if (!this.#running) this.#cable.draining--;
    else if (status === "error") this.#mediaError();
    else if (finished === "flush") this.#end(0);
    else this.#advance();
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
      this.#end(0);
    } else if (this.#isDma()) {
      this.#endOutOfRange();
    } else if (this.#nextBlock()) {
      this.#cable.interrupt();
    }
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

  /** A failed read-ahead says nothing about the first block: that is tried alone. */
  #mediaError(): void {
    if (this.#command.protocol === "pio-in" && this.#fetched > this.#sectors) {
      this.#readAhead = false;
      this.#fetch();
    } else this.#endMediaError();
  }

  #endMediaError(): void {
    if (this.#command.protocol !== "flush") this.#report(this.#sector);
    if (this.#isRead()) this.#end(ER_UNC);
    else this.#end(ER_ABRT, SR_DF);
  }

  /** A PRD table that ends too early: nothing moves, no interrupt; the host has its timeout. */
  #starve(bytes: number): void {
    this.#guestError(`PRD table ends before ${bytes} bytes`);
    this.#running = false;
    this.#drive.status = SR_IDLE;
  }

  #end(error: number, fault: number = 0): void {
    this.#running = false;
    if (error !== 0) this.#cable.busMaster.stop();
    this.#drive.error = error;
    this.#drive.status = SR_IDLE | fault | (error === 0 ? 0 : SR_ERR);
    this.#cable.interrupt();
  }

  #guestError(what: string): void {
    const { name, opcode } = this.#command;
    this.#cable.errors.guestError("ide", `${name} (${hex(opcode, 2)}): ${what}`);
  }
}
