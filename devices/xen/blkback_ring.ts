/**
 * A connected ring of a block backend: one worker in dom0 that takes requests, and their way back.
 *
 * An event wakes the worker; it serves one request after the other until none is left, asks for an
 * event at the next one, and sleeps. Every step takes dom0's time first and has its effect then.
 * Source: drivers/block/xen-blkback/blkback.c of Linux 6.1 for the order of steps.
 * @module
 */

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
import { CopiedPages } from "./copied_pages.ts";
import { RequestPages } from "./granted_pages.ts";
import { LateEoi } from "./late_eoi.ts";
import { PersistentPages } from "./persistent_pages.ts";
import { RequestSlot } from "./request_slot.ts";
import { RequestSlots } from "./request_slots.ts";
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
  /** Data is copied, not mapped. */
  readonly copies: boolean;
  /** The ring was closed while requests were in flight; none is any more. */
  readonly onDrained: () => void;
}

/**
 * The worker sleeps so long after a request that makes no sense, a discard apart: a bad client is a slow
 * one.
 */
const BACK_OFF: Ns = 1e6;

/**
 * A frontend whose device is taken away learns it by a watch, and sends requests until then: they are
 * refused for so long. One that had no answer would keep its disk, and whoever waits for it, for ever.
 */
const FAREWELL: Ns = 10e6;

/**
 * How a ring is closed: its frontend has let go of it; its device is taken from a frontend that runs
 * on, or goes away with it, so that what waits on it is refused; or its driver has died, and answers
 * nothing.
 */
export type RingEnding = "closed" | "detached" | "removed" | "crashed";

/** Why a ring is stopped. */
export const OVERRUN = "req_prod claims more than the ring holds";

/** Serves the requests of one ring until it is closed. */
export class BlkbackRing {
  readonly #parts: BlkbackRingParts;
  readonly #limits: BlkifLimits;
  readonly #pages: RingPages;
  readonly #ring: BackRing;
  readonly #persistent: PersistentPages | undefined;
  readonly #slots: RequestSlots;
  readonly #resume: () => void = () => this.#next();
  readonly #serve: () => void = () => this.#serveOne();
  readonly #eoi: LateEoi;
  readonly #backOff: Timer;
  readonly #farewell: Timer;
  #awake = false;
  /** Requests have been taken since the worker woke. */
  #useful = false;
  /** A barrier: it waits for all requests before it, and none is taken until it is answered. */
  #barrier: RequestSlot | undefined;
  /** An event has come since the last request was taken. */
  #announced = false;
  /** Requests that may still be taken: none when the ring is closed or the frontend is hostile. */
  #admitted = Infinity;
  /** Requests in the hands of the disk. */
  #onDisk = 0;
  #ending: RingEnding | undefined;
  /** Whoever closes it waits to be told. */
  #awaitsDrain = false;

  constructor(parts: BlkbackRingParts) {
    this.#parts = parts;
    const { disk: { sectorCount }, blockSectors, readOnly, indirect, canDiscard } = parts;
    this.#limits = { sectorCount, blockSectors, readOnly, indirect, canDiscard };
    this.#eoi = new LateEoi(parts.clock, () => this.#serveEvent());
    this.#backOff = parts.clock.timer("blkback", this.#resume);
    this.#farewell = parts.clock.timer("blkback farewell", () => this.#endFarewell());
    this.#pages = new RingPages(parts.pages, parts.memory);
    this.#ring = new BackRing(this.#pages, parts.layout.SIZE);
    this.#ring.attach();
    this.#persistent = parts.persistent ? this.#newPersistent() : undefined;
    this.#slots = new RequestSlots(this.#ring.entries, (index) => this.#newSlot(index));
  }

  /** The producer indexes that the frontend left in the page cannot be. */
  get overrun(): boolean {
    return this.#ring.overrun;
  }

  /** The guest's event. */
  onEvent(): void {
    this.#announced = true;
    if (this.#admitted === 0) return;
    this.#parts.observer?.event(this.#ring.unconsumed());
    this.#eoi.arrive();
  }

  /** The first look after connecting. */
  start(): void {
    this.#announced = true;
    this.#parts.observer?.begins(this.#ring.unconsumed());
    this.#useful = true; // no event, so no spurious one
    this.#wake();
  }

  /** A hostile frontend is stopped at once, though the worker may be backing off. */
  #serveEvent(): void {
    if (this.#admitted === 0 || this.#isHostile() || this.#awake) return;
    this.#useful = false;
    this.#wake();
  }

  #wake(): void {
    this.#awake = true;
    this.#parts.dom0.post(DOM0_COST.backend, this.#parts.costs.wakeup, this.#resume);
  }

  /**
   * Serves no more requests. Pages of requests in flight cannot be unmapped before they complete.
   * @returns whether all pages but those of the ring are unmapped now; if not, `onDrained` will be called
   */
  close(how: RingEnding): boolean {
    this.#endPause();
    if (this.#admitted === Infinity) this.#admitted = this.#admittedAfter(how);
    if (how === "crashed") this.#admitted = 0;
    if (how !== "detached") this.#farewell.cancel();
    this.#ending = how;
    this.#awaitsDrain = !this.#isDrained();
    if (this.#awaitsDrain) return false;
    this.#eoi.close();
    for (const { pages } of this.#slots.all) {
      pages.unmap();
      pages.release();
    }
    this.#persistent?.close();
    if (how !== "crashed") this.#parts.observer?.finish();
    return true;
  }

  /** The worker that pauses after a bad request sleeps instead: something has to wake it. */
  #endPause(): void {
    if (this.#backOff.deadline === undefined) return;
    this.#backOff.cancel();
    this.#awake = false;
  }

  #admittedAfter(how: RingEnding): number {
    if (how === "closed") return 0;
    const waiting = this.#waiting();
    if (how !== "detached" || this.#admitted === 0) return waiting;
    if (this.#ending === undefined) this.#farewell.armAfter(FAREWELL);
    return Infinity;
  }

  #endFarewell(): void {
    if (this.#admitted === Infinity) this.#admitted = this.#waiting();
    this.#tellDrained();
  }

  /** Requests on the ring that are to be refused; more may come, and are left alone. */
  #waiting(): number {
    const waiting = this.#isHostile() ? 0 : this.#ring.unconsumed();
    if (waiting > 0 && !this.#awake) this.#wake();
    return waiting;
  }

  /** Nothing has a hold on the guest's pages any more. */
  #isDrained(): boolean {
    if (this.#ending === "crashed") return this.#onDisk === 0;
    return this.#admitted === 0 && this.#ring.outstanding === 0;
  }

  #tellDrained(): void {
    if (!this.#awaitsDrain || !this.#isDrained()) return;
    this.#awaitsDrain = false;
    this.#parts.onDrained();
  }

  #newPersistent(): PersistentPages {
    const { clock, grants, errors, dom0 } = this.#parts;
    const post = (task: () => void) => dom0.post(DOM0_COST.backend, 0, task);
    return new PersistentPages({ clock, grants, errors, post });
  }

  #newSlot(index: number): RequestSlot {
    const { layout, grants } = this.#parts;
    const pages = this.#parts.copies
      ? new CopiedPages(grants)
      : new RequestPages(grants, this.#persistent);
    return new RequestSlot(index, layout, pages, {
      submit: (slot) => this.#submit(slot),
      done: (slot, status) => this.#done(slot, status),
      settle: (slot) => this.#settle(slot),
      respond: (slot) => this.#respond(slot),
    });
  }

  /** The worker's loop: one more request, or sleep. */
  #next(): void {
    if (this.#ending === "crashed") return;
    if (this.#barrier !== undefined || this.#backOff.deadline !== undefined) return;
    if (this.#hasRequest()) {
      this.#parts.dom0.post(DOM0_COST.backend, this.#parts.costs.perRequest, this.#serve);
    } else {
      this.#persistent?.look();
      this.#awake = false;
      if (this.#ending !== undefined && this.#farewell.deadline === undefined) this.#admitNoMore();
      else if (this.#admitted > 0) this.#eoi.end(!this.#useful);
    }
  }

  /** The frontend may have taken requests back that were to be refused. */
  #admitNoMore(): void {
    this.#admitted = 0;
    this.#tellDrained();
  }

  #hasRequest(): boolean {
    if (this.#admitted === 0 || this.#isHostile()) return false;
    if (this.#ring.unconsumed() > 0) return true;
    const more = this.#ring.finalCheck();
    this.#pages.wroteHeader();
    return more;
  }

  #isHostile(): boolean {
    if (!this.#ring.overrun) return false;
    this.#admitted = 0;
    this.#parts.stats.refused(OVERRUN);
    this.#parts.errors.guestError("blkback", `ring stopped: ${OVERRUN}`);
    return true;
  }

  #serveOne(): void {
    if (this.#hasRequest()) this.#admit(this.#take());
    this.#next();
  }

  #take(): RequestSlot {
    const slot = this.#slots.take();
    this.#admitted--;
    slot.request.copyFrom(this.#pages, this.#ring.takeRequest());
    if (!this.#announced) this.#parts.stats.requestWithoutEvent();
    this.#announced = false;
    this.#useful = true;
    return slot;
  }

  #admit(slot: RequestSlot): void {
    const { request } = slot;
    if (this.#ending !== undefined) {
      this.#parts.observer?.taken(slot.index, request);
      return this.#answer(slot, BLKIF_RSP.ERROR);
    }
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

  #submit(slot: RequestSlot): void {
    if (this.#ending === "crashed") return;
    this.#onDisk++;
    this.#parts.observer?.asked(slot.index, slot.request);
    this.#parts.disk.submit(slot);
  }

  #refuseGrant(slot: RequestSlot): void {
    this.#countBadGrant();
    this.#fail(slot, BLKIF_RSP.ERROR);
  }

  /** The grant table has told which one. */
  #countBadGrant(): void {
    this.#parts.stats.refused("grant does not permit access");
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
    const isPunished = status === BLKIF_RSP.ERROR && this.#ending === undefined &&
      slot.request.operation !== BLKIF_OP.DISCARD;
    if (isPunished) this.#backOff.armAfter(BACK_OFF);
  }

  #answer(slot: RequestSlot, status: number): void {
    slot.status = status;
    this.#parts.dom0.post(DOM0_COST.backend, this.#parts.costs.perResponse, slot.respond);
  }

  /** The disk is done with it, at a time of its own. */
  #done(slot: RequestSlot, status: BlockStatus): void {
    this.#onDisk--;
    if (slot.op === "read" && slot.pages.inGuest) {
      for (let i = 0; i < slot.segments.length; i++) this.#parts.memory.wrote(slot.segments[i]!);
    }
    if (this.#ending === "crashed") return this.#tellDrained();
    if (status === "ok" && slot.advance()) return this.#submit(slot);
    slot.status = status === "ok" ? BLKIF_RSP.OKAY : BLKIF_RSP.ERROR;
    if (slot.pages.mustSettle) this.#parts.dom0.post(DOM0_COST.backend, 0, slot.settle);
    else this.#answer(slot, slot.status);
  }

  /** The worker is at another request by now, or asleep: it does not pause. */
  #settle(slot: RequestSlot): void {
    if (this.#ending === "crashed") return;
    if (slot.pages.settle(slot.status === BLKIF_RSP.OKAY)) this.#answer(slot, slot.status);
    else {
      this.#countBadGrant();
      this.#answer(slot, BLKIF_RSP.ERROR);
    }
  }

  #respond(served: RequestSlot): void {
    if (this.#ending === "crashed") return;
    served.pages.release();
    served.isServed = true;
    for (let slot = this.#slots.nextServed(); slot !== undefined; slot = this.#slots.nextServed()) {
      this.#push(slot);
    }
    this.#tellDrained();
  }

  #push(slot: RequestSlot): void {
    const at = this.#ring.nextResponse();
    slot.request.respond(this.#pages, at, slot.status);
    const wanted = this.#ring.pushResponses();
    this.#pages.wroteHeader();
    this.#pages.wrote(at, this.#parts.layout.RESPONSE_SIZE);
    this.#notify(wanted);
    this.#parts.observer?.answered(slot.index, wanted);
    if (this.#barrier !== undefined) this.#passBarrier(slot);
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
