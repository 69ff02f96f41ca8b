/**
 * A connected ring of a block backend: one worker in dom0 that takes requests, and their way back.
 *
 * An event wakes the worker; it serves one request after the other until none is left, asks for an
 * event at the next one, and sleeps. Every step takes dom0's time first and has its effect then.
 * Source: drivers/block/xen-blkback/blkback.c of Linux 6.1 for the order of steps.
 * @module
 */

import { InternalError } from "../../core/errors.ts";
import { DOM0_COST } from "../../core/types.ts";
import type {
  BlockRequest,
  BlockStatus,
  Disk,
  Dom0,
  EventPort,
  GrantMapper,
  GuestErrors,
  GuestMemory,
  Ns,
} from "../../core/types.ts";
import { BLKIF_OP, BLKIF_RSP, BlkifRequest, refusalOf, REQUEST } from "./blkif.ts";
import type { Refusal } from "./blkif.ts";
import { PersistentPages, RequestPages } from "./granted_pages.ts";
import { BackRing } from "./ring.ts";

/** What the worker's steps take of dom0's time, grant operations and block layer apart. */
export interface BlkbackCosts {
  /** From the event to the running worker. */
  readonly wakeup: Ns;
  /** Copying, checking and submitting one request. */
  readonly perRequest: Ns;
  /** Completing one request and writing its response. */
  readonly perResponse: Ns;
}

/** Counts of notifications, sent and saved. */
export interface NotificationStats {
  notifySent(): void;
  /** The guest had not asked for an event at this response. */
  notifySuppressed(): void;
  /** A request was taken without an event of its own: the worker was at it anyway. */
  requestWithoutEvent(): void;
}

/** Follows requests from the guest's event to their response. */
export interface RingObserver {
  /**
   * The guest has sent its event, or the backend looks for the first time.
   * @param waiting requests on the ring that have not been taken
   */
  event(waiting: number): void;
  /**
   * The next request has been taken, as the guest has written it.
   * @param slot the backend's place for it, until it is answered
   */
  taken(slot: number, operation: number, sector: number, sectors: number): void;
  /** The response is on the ring. @param notified with an event */
  answered(slot: number, notified: boolean): void;
}

/** What a ring works with. */
export interface BlkbackRingParts {
  readonly grants: GrantMapper;
  readonly dom0: Dom0;
  readonly disk: Disk;
  /** The vbd may be read-only on a writable disk. */
  readonly readOnly: boolean;
  readonly memory: GuestMemory;
  readonly errors: GuestErrors;
  readonly costs: BlkbackCosts;
  readonly stats: NotificationStats;
  readonly observer?: RingObserver | undefined;
  /** The granted ring page. */
  readonly page: Uint8Array;
  readonly event: EventPort;
  /** Both sides said feature-persistent. */
  readonly persistent: boolean;
  /** The ring was closed while requests were in flight; the last one has been answered. */
  readonly onDrained: () => void;
}

const NO_PAGES: readonly Uint8Array[] = [];

/** Serves the requests of one ring until it is closed. */
export class BlkbackRing {
  readonly #parts: BlkbackRingParts;
  readonly #limits: { readonly sectorCount: number; readonly readOnly: boolean };
  readonly #ring: BackRing;
  readonly #persistent: PersistentPages | undefined;
  readonly #free: RequestSlot[] = [];
  readonly #resume: () => void = () => this.#next();
  readonly #serve: () => void = () => this.#serveOne();
  #awake = false;
  /** An event has come since the last request was taken. */
  #announced = false;
  /** No request is taken any more: closed, or the frontend is hostile. */
  #stopped = false;
  #closing = false;

  constructor(parts: BlkbackRingParts) {
    this.#parts = parts;
    this.#limits = { sectorCount: parts.disk.sectorCount, readOnly: parts.readOnly };
    const { buffer, byteOffset, byteLength } = parts.page;
    this.#ring = new BackRing(new DataView(buffer, byteOffset, byteLength), REQUEST.SIZE);
    this.#ring.attach();
    this.#persistent = parts.persistent ? new PersistentPages() : undefined;
    for (let i = 0; i < this.#ring.entries; i++) this.#free.push(this.#newSlot(i));
  }

  /** The producer indexes that the frontend left in the page cannot be. */
  get overrun(): boolean {
    return this.#ring.overrun;
  }

  /** The guest's event, or the first look after connecting. */
  wake(): void {
    this.#announced = true;
    if (this.#stopped) return;
    this.#parts.observer?.event(this.#ring.unconsumed());
    if (this.#awake) return;
    this.#awake = true;
    this.#parts.dom0.post(DOM0_COST.backend, this.#parts.costs.wakeup, this.#resume);
  }

  /**
   * Takes no more requests. Pages of requests in flight cannot be unmapped before they complete.
   * @returns whether all pages but the ring's are unmapped now; if not, `onDrained` will be called
   */
  close(): boolean {
    this.#stopped = true;
    this.#closing = this.#ring.outstanding > 0;
    if (this.#closing) return false;
    this.#persistent?.unmapAll(this.#parts.grants);
    return true;
  }

  #newSlot(index: number): RequestSlot {
    return new RequestSlot(index, new RequestPages(this.#parts.grants, this.#persistent), {
      submit: (slot) => this.#parts.disk.submit(slot),
      done: (slot, status) => this.#done(slot, status),
      unmap: (slot) => this.#unmap(slot),
      respond: (slot) => this.#respond(slot),
    });
  }

  /** The worker's loop: one more request, or sleep. */
  #next(): void {
    if (this.#hasRequest()) {
      this.#parts.dom0.post(DOM0_COST.backend, this.#parts.costs.perRequest, this.#serve);
    } else {
      this.#awake = false;
    }
  }

  #hasRequest(): boolean {
    if (this.#stopped || this.#isHostile()) return false;
    if (this.#ring.unconsumed() > 0) return true;
    const more = this.#ring.finalCheck();
    this.#parts.memory.wrote(this.#parts.page);
    return more;
  }

  #isHostile(): boolean {
    if (!this.#ring.overrun) return false;
    this.#stopped = true;
    this.#parts.errors.guestError(
      "blkback",
      "ring stopped: req_prod claims more than the ring holds",
    );
    return true;
  }

  #serveOne(): void {
    if (this.#hasRequest()) this.#admit(this.#take());
    this.#next();
  }

  #take(): RequestSlot {
    const slot = this.#free.pop();
    if (slot === undefined) throw new InternalError("blkback took more requests than the ring has");
    const { request } = slot;
    request.copyFrom(this.#ring.page, this.#ring.takeRequest());
    this.#parts.observer?.taken(slot.index, request.operation, request.sector, request.sectors);
    if (!this.#announced) this.#parts.stats.requestWithoutEvent();
    this.#announced = false;
    return slot;
  }

  #admit(slot: RequestSlot): void {
    const { request } = slot;
    const access = request.operation === BLKIF_OP.READ ? "write" : "read";
    const refusal = refusalOf(request, this.#limits);
    if (refusal !== undefined) this.#refuse(slot, refusal);
    else if (!slot.pages.map(request, access)) this.#answer(slot, BLKIF_RSP.ERROR); // told by grants
    else {
      slot.prepare();
      this.#parts.dom0.post(DOM0_COST.backend, 0, slot.submit); // after the time that mapping took
    }
  }

  #refuse(slot: RequestSlot, refusal: Refusal): void {
    const { operation, segmentCount, sector } = slot.request;
    const what = `operation ${operation}, ${segmentCount} segments, sector ${sector}`;
    this.#parts.errors.guestError("blkback", `request refused (${what}): ${refusal.text}`);
    this.#answer(slot, refusal.status);
  }

  #answer(slot: RequestSlot, status: number): void {
    slot.status = status;
    this.#parts.dom0.post(DOM0_COST.backend, this.#parts.costs.perResponse, slot.respond);
  }

  /** The disk is done with it, at a time of its own. */
  #done(slot: RequestSlot, status: BlockStatus): void {
    if (slot.op === "read") {
      for (let i = 0; i < slot.segments.length; i++) this.#parts.memory.wrote(slot.segments[i]!);
    }
    if (status === "ok" && slot.writeAfterFlush()) return this.#parts.disk.submit(slot);
    slot.status = status === "ok" ? BLKIF_RSP.OKAY : BLKIF_RSP.ERROR;
    if (slot.pages.mustUnmap) this.#parts.dom0.post(DOM0_COST.backend, 0, slot.unmap);
    else this.#answer(slot, slot.status);
  }

  #unmap(slot: RequestSlot): void {
    slot.pages.unmap();
    this.#parts.dom0.post(DOM0_COST.backend, this.#parts.costs.perResponse, slot.respond);
  }

  #respond(slot: RequestSlot): void {
    slot.pages.release();
    slot.request.respond(this.#ring.page, this.#ring.nextResponse(), slot.status);
    this.#free.push(slot);
    const wanted = this.#ring.pushResponses();
    this.#parts.memory.wrote(this.#parts.page);
    this.#notify(wanted);
    this.#parts.observer?.answered(slot.index, wanted);
    if (this.#closing && this.#ring.outstanding === 0) this.#parts.onDrained();
  }

  #notify(wanted: boolean): void {
    if (wanted) {
      this.#parts.stats.notifySent();
      this.#parts.event.notify();
    } else {
      this.#parts.stats.notifySuppressed();
    }
  }
}

/** What a slot's steps do. */
interface SlotSteps {
  submit(slot: RequestSlot): void;
  done(slot: RequestSlot, status: BlockStatus): void;
  unmap(slot: RequestSlot): void;
  respond(slot: RequestSlot): void;
}

/** A request being served, with its steps bound once: serving one allocates nothing. */
class RequestSlot implements BlockRequest {
  op: BlockRequest["op"] = "flush";
  sector = 0;
  segments: readonly Uint8Array[] = NO_PAGES;
  readonly index: number;
  /** Of the response. */
  status: number = BLKIF_RSP.OKAY;
  readonly request: BlkifRequest = new BlkifRequest();
  readonly pages: RequestPages;
  readonly submit: () => void;
  readonly unmap: () => void;
  readonly respond: () => void;
  readonly #steps: SlotSteps;

  constructor(index: number, pages: RequestPages, steps: SlotSteps) {
    this.index = index;
    this.pages = pages;
    this.#steps = steps;
    this.submit = () => steps.submit(this);
    this.unmap = () => steps.unmap(this);
    this.respond = () => steps.respond(this);
  }

  /** Turns the private copy, checked and mapped, into a disk request. */
  prepare(): void {
    if (this.request.operation === BLKIF_OP.FLUSH_DISKCACHE) this.#become("flush");
    else this.#become(this.request.operation === BLKIF_OP.READ ? "read" : "write");
  }

  /** A flush with data writes it afterwards. @returns whether this is now that write */
  writeAfterFlush(): boolean {
    if (this.op !== "flush" || this.request.segmentCount === 0) return false;
    this.#become("write");
    return true;
  }

  done(status: BlockStatus): void {
    this.#steps.done(this, status);
  }

  #become(op: BlockRequest["op"]): void {
    this.op = op;
    this.sector = op === "flush" ? 0 : this.request.sector;
    this.segments = op === "flush" ? NO_PAGES : this.pages.views;
  }
}
