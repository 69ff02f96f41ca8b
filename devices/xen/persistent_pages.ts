/**
 * The guest pages of one ring that stay mapped between requests: so many at most, and none for
 * long that is not used.
 * Source: drivers/block/xen-blkback/blkback.c of Linux 6.1, `purge_persistent_gnt`. The looks
 * that Linux takes by a timer are taken here when the worker is about to sleep.
 * @module
 */

import type { GrantMapper, Ns } from "../../core/types.ts";

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

/** The kept pages of one ring, by grant reference. */
export class PersistentPages {
  readonly #clock: { readonly now: Ns };
  readonly #pages: Map<number, PersistentPage> = new Map();
  #full = false;
  #lookAt: Ns;

  constructor(clock: { readonly now: Ns }) {
    this.#clock = clock;
    this.#lookAt = clock.now + LOOK_EVERY;
  }

  /** The page of `gref`, now busy; `undefined` if it is not kept or another segment has it. */
  take(gref: number): PersistentPage | undefined {
    const entry = this.#pages.get(gref);
    if (entry === undefined || entry.busy) return undefined;
    entry.busy = true;
    return entry;
  }

  /** The segment is done with it. */
  giveBack(entry: PersistentPage): void {
    entry.busy = false;
    entry.usedAt = this.#clock.now;
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
    const entry = { gref, page, busy: true, usedAt: this.#clock.now };
    this.#pages.set(gref, entry);
    return entry;
  }

  /**
   * Unmaps pages that have not been used for long, and if there was no room, at least {@link PURGE}
   * of those that are not in use, the least recently used first. Does nothing soon after it did.
   */
  purge(grants: GrantMapper): void {
    const { now } = this.#clock;
    if (now < this.#lookAt) return;
    this.#lookAt = now + LOOK_EVERY;
    const idle = [...this.#pages.values()].filter(({ busy }) => !busy);
    idle.sort((a, b) => a.usedAt - b.usedAt);
    const unused = idle.filter(({ usedAt }) => now - usedAt >= UNUSED).length;
    const victims = idle.slice(0, Math.max(unused, this.#full ? PURGE : 0));
    this.#full = false;
    if (victims.length > 0) grants.unmapAll(victims.map(({ gref }) => gref));
    for (const { gref } of victims) this.#pages.delete(gref);
  }

  /** Unmaps all pages, as one batch. None may be busy. */
  unmapAll(grants: GrantMapper): void {
    if (this.#pages.size > 0) grants.unmapAll([...this.#pages.keys()]);
    this.#pages.clear();
  }
}
