/**
 * What is laid over guest-physical space: pages of Xen's own, shared_info and the grant table, and
 * pages that other domains have granted.
 * Source: Xen public header memory.h, XENMEM_add_to_physmap; create_grant_host_mapping() and
 * replace_grant_host_mapping() for HVM guests in xen/arch/x86/mm/p2m.c.
 * @module
 */

import { PAGE_SIZE } from "../types.ts";
import type { Gfn, GuestMemory, Physmap } from "../types.ts";
import type { GrantedMemory } from "./grants/grant_table.ts";

/** Frames below 4 GiB: all that the board decodes. */
export const GFN_LIMIT = 0x100000;

/** Below, ROMs and devices come and go over RAM. */
const FIRST_PLAIN_RAM = 0x100;

/** A granted page as a guest has mapped it. */
export interface GrantOverlay {
  readonly page: Uint8Array;
  readonly readOnly: boolean;
  /** It is not the guest's own. */
  readonly isForeign: boolean;
}

/** The overlays of one guest. */
export class XenFrames implements GrantedMemory {
  readonly #memory: Pick<GuestMemory, "page" | "size">;
  readonly #physmap: Physmap;
  /** A page of Xen's is at one place at a time; a place shows one page. */
  readonly #placeOf = new Map<Uint8Array, Gfn>();
  readonly #frameAt = new Map<Gfn, Uint8Array>();
  readonly #granted = new Map<Gfn, GrantOverlay>();
  /** Covered frames whose own page the guest has given back: they have none afterwards either. */
  readonly #empty = new Set<Gfn>();

  constructor(memory: Pick<GuestMemory, "page" | "size">, physmap: Physmap) {
    this.#memory = memory;
    this.#physmap = physmap;
  }

  page(gfn: Gfn, readOnly: boolean): Uint8Array | undefined {
    return this.#memory.page(gfn) ?? (readOnly ? this.#granted.get(gfn)?.page : undefined);
  }

  isForeign(gfn: Gfn): boolean {
    return this.#granted.size > 0 && this.#granted.get(gfn)?.isForeign === true;
  }

  /** Where a page of Xen's is; `undefined` if nowhere. */
  placeOf(frame: Uint8Array): Gfn | undefined {
    return this.#placeOf.get(frame);
  }

  /** Shows a page of Xen's at `gfn` and no longer at its former place. */
  place(frame: Uint8Array, gfn: Gfn): void {
    const former = this.#placeOf.get(frame);
    if (former === gfn) return;
    if (former !== undefined) this.remove(former);
    this.#cover(gfn);
    this.#placeOf.set(frame, gfn);
    this.#frameAt.set(gfn, frame);
    this.#physmap.mapFrame(gfn, frame);
  }

  /** Shows a page of Xen's nowhere. */
  withdraw(frame: Uint8Array): void {
    const gfn = this.#placeOf.get(frame);
    if (gfn !== undefined) this.remove(gfn);
  }

  /**
   * Gives a place back to what is there by nature.
   * @returns false when nothing is laid over it
   */
  remove(gfn: Gfn): boolean {
    if (!this.#forget(gfn)) return false;
    if (this.#empty.delete(gfn)) this.#physmap.hideFrame(gfn);
    else this.#physmap.mapFrame(gfn, undefined);
    return true;
  }

  /** A page of Xen's or a granted one is there. */
  isCovered(gfn: Gfn): boolean {
    return this.#frameAt.has(gfn) || this.#granted.has(gfn);
  }

  /** A granted page that the guest has mapped there. */
  grantAt(gfn: Gfn): GrantOverlay | undefined {
    return this.#granted.get(gfn);
  }

  /** Shows a granted page at `gfn`, where none may be yet. */
  mapGrant(gfn: Gfn, overlay: GrantOverlay): void {
    this.#cover(gfn);
    this.#granted.set(gfn, overlay);
    this.#physmap.mapFrame(gfn, overlay.page, overlay.readOnly);
  }

  /** Something else comes to `gfn`. */
  #cover(gfn: Gfn): void {
    if (this.#forget(gfn)) return;
    const isRam = gfn >= FIRST_PLAIN_RAM && gfn < this.#memory.size / PAGE_SIZE;
    if (isRam && this.#memory.page(gfn) === undefined) this.#empty.add(gfn);
  }

  #forget(gfn: Gfn): boolean {
    if (this.#granted.delete(gfn)) return true;
    const frame = this.#frameAt.get(gfn);
    if (frame === undefined) return false;
    this.#frameAt.delete(gfn);
    this.#placeOf.delete(frame);
    return true;
  }
}
