/**
 * Pages of Xen's own for one domain: given back when the domain ends.
 * @module
 */

import type { Gfn, GuestMemory, Physmap } from "../types.ts";

/** Where the pages come from. */
export interface FramePool extends Physmap, Pick<GuestMemory, "page"> {
  /** Takes a page back, which is mapped nowhere. */
  freeFrame(frame: Uint8Array): void;
}

/**
 * The pages that one domain has of a pool, and where they are laid over its memory. What it has done
 * with pages of its own, moved or given away, is not undone when it ends: a guest that is restored
 * finds its memory as it was.
 */
export class FrameScope implements Physmap {
  readonly #pool: FramePool;
  readonly #frames = new Set<Uint8Array>();
  readonly #mapped = new Set<Gfn>();

  constructor(pool: FramePool) {
    this.#pool = pool;
  }

  get spare(): Set<Uint8Array> {
    return this.#pool.spare;
  }

  allocateFrame(): Uint8Array {
    const frame = this.#pool.allocateFrame();
    this.#frames.add(frame);
    return frame;
  }

  mapFrame(gfn: Gfn, frame: Uint8Array | undefined, readOnly: boolean = false): void {
    if (frame !== undefined && this.#frames.has(frame)) this.#mapped.add(gfn);
    else this.#mapped.delete(gfn);
    this.#pool.mapFrame(gfn, frame, readOnly);
  }

  hideFrame(gfn: Gfn): void {
    this.#mapped.delete(gfn);
    this.#pool.hideFrame(gfn);
  }

  /** Shows again what is under the pages, and gives them back. */
  end(): void {
    for (const gfn of this.#mapped) this.#uncover(gfn);
    for (const frame of this.#frames) {
      this.spare.delete(frame);
      this.#pool.freeFrame(frame);
    }
    this.#mapped.clear();
    this.#frames.clear();
  }

  /** What the guest had given back before it was covered stays away. */
  #uncover(gfn: Gfn): void {
    this.#pool.mapFrame(gfn, undefined);
    const page = this.#pool.page(gfn);
    if (page !== undefined && this.spare.has(page)) this.#pool.hideFrame(gfn);
  }
}
