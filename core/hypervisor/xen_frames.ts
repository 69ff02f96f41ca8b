/**
 * Where in guest-physical space the pages of Xen's own are: shared_info and the grant table.
 * Source: Xen public header memory.h, XENMEM_add_to_physmap.
 * @module
 */

import type { Gfn, Physmap } from "../types.ts";

/** Overlays of Xen's pages. A page is at one place at a time; a place shows one page. */
export class XenFrames {
  readonly #physmap: Physmap;
  readonly #placeOf = new Map<Uint8Array, Gfn>();
  readonly #frameAt = new Map<Gfn, Uint8Array>();

  constructor(physmap: Physmap) {
    this.#physmap = physmap;
  }

  /** Shows a page at `gfn` and no longer at its former place. */
  place(frame: Uint8Array, gfn: Gfn): void {
    const former = this.#placeOf.get(frame);
    if (former === gfn) return;
    if (former !== undefined) this.remove(former);
    const displaced = this.#frameAt.get(gfn);
    if (displaced !== undefined) this.#placeOf.delete(displaced);
    this.#placeOf.set(frame, gfn);
    this.#frameAt.set(gfn, frame);
    this.#physmap.mapFrame(gfn, frame);
  }

  /**
   * Gives a place back to what is there by nature.
   * @returns false when no page of Xen's is there
   */
  remove(gfn: Gfn): boolean {
    const frame = this.#frameAt.get(gfn);
    if (frame === undefined) return false;
    this.#frameAt.delete(gfn);
    this.#placeOf.delete(frame);
    this.#physmap.mapFrame(gfn, undefined);
    return true;
  }
}
