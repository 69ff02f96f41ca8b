/**
 * The guest pages of one ring that stay mapped between requests: so many at most, and none for
 * long that is not used.
 *
 * Linux looks every 100 ms. Here the looks that cannot find anything are left out, so that a
 * backend without work lets the machine sleep.
 * Source: drivers/block/xen-blkback/blkback.c of Linux 6.1, `purge_persistent_gnt`.
 * @module
 */

import type { Clock, GrantMapper, GuestErrors, Ns, Timer } from "../../core/types.ts";

/**
 * `max_persistent_grants` of Linux. A ring of 32 requests with 32 indirect segments, as Linux sends
 * them, fits.
 */
export const MAX_PERSISTENT = 1056;

/** Pages that make room, once there was none: 5 percent. */
const PURGE: number = Math.floor(MAX_PERSISTENT * 5 / 100);
/** Between two looks: LRU_INTERVAL. */
const LOOK_EVERY: Ns = 100e6;
/** `persistent_grant_unused_seconds`. */
const UNUSED: Ns = 60e9;

/** A page that stays mapped. One segment at a time uses it. */
export interface PersistentPage {
  readonly gref: number;
  readonly page: Uint8Array;
  busy: boolean;
  usedAt: Ns;
}

/** What the pages of a ring stand on. */
export interface PersistentParts {
  readonly clock: Clock;
  readonly grants: GrantMapper;
  readonly errors: GuestErrors;
  /** Has the worker do something in dom0's time. */
  readonly post: (task: () => void) => void;
}

/** The kept pages of one ring, by grant reference. */
export class PersistentPages {
  readonly #parts: PersistentParts;
  readonly #pages: Map<number, PersistentPage> = new Map();
  /**
   * The next look that may find something, when the worker does not wake before. Pages that are used
   * meanwhile make it early, never late.
   */
  readonly #timer: Timer;
  #full = false;
  #lookAt: Ns;

  constructor(parts: PersistentParts) {
    this.#parts = parts;
    this.#timer = parts.clock.timer("persistent grants", () => parts.post(() => this.look()));
    this.#lookAt = parts.clock.now + LOOK_EVERY;
  }

  /** The page of `gref`, now busy; `undefined` if it is not kept or another segment has it. */
  take(gref: number): PersistentPage | undefined {
    const entry = this.#pages.get(gref);
    if (entry === undefined) return undefined;
    if (entry.busy) {
      this.#parts.errors.guestError("blkback", `requesting a grant already in use: ${gref}`);
      return undefined;
    }
    entry.busy = true;
    return entry;
  }

  /** The segment is done with it. */
  giveBack(entry: PersistentPage): void {
    entry.busy = false;
    entry.usedAt = this.#parts.clock.now;
    if (this.#timer.deadline === undefined) this.#timer.armAfter(UNUSED);
  }

  /**
   * Keeps a freshly mapped page, busy; `undefined` if there is no room or `gref` is kept already.
   */
  keep(gref: number, page: Uint8Array): PersistentPage | undefined {
    if (this.#pages.has(gref)) return undefined;
    if (this.#pages.size >= MAX_PERSISTENT) {
      this.#full = true;
      return undefined;
    }
    const entry = { gref, page, busy: true, usedAt: this.#parts.clock.now };
    this.#pages.set(gref, entry);
    return entry;
  }

  /**
   * Looks for pages to unmap, unless it has just looked: those that have not been used for long, and
   * if there was no room, at least {@link PURGE} of those that are not in use, the least recently
   * used first. To be called when the worker has nothing to do.
   */
  look(): void {
    if (this.#parts.clock.now >= this.#lookAt) this.#purge();
    else if (this.#full) this.#timer.armAt(this.#lookAt);
  }

  /** Unmaps all pages, as one batch, and keeps none any more. None may be busy. */
  close(): void {
    this.#timer.cancel();
    if (this.#pages.size > 0) this.#parts.grants.unmapAll([...this.#pages.keys()]);
    this.#pages.clear();
  }

  #purge(): void {
    const { now } = this.#parts.clock;
    this.#lookAt = now + LOOK_EVERY;
    const idle = [...this.#pages.values()].filter(({ busy }) => !busy);
    idle.sort((a, b) => a.usedAt - b.usedAt);
    const unused = idle.filter(({ usedAt }) => now - usedAt >= UNUSED).length;
    const victims = idle.slice(0, Math.max(unused, this.#full ? PURGE : 0));
    this.#full = false;
    if (victims.length > 0) this.#parts.grants.unmapAll(victims.map(({ gref }) => gref));
    for (const { gref } of victims) this.#pages.delete(gref);
    const oldest = idle[victims.length];
    if (oldest === undefined) this.#timer.cancel();
    else this.#timer.armAt(Math.max(oldest.usedAt + UNUSED, this.#lookAt));
  }
}
