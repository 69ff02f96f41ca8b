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
  Clock,
  Disk,
  Dom0,
  EventPort,
  GrantMapper,
  GuestErrors,
  GuestMemory,
  Ns,
  Timer,
} from "../../core/types.ts";
import { BLKIF_OP, BLKIF_RSP } from "./blkif.ts";
import type { BlkifLayout } from "./blkif.ts";
import { rangeRefusalOf, refusalOf } from "./blkif_checks.ts";
import type { BlkifLimits, Refusal } from "./blkif_checks.ts";
import { RequestPages } from "./granted_pages.ts";
import { LateEoi } from "./late_eoi.ts";
import { PersistentPages } from "./persistent_pages.ts";
import { RequestSlot } from "./request_slot.ts";
import { BackRing } from "./ring.ts";
import type { RingObserver, RingStats } from "./ring_observer.ts";
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

/** What a ring works with. */
export interface BlkbackRingParts {
  readonly clock: Clock;
  readonly grants: GrantMapper;
  readonly dom0: Dom0;
  readonly disk: Disk;
  /** 512-byte sectors of a logical block. */
  readonly blockSectors: number;
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

/** The worker sleeps so long after a request that makes no sense: a bad client is a slow one. */
const BACK_OFF: Ns = 1e6;

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
  readonly #eoi: LateEoi;
  readonly #backOff: Timer;
  #slots = 0;
  #awake = false;
  /** Requests have been taken since the worker woke. */
  #useful = false;
  /** A barrier: it waits for all requests before it, and none is taken until it is answered. */
  #barrier: RequestSlot | undefined;
  /** An event has come since the last request was taken. */
  #announced = false;
  /** No request is taken any more: closed, or the frontend is hostile. */
  #stopped = false;
  #closing = false;

  constructor(parts: BlkbackRingParts) {
    this.#parts = parts;
    const { disk: { sectorCount }, blockSectors, readOnly, indirect, canDiscard } = parts;
    this.#limits = { sectorCount, blockSectors, readOnly, indirect, canDiscard };
    this.#eoi = new LateEoi(parts.clock, () => this.#serveEvent());
    this.#backOff = parts.clock.timer("blkback", this.#resume);
    this.#pages = new RingPages(parts.pages, parts.memory);
    this.#ring = new BackRing(this.#pages, parts.layout.SIZE);
    this.#ring.attach();
    this.#persistent = parts.persistent ? this.#newPersistent() : undefined;
  }

  /** The producer indexes that the frontend left in the page cannot be. */
  get overrun(): boolean {
    return this.#ring.overrun;
  }

  /** The guest's event. */
  onEvent(): void {
    this.#announced = true;
    if (this.#stopped) return;
    this.#parts.observer?.event(this.#ring.unconsumed());
    this.#eoi.arrive();
  }

  /** The first look after connecting. */
  start(): void {
    this.#announced = true;
    this.#parts.observer?.event(this.#ring.unconsumed());
    this.#useful = true; // no event, so no spurious one
    this.#wake();
  }

  /** A hostile frontend is stopped at once, though the worker may be backing off. */
  #serveEvent(): void {
    if (this.#stopped || this.#isHostile() || this.#awake) return;
    this.#useful = false;
    this.#wake();
  }

  #wake(): void {
    this.#awake = true;
    this.#parts.dom0.post(DOM0_COST.backend, this.#parts.costs.wakeup, this.#resume);
  }

  /**
   * Takes no more requests. Pages of requests in flight cannot be unmapped before they complete.
   * @returns whether all pages but those of the ring are unmapped now; if not, `onDrained` will be called
   */
  close(): boolean {
    this.#stopped = true;
    this.#eoi.close();
    this.#backOff.cancel();
    this.#closing = this.#ring.outstanding > 0;
    if (this.#closing) return false;
    this.#persistent?.close();
    return true;
  }

  #newPersistent(): PersistentPages {
    const { clock, grants, errors, dom0 } = this.#parts;
    const post = (task: () => void) => dom0.post(DOM0_COST.backend, 0, task);
    return new PersistentPages({ clock, grants, errors, post });
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
    if (this.#barrier !== undefined || this.#backOff.deadline !== undefined) return;
    if (this.#hasRequest()) {
      this.#parts.dom0.post(DOM0_COST.backend, this.#parts.costs.perRequest, this.#serve);
    } else {
      this.#persistent?.look();
      this.#awake = false;
      if (!this.#stopped) this.#eoi.end(!this.#useful);
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
    this.#useful = true;
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
    this.#fail(slot, BLKIF_RSP.ERROR);
  }

  #refuse(slot: RequestSlot, refusal: Refusal): void {
    const { operation, segmentCount, sector } = slot.request;
    this.#parts.stats.refused(refusal.text);
    const what = `operation ${operation}, ${segmentCount} segments, sector ${sector}`;
    this.#parts.errors.guestError("blkback", `request refused (${what}): ${refusal.text}`);
    this.#fail(slot, refusal.status);
  }

  #fail(slot: RequestSlot, status: number): void {
    this.#answer(slot, status);
    if (status === BLKIF_RSP.ERROR) this.#backOff.armAfter(BACK_OFF);
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
