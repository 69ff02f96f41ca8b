/**
 * The guest pages of one request: mapped for it alone, or kept mapped between requests.
 * @module
 */

import type { GrantMapper } from "../../core/types.ts";
import type { BlkifRequest } from "./blkif_request.ts";
import type { PersistentPage, PersistentPages } from "./persistent_pages.ts";

/** How the data of one request gets from the guest to the disk, or back. */
export interface DataPages {
  /** The sectors of every segment, in disk order. */
  readonly views: readonly Uint8Array[];
  /** Those are the guest's own memory. */
  readonly inGuest: boolean;
  /**
   * Copies an INDIRECT request's segments out of their page.
   * @returns false if the grant does not permit it
   */
  copySegments(request: BlkifRequest): boolean;
  /**
   * Fills {@link views}.
   * @param access to the guest's pages, as the data moves
   * @returns false if a grant does not permit it
   */
  map(request: BlkifRequest, access: "read" | "write"): boolean;
  /** Something must be done between disk and response. */
  readonly mustSettle: boolean;
  /**
   * Does it.
   * @param served the disk has
   * @returns false if a grant does not permit it
   */
  settle(served: boolean): boolean;
  /** Ends what the request alone has of the guest, whatever becomes of it. */
  unmap(): void;
  /** Gives back what it shares with other requests. */
  release(): void;
}

/** The data pages of one request. Reused for the next, with its arrays. */
export class RequestPages implements DataPages {
  /** The sectors of every segment, in disk order. */
  readonly views: Uint8Array[] = [];
  readonly inGuest = true;
  readonly #grants: GrantMapper;
  readonly #persistent: PersistentPages | undefined;
  readonly #held: PersistentPage[] = [];
  #heldCount = 0;
  /** Mapped for this request alone. */
  readonly #grefs: number[] = [];
  readonly #pages: Uint8Array[] = [];
  #mappedCount = 0;

  constructor(grants: GrantMapper, persistent: PersistentPages | undefined) {
    this.#grants = grants;
    this.#persistent = persistent;
  }

  /**
   * Copies an INDIRECT request's segments out of their page, which is then free for anything else,
   * the request's own data included.
   * @returns false if the grant does not permit it
   */
  copySegments(request: BlkifRequest): boolean {
    const page = this.#page(request.indirectGref, this.#persistent ? "write" : "read");
    if (page === undefined) return false;
    request.copySegments(page);
    if (this.#persistent) this.#keepNew(this.#persistent);
    this.unmap();
    this.release();
    return true;
  }

  /**
   * Maps every segment's page.
   * @param access as the data moves; persistent pages are writable whatever it says
   * @returns false if a grant does not permit it; then no page is mapped that was not kept before
   */
  map(request: BlkifRequest, access: "read" | "write"): boolean {
    const count = request.segmentCount;
    this.views.length = count;
    for (let i = 0; i < count; i++) {
      const page = this.#page(request.gref(i), this.#persistent ? "write" : access);
      if (page === undefined) {
        this.unmap();
        return false;
      }
      this.views[i] = window(page, request.start(i), request.end(i), this.views[i]);
    }
    if (this.#persistent) this.#keepNew(this.#persistent);
    return true;
  }

  /** Some pages must be unmapped before the response. */
  get mustSettle(): boolean {
    return this.#mappedCount > 0;
  }

  settle(): boolean {
    this.unmap();
    return true;
  }

  /** Unmaps what was mapped for this request alone, as one batch. */
  unmap(): void {
    if (this.#mappedCount === 0) return;
    this.#grefs.length = this.#mappedCount;
    this.#mappedCount = 0;
    this.#grants.unmapAll(this.#grefs);
  }

  /** Gives the persistent pages back to the next request. */
  release(): void {
    for (let i = 0; i < this.#heldCount; i++) this.#persistent!.giveBack(this.#held[i]!);
    this.#heldCount = 0;
  }

  #page(gref: number, access: "read" | "write"): Uint8Array | undefined {
    const kept = this.#persistent?.take(gref);
    if (kept !== undefined) {
      this.#held[this.#heldCount++] = kept;
      return kept.page;
    }
    const page = this.#grants.map(gref, access);
    if (page === undefined) return undefined;
    this.#grefs[this.#mappedCount] = gref;
    this.#pages[this.#mappedCount++] = page;
    return page;
  }

  /** Only a request whose pages are all mapped leaves persistent entries behind. */
  #keepNew(persistent: PersistentPages): void {
    let transient = 0;
    for (let i = 0; i < this.#mappedCount; i++) {
      const kept = persistent.keep(this.#grefs[i]!, this.#pages[i]!);
      if (kept !== undefined) this.#held[this.#heldCount++] = kept;
      else this.#grefs[transient++] = this.#grefs[i]!;
    }
    this.#mappedCount = transient;
  }
}

/** The page itself when it is wanted whole; else a view, the `previous` one if that is it. */
export function window(
  page: Uint8Array,
  start: number,
  end: number,
  previous: Uint8Array | undefined,
): Uint8Array {
  if (end - start === page.length) return page;
  const same = previous !== undefined && previous.buffer === page.buffer &&
    previous.byteOffset === page.byteOffset + start && previous.length === end - start;
  return same ? previous : page.subarray(start, end);
}
