/**
 * Disk requests and the exits that served them. Every exit is in exactly one tally: that of one
 * request, or that of none.
 *
 * | exit | belongs to |
 * |---|---|
 * | registers of an IDE channel | the command: see `requests_ide.ts` |
 * | EVTCHNOP_send of a block ring | the first request that it made visible: see `requests_pv.ts` |
 * | EXTERNAL_INTERRUPT, INTERRUPT_WINDOW | the request whose interrupt is injected next |
 * | interrupt controllers, until the guest halts or is interrupted again | the request whose |
 * | | interrupt was injected last; of the local APIC only EOI |
 * | everything else, HLT included | none |
 * @module
 */

import type { BlockRequest, Ns } from "../../types.ts";
import { Tally } from "./tally.ts";

/** Ways from a guest to its disk. `ide` are commands without data of the disk. */
export type RequestPath =
  | "ide"
  | "ide-pio"
  | "ide-pio-multiple"
  | "ide-dma"
  | "ide-packet"
  | "pv";

/** What the disk is asked for; `other` when it is not asked. */
export type RequestOp = BlockRequest["op"] | "other";

/** A disk request, from its first exit to its last. Reused: copy what you keep. */
export class DiskRequest {
  /** From 1 up, in the order of submission. */
  id = 0;
  disk = "";
  path: RequestPath = "ide";
  op: RequestOp = "other";
  /** ATA command or blkif operation. */
  code = 0;
  sector = 0;
  bytes = 0;
  /** The guest had handed it over. */
  submittedAt: Ns = NaN;
  /**
   * The disk had done its part; without one, the guest saw that the command had ended; on a ring, the
   * response was there. NaN before.
   */
  completedAt: Ns = NaN;
  /** Interrupts and upcalls injected for it. */
  interrupts = 0;
  readonly tally: Tally = new Tally();
  /** Its path is done with it. */
  closed = false;
}

/** The requests under way on all paths, and who gets an exit that serves none of them. */
export class RequestBook {
  /** Exits that could have served a request and have served none. */
  readonly none: Tally = new Tally();
  /** Exits that wait for the interrupt they tell of. */
  readonly events: Tally = new Tally();
  readonly #clock: { readonly now: Ns };
  readonly #onEnd: (request: DiskRequest) => void;
  readonly #free: DiskRequest[] = [];
  #lastId = 0;
  /** Whose interrupt the guest is dealing with. */
  #interrupted: DiskRequest | undefined;
  /** Whose response asked for the upcall that is due. */
  #notified: DiskRequest | undefined;
  #claimant: DiskRequest | undefined;
  #claimedAt: Ns = -Infinity;

  /** @param onEnd takes a request to which no further exit can belong */
  constructor(clock: { readonly now: Ns }, onEnd: (request: DiskRequest) => void) {
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  // ---- for the paths ----------------------------------------------------------------------------

  /** A new request, submitted now. */
  open(disk: string, path: RequestPath, code: number): DiskRequest {
    const request = this.#free.pop() ?? new DiskRequest();
    request.id = ++this.#lastId;
    request.disk = disk;
    request.path = path;
    request.op = "other";
    request.code = code;
    request.sector = 0;
    request.bytes = 0;
    request.submittedAt = this.#clock.now;
    request.completedAt = NaN;
    request.interrupts = 0;
    request.closed = false;
    return request;
  }

  /** The disk has done its part, as often as it was asked. */
  completed(request: DiskRequest): void {
    request.completedAt = this.#clock.now;
  }

  /** The path is done with a request. Exits of its interrupt may still follow. */
  close(request: DiskRequest): void {
    if (Number.isNaN(request.completedAt)) this.completed(request);
    request.closed = true;
    this.#endIfOver(request);
  }

  /** The exit under way is this request's. */
  claim(request: DiskRequest): void {
    this.#claimant = request;
    this.#claimedAt = this.#clock.now;
  }

  /** A response has set the guest's event pending. */
  notified(request: DiskRequest): void {
    this.#notified ??= request;
  }

  // ---- for exits and interrupts -----------------------------------------------------------------

  /** Who claimed the exit that began at that time. */
  claimedSince(beganAt: Ns): Tally {
    const request = this.#claimedAt >= beganAt ? this.#claimant : undefined;
    this.#claimant = undefined;
    return request?.tally ?? this.none;
  }

  /** Of the request whose interrupt the guest is dealing with. */
  get interrupted(): Tally {
    return this.#interrupted?.tally ?? this.none;
  }

  /** An interrupt has been injected for a request, or for none. */
  interrupt(request: DiskRequest | undefined): void {
    const before = this.#interrupted;
    this.#interrupted = request;
    (request?.tally ?? this.none).absorb(this.events);
    if (request !== undefined) request.interrupts++;
    if (before !== undefined) this.#endIfOver(before);
  }

  /** An upcall has been injected. */
  upcall(): void {
    const request = this.#notified;
    this.#notified = undefined;
    this.interrupt(request);
  }

  /** The guest waits: it is done with its interrupt. */
  halted(): void {
    const before = this.#interrupted;
    this.#interrupted = undefined;
    if (before !== undefined) this.#endIfOver(before);
  }

  /** The run or the domain is over: no upcall is due, no interrupt is being dealt with. */
  finish(): void {
    this.none.absorb(this.events);
    const waiting = this.#notified;
    this.#notified = undefined;
    if (waiting !== undefined && waiting !== this.#interrupted) this.#endIfOver(waiting);
    this.halted();
  }

  #endIfOver(request: DiskRequest): void {
    if (!request.closed || request === this.#interrupted || request === this.#notified) return;
    this.#onEnd(request);
    request.tally.clear();
    this.#free.push(request);
  }
}
