/**
 * Executes the PACKET command: the packet, its data phase, its end.
 * Source: ATA/ATAPI-7 (T13/1532D) vol. 2 §11.8, §11.9 (PACKET protocols); which interrupts come, as
 * word 0 of IDENTIFY PACKET DEVICE says.
 *
 * ```
 * A0h       DRQ, no INTRQ → host writes 12 bytes → BSY → one of
 *   PIO     disk → DRQ, INTRQ → host takes a burst → DRQ, INTRQ … idle, INTRQ
 *   DMA     DRQ, wait for Start → disk to guest memory → idle, INTRQ
 *   no data idle, INTRQ
 * ```
 * @module
 */

import { hex } from "../../core/bits.ts";
import { SECTOR_SIZE } from "../../core/types.ts";
import type { BlockRequest, BlockStatus } from "../../core/types.ts";
import { BLOCK_BYTES, BLOCK_SECTORS } from "./atapi_disc.ts";
import type { AtapiDrive } from "./atapi_drive.ts";
import { type BlockRange, executePacket, isReply, type Outcome } from "./atapi_packets.ts";
import { PACKET_BYTES, packetName } from "./atapi_packets.ts";
import { ABORTED_COMMAND, ILLEGAL_REQUEST, SENSE, type Sense } from "./atapi_sense.ts";
import type { Cable } from "./drive.ts";
import { DrqBlock } from "./drq_block.ts";
import { ER_ABRT, SR_BSY, SR_DRQ, SR_IDLE } from "./taskfile.ts";

const SR_DATA_READY = SR_IDLE | SR_DRQ;
const SR_WORKING = SR_IDLE | SR_BSY;

/** Interrupt reason, in the count register: a packet or an end (CD), towards the host (IO). */
const REASON_CD = 0x01;
const REASON_IO = 0x02;

/** Features of PACKET. */
const FEATURE_DMA = 0x01;
const FEATURE_OVERLAP = 0x02;

/** Whole blocks in the largest burst that the byte count registers can say. */
const BUFFER_BLOCKS = 31;

/**
 * What the command waits for: the host's reads, its packet or its Start bit; the disk; after that has
 * failed to answer, a reset.
 */
type Phase = "idle" | "identify" | "packet" | "burst" | "start" | "disk" | "hung";

/** A packet command's way through its protocol. */
export class PacketRunner {
  /** The data port's block. */
  readonly block: DrqBlock = new DrqBlock(BUFFER_BLOCKS * BLOCK_SECTORS, () => this.#blockEnded());
  readonly #drive: AtapiDrive;
  readonly #cable: Cable;
  readonly #packet: DataView;
  readonly #range: BlockRange = { first: 0, count: 0 };
  readonly #request: BlockRequest = {
    op: "read",
    sector: 0,
    segments: [],
    done: (status, failedAt) => this.#diskDone(status, failedAt),
  };
  #phase: Phase = "idle";
  #opcode = 0;
  #usesDma = false;
  #limit = 0; // bytes of a burst; even when there are several
  #fetched = 0; // blocks that the last disk request was for
  #filled = 0; // bytes for the host in the buffer
  #taken = 0; // of those, offered to the host

  constructor(drive: AtapiDrive, cable: Cable) {
    this.#drive = drive;
    this.#cable = cable;
    this.#packet = new DataView(this.block.bytes.buffer, 0, PACKET_BYTES);
  }

  /** Takes the PACKET command. The caller has seen to it that nothing runs or drains. */
  begin(): void {
    const { taskfile } = this.#drive;
    if ((taskfile.features & FEATURE_OVERLAP) !== 0) return this.#drive.end(ER_ABRT);
    this.#usesDma = (taskfile.features & FEATURE_DMA) !== 0;
    this.#limit = taskfile.byteCount;
    this.#phase = "packet";
    this.#drive.error = 0;
    this.#drive.status = SR_DATA_READY;
    taskfile.count = REASON_CD;
    this.block.open("out", PACKET_BYTES);
  }

  /**
   * Offers the words of IDENTIFY PACKET DEVICE.
   * @param fill writes 512 bytes
   */
  identify(fill: (into: Uint8Array) => void): void {
    fill(this.block.bytes);
    this.#phase = "identify";
    this.#drive.error = 0;
    this.#drive.status = SR_DATA_READY;
    this.block.open("in", SECTOR_SIZE);
    this.#cable.interrupt();
  }

  /** Drops the command without a word to the host. What the disk has been given, it finishes. */
  abandon(): void {
    if (this.#phase === "disk") this.#cable.draining++;
    this.#phase = "idle";
    this.block.close();
  }

  /** Starts a data phase by DMA once both the command and the Start bit are there. */
  tryDma(): void {
    if (this.#phase !== "start" || !this.#cable.busMaster.active) return;
    const { count } = this.#range;
    const bytes = count === 0 ? this.#filled + this.#filled % 2 : count * BLOCK_BYTES;
    switch (this.#cable.busMaster.prepare(bytes, true)) {
      case "short":
        return this.#starve(bytes);
      case "fault":
        this.#guestError("PRD table names an address without memory");
        return this.#fail(SENSE.TRANSFER_FAILED);
      default:
        if (count === 0) return this.#sendByDma();
        this.#submit(count, this.#cable.busMaster.segments);
    }
  }

  /** The host has moved the last word of a packet or of a burst. */
  #blockEnded(): void {
    if (this.#phase === "packet") this.#execute();
    else if (this.#phase === "identify") this.#rest();
    else if (this.#taken < this.#filled) this.#offer();
    else if (this.#range.count > 0) this.#fetch();
    else this.#succeed();
  }

  #execute(): void {
    const { unit } = this.#drive;
    this.#opcode = this.#packet.getUint8(0);
    this.#range.count = this.#filled = this.#taken = 0;
    this.#drive.status = SR_WORKING;
    this.#follow(executePacket(unit, this.#packet, this.#range));
  }

  #follow(outcome: Outcome): void {
    if (outcome === "done") return this.#succeed();
    if (outcome !== "blocks" && !isReply(outcome)) return this.#fail(outcome);
    if (isReply(outcome)) {
      if (outcome.length === 0) return this.#succeed();
      this.#filled = outcome.length;
      this.block.bytes.set(outcome);
      this.block.bytes[outcome.length] = 0; // of a last word that is half used
    }
    const total = this.#filled || this.#range.count * BLOCK_BYTES;
    if (total > this.#limit) this.#limit &= ~1;
    if (this.#usesDma) this.#awaitStart();
    else if (this.#limit === 0) this.#fail(SENSE.INVALID_FIELD);
    else if (this.#filled > 0) this.#offer();
    else this.#fetch();
  }

  #awaitStart(): void {
    this.#phase = "start";
    this.#drive.status = SR_DATA_READY;
    this.#drive.taskfile.count = REASON_IO;
    this.tryDma();
  }

  /** The next burst: what the host takes at once, or what there is. */
  #offer(): void {
    const { taskfile } = this.#drive;
    const bytes = Math.min(this.#limit, this.#filled - this.#taken);
    this.#phase = "burst";
    this.#drive.status = SR_DATA_READY;
    taskfile.count = REASON_IO;
    taskfile.byteCount = bytes;
    const begin = this.#taken;
    this.#taken += bytes;
    this.block.open("in", bytes + bytes % 2, begin);
    this.#cable.interrupt();
  }

  /** Reads the blocks of a burst, or the one block of several bursts. */
  #fetch(): void {
    const perBurst = Math.max(Math.floor(this.#limit / BLOCK_BYTES), 1);
    const count = Math.min(perBurst, this.#range.count);
    this.#drive.status = SR_WORKING;
    this.#filled = count * BLOCK_BYTES;
    this.#taken = 0;
    this.#submit(count, this.block.segments(count * BLOCK_SECTORS));
  }

  #submit(count: number, segments: readonly Uint8Array[]): void {
    this.#phase = "disk";
    this.#fetched = count;
    this.#request.sector = this.#range.first * BLOCK_SECTORS;
    this.#request.segments = segments;
    this.#drive.unit.disc!.disk.submit(this.#request);
  }

  /** Also of a dropped command: no other begins before its disk is done. */
  #diskDone(status: BlockStatus, failedAt: number = this.#request.sector): void {
    if (this.#usesDma) this.#cable.busMaster.transferred(status === "timeout");
    if (this.#phase === "idle") this.#cable.draining--;
    else if (status === "ok") this.#advance(this.#fetched);
    else if (status === "timeout") this.#phase = "hung";
    else this.#failAt(status, Math.floor(failedAt / BLOCK_SECTORS));
  }

  #advance(blocks: number): void {
    this.#range.first += blocks;
    this.#range.count -= blocks;
    if (this.#usesDma) this.#succeed();
    else this.#offer();
  }

  /** By PIO the host gets the blocks before the bad one, which is then tried by itself. */
  #failAt(status: BlockStatus, block: number): void {
    const good = block - this.#range.first;
    if (!this.#usesDma && good > 0) {
      this.#filled = good * BLOCK_BYTES;
      this.#advance(good);
    } else this.#fail(status === "error" ? { ...SENSE.UNREADABLE, block } : SENSE.GIVEN_UP);
  }

  #sendByDma(): void {
    let at = 0;
    for (const segment of this.#cable.busMaster.segments) {
      segment.set(this.block.bytes.subarray(at, at + segment.length));
      at += segment.length;
    }
    this.#cable.busMaster.transferred();
    this.#succeed();
  }

  /** A PRD table that ends too early: nothing moves, no interrupt; the host has its timeout. */
  #starve(bytes: number): void {
    this.#guestError(`PRD table ends before ${bytes} bytes`);
    this.#rest();
  }

  #rest(): void {
    this.#phase = "idle";
    this.#drive.status = SR_IDLE;
  }

  #succeed(): void {
    this.#end(SENSE.NONE, 0);
  }

  #fail(sense: Sense): void {
    const { key, asc, ascq } = sense;
    const aborts = key === ILLEGAL_REQUEST || key === ABORTED_COMMAND;
    if (key === ILLEGAL_REQUEST) {
      this.#guestError(`refused, sense ${[key, asc, ascq].map((code) => hex(code, 2)).join("/")}`);
    }
    this.#end(sense, key << 4 | (aborts ? ER_ABRT : 0));
  }

  #end(sense: Sense, error: number): void {
    if (error !== 0 && this.#usesDma) this.#cable.busMaster.stop();
    this.#phase = "idle";
    this.#drive.unit.sense = sense;
    this.#drive.taskfile.count = REASON_CD | REASON_IO;
    this.#drive.end(error);
  }

  #guestError(what: string): void {
    const name = packetName(this.#opcode) ?? "Packet";
    this.#cable.errors.guestError("ide", `${name} (${hex(this.#opcode, 2)}): ${what}`);
  }
}
