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
  BlockStatus,
  Disk,
  Dom0,
  EventPort,
  GrantMapper,
  GuestErrors,
  GuestMemory,
  Ns,
} from "../../core/types.ts";
import { BLKIF_OP, BLKIF_RSP } from "./blkif.ts";
import type { BlkifLayout } from "./blkif.ts";
import { rangeRefusalOf, refusalOf } from "./blkif_checks.ts";
import type { BlkifLimits, Refusal } from "./blkif_checks.ts";
import { RequestPages } from "./granted_pages.ts";
import { PersistentPages } from "./persistent_pages.ts";
import { RequestSlot } from "./request_slot.ts";
import { BackRing } from "./ring.ts";
import { RingPages } from "./ring_pages.ts";

/** What the worker's steps take of dom0's time, grant operations and block layer apart. */
export interface BlkbackCosts {
  /** From the event to the running worker. */
  readonly wakeup: Ns;
  /** Copying, checking and submitting one request. */
  readonly perRequest: Ns;
  /** Completing one request and writing its response. */
  readonly perResponse: Ns;
}

/** Counts of notifications, sent and saved, and of refusals. */
export interface RingStats {
  notifySent(): void;
  /** The guest had not asked for an event at this response. */
  notifySuppressed(): void;
  /** A request was taken without an event of its own: the worker was at it anyway. */
  requestWithoutEvent(): void;
  /** @param reason one of a few texts */
  refused(reason: string): void;
}

/** A request as the guest has written it, which need not make sense. */
export interface TakenRequest {
  /** See `BLKIF_OP`. */
  readonly operation: number;
  /** The same, but that of the data for INDIRECT. */
  readonly dataOperation: number;
  readonly sector: number;
  /** Negative when its segments make no sense. */
  readonly sectors: number;
}

/** Follows requests from the guest's event to their response. */
export interface RingObserver {
  /**
   * The guest has sent its event, or the backend looks for the first time.
   * @param waiting requests on the ring that have not been taken
   */
  event(waiting: number): void;
  /**
   * The next request has been taken.
   * @param slot the backend's place for it, until it is answered
   */
  taken(slot: number, request: TakenRequest): void;
  /** The response is on the ring. @param notified with an event */
  answered(slot: number, notified: boolean): void;
}

/** What a ring works with. */
export interface BlkbackRingParts {
  readonly clock: { readonly now: Ns };
  readonly grants: GrantMapper;
  readonly dom0: Dom0;
  readonly disk: Disk;
  /** The vbd may be read-only on a writable disk. */
  readonly readOnly: boolean;
  /** The guest has been offered INDIRECT. */
  readonly indirect: boolean;
  /** The guest has been offered DISCARD. */
  readonly canDiscard: boolean;
  readonly memory: GuestMemory;
  readonly errors: GuestErrors;
  readonly costs: BlkbackCosts;
  readonly stats: RingStats;
  readonly observer?: RingObserver | undefined;
  /** Of the guest's requests. */
  readonly layout: BlkifLayout;
  /** The granted pages of the ring, a power of two. */
  readonly pages: readonly Uint8Array[];
  readonly event: EventPort;
  /** Both sides said feature-persistent. */
  readonly persistent: boolean;
  /** The ring was closed while requests were in flight; the last one has been answered. */
  readonly onDrained: () => void;
}

/** Why a ring is stopped. */
export const OVERRUN = "req_prod claims more than the ring holds";

/** Serves the requests of one ring until it is closed. */
export class BlkbackRing {
  readonly #parts: BlkbackRingParts;
  readonly #limits: BlkifLimits;
  readonly #pages: RingPages;
  readonly #ring: BackRing;
  readonly #persistent: PersistentPages | undefined;
  readonly #free: RequestSlot[] = [];
  readonly #resume: () => void = () => this.#next();
  readonly #serve: () => void = () => this.#serveOne();
  #slots = 0;
  #awake = false;
  /** A barrier: it waits for all requests before it, and none is taken until it is answered. */
  #barrier: RequestSlot | undefined;
  /** An event has come since the last request was taken. */
  #announced = false;
  /** No request is taken any more: closed, or the frontend is hostile. */
  #stopped = false;
  #closing = false;

  constructor(parts: BlkbackRingParts) {
    this.#parts = parts;
    const { disk: { sectorCount }, readOnly, indirect, canDiscard } = parts;
    this.#limits = { sectorCount, readOnly, indirect, canDiscard };
    this.#pages = new RingPages(parts.pages, parts.memory);
    this.#ring = new BackRing(this.#pages, parts.layout.SIZE);
    this.#ring.attach();
    this.#persistent = parts.persistent ? new PersistentPages(parts.clock) : undefined;
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
   * @returns whether all pages but those of the ring are unmapped now; if not, `onDrained` will be called
   */
  close(): boolean {
    this.#stopped = true;
    this.#closing = this.#ring.outstanding > 0;
    if (this.#closing) return false;
    this.#persistent?.unmapAll(this.#parts.grants);
    return true;
  }

  #newSlot(): RequestSlot {
    if (this.#slots === this.#ring.entries) {
      throw new InternalError("blkback took more requests than the ring has");
    }
    const { layout, grants } = this.#parts;
    return new RequestSlot(this.#slots++, layout, new RequestPages(grants, this.#persistent), {
      submit: (slot) => this.#parts.disk.submit(slot),
      done: (slot, status) => this.#done(slot, status),
      unmap: (slot) => this.#unmap(slot),
      respond: (slot) => this.#respond(slot),
    });
  }

  /** The worker's loop: one more request, or sleep. */
  #next(): void {
    if (this.#barrier !== undefined) return;
    if (this.#hasRequest()) {
      this.#parts.dom0.post(DOM0_COST.backend, this.#parts.costs.perRequest, this.#serve);
    } else {
      this.#persistent?.purge(this.#parts.grants);
      this.#awake = false;
    }
  }

  #hasRequest(): boolean {
    if (this.#stopped || this.#isHostile()) return false;
    if (this.#ring.unconsumed() > 0) return true;
    const more = this.#ring.finalCheck();
    this.#pages.wroteHeader();
    return more;
  }

  #isHostile(): boolean {
    if (!this.#ring.overrun) return false;
    this.#stopped = true;
    this.#parts.stats.refused(OVERRUN);
    this.#parts.errors.guestError("blkback", `ring stopped: ${OVERRUN}`);
    return true;
  }

  #serveOne(): void {
    if (this.#hasRequest()) this.#admit(this.#take());
    this.#next();
  }

  #take(): RequestSlot {
    const slot = this.#free.pop() ?? this.#newSlot();
    slot.request.copyFrom(this.#pages, this.#ring.takeRequest());
    if (!this.#announced) this.#parts.stats.requestWithoutEvent();
    this.#announced = false;
    return slot;
  }

  #admit(slot: RequestSlot): void {
    const { request } = slot;
    const refusal = refusalOf(request, this.#limits);
    const legible = refusal !== undefined || request.operation !== BLKIF_OP.INDIRECT ||
      slot.pages.copySegments(request);
    this.#parts.observer?.taken(slot.index, request);
    if (!legible) return this.#refuseGrant(slot);
    const reason = refusal ?? rangeRefusalOf(request, this.#limits);
    if (reason !== undefined) return this.#refuse(slot, reason);
    if (request.operation === BLKIF_OP.WRITE_BARRIER) this.#barrier = slot;
    if (this.#barrier === undefined || this.#ring.outstanding === 1) this.#start(slot);
  }

  #start(slot: RequestSlot): void {
    const access = slot.request.dataOperation === BLKIF_OP.READ ? "write" : "read";
    if (!slot.pages.map(slot.request, access)) this.#refuseGrant(slot);
    else {
      slot.prepare();
      this.#parts.dom0.post(DOM0_COST.backend, 0, slot.submit); // after the time that mapping took
    }
  }

  /** The grant table has told which one. */
  #refuseGrant(slot: RequestSlot): void {
    this.#parts.stats.refused("grant does not permit access");
    this.#answer(slot, BLKIF_RSP.ERROR);
  }

  #refuse(slot: RequestSlot, refusal: Refusal): void {
    const { operation, segmentCount, sector } = slot.request;
    this.#parts.stats.refused(refusal.text);
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
    if (status === "ok" && slot.advance()) return this.#parts.disk.submit(slot);
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
    const at = this.#ring.nextResponse();
    slot.request.respond(this.#pages, at, slot.status);
    this.#free.push(slot);
    const wanted = this.#ring.pushResponses();
    this.#pages.wroteHeader();
    this.#pages.wrote(at, this.#parts.layout.RESPONSE_SIZE);
    this.#notify(wanted);
    this.#parts.observer?.answered(slot.index, wanted);
    if (this.#barrier !== undefined) this.#passBarrier(slot);
    if (this.#closing && this.#ring.outstanding === 0) this.#parts.onDrained();
  }

  #passBarrier(answered: RequestSlot): void {
    if (answered === this.#barrier) {
      this.#barrier = undefined;
      this.#next();
    } else if (this.#ring.outstanding === 1) {
      this.#start(this.#barrier!);
    }
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
