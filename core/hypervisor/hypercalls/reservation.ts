/**
 * The pages of RAM that a domain has, and where in guest-physical space they are: what ballooning
 * moves. A page that the guest gives back is kept for it, and it gets no others.
 * Source: xen/common/memory.c: populate_physmap(), guest_remove_page().
 * @module
 */

import { PAGE_SIZE } from "../../types.ts";
import type { Gfn, GuestMemory, Physmap } from "../../types.ts";
import { GFN_LIMIT, type XenFrames } from "../xen_frames.ts";

/** What a reservation works on. */
export interface ReservationParts {
  readonly memory: GuestMemory;
  readonly physmap: Physmap;
  /** What is laid over RAM, and is none of the domain's own. */
  readonly frames: XenFrames;
}

/** The RAM of one domain. */
export class Reservation {
  readonly #memory: GuestMemory;
  readonly #physmap: Physmap;
  readonly #frames: XenFrames;
  /** Pages that the guest has given back, to this domain or to one that it was restored from. */
  readonly #spare: Set<Uint8Array>;

  constructor({ memory, physmap, frames }: ReservationParts) {
    this.#memory = memory;
    this.#physmap = physmap;
    this.#frames = frames;
    this.#spare = physmap.spare;
  }

  /** Pages that the domain may have. */
  get maximum(): number {
    return Math.floor(this.#memory.size / PAGE_SIZE);
  }

  /** Pages that it has. */
  get current(): number {
    return this.maximum - this.#spare.size;
  }

  /** The domain's own page at a frame; `undefined` where there is none. */
  page(gfn: Gfn): Uint8Array | undefined {
    return this.#frames.isCovered(gfn) ? undefined : this.#memory.page(gfn);
  }

  /** Gives the pages at so many frames back. @returns false at the first where there is none */
  decrease(gfn: Gfn, pages: number = 1): boolean {
    for (let at = gfn; at < gfn + pages; at++) {
      const page = this.page(at);
      if (page === undefined) return false;
      this.#physmap.hideFrame(at);
      this.#spare.add(page);
    }
    return true;
  }

  /**
   * Puts zeroed pages at so many frames, or none at all.
   * @returns false when the domain has no more, or Xen is there
   */
  populate(gfn: Gfn, pages: number = 1): boolean {
    if (pages > this.#spare.size || gfn + pages > GFN_LIMIT) return false;
    for (let i = 0; i < pages; i++) if (this.#frames.isCovered(gfn + i)) return false;
    for (let i = 0; i < pages; i++) this.#place(gfn + i);
    return true;
  }

  /** Leaves a frame without its page, which the domain has lost. @returns false where there is none */
  remove(gfn: Gfn): boolean {
    if (this.page(gfn) === undefined) return false;
    this.#physmap.hideFrame(gfn);
    return true;
  }

  /** Moves a page; what is at `to` is given back. @returns false where there is none at `from` */
  move(from: Gfn, to: Gfn): boolean {
    const page = this.page(from);
    if (page === undefined) return false;
    if (from === to) return true;
    this.#physmap.hideFrame(from);
    if (!this.#frames.remove(to)) this.decrease(to);
    this.#physmap.mapFrame(to, page);
    return true;
  }

  /** The page that is there by nature, if it is free; any other else. */
  #place(gfn: Gfn): void {
    const [any] = this.#spare;
    this.#physmap.mapFrame(gfn, undefined);
    const own = this.#memory.page(gfn);
    const page = own !== undefined && this.#spare.has(own) ? own : any!;
    if (page !== own) this.#physmap.mapFrame(gfn, page);
    this.#spare.delete(page);
    page.fill(0);
    this.#memory.wrote(page);
  }
}
