/**
 * The mappings that one domain has made of pages granted to it, by handle.
 * Source: xen/common/grant_table.c of Xen: get_maptrack_handle(), put_maptrack_handle().
 * @module
 */

import type { Gfn } from "../../types.ts";

/** Handles in a page of Xen's table. */
const MAPTRACK_PER_PAGE = 256;
/** Pages that the table may grow to (Xen's default max_maptrack_frames). */
export const MAX_MAPTRACK_FRAMES = 1024;
const TAIL = -1;

/** One mapping. */
export interface GrantMapping {
  /** Who has granted the page. */
  readonly domid: number;
  readonly gref: number;
  /** GNTMAP_* as the domain gave them. */
  readonly flags: number;
  /** Where the domain has it. */
  readonly gfn: Gfn;
}

/** Handles are given out in ascending order, those that come back after all that never were. */
export class Maptrack {
  readonly #mappings: (GrantMapping | undefined)[] = [];
  /** By free handle: the next free one. */
  readonly #next: number[] = [];
  #head = TAIL;
  #tail = TAIL;

  /** The mapping of a handle; `undefined` for one that is not in use. */
  get(handle: number): GrantMapping | undefined {
    return this.#mappings[handle];
  }

  /** Pages that the table has. */
  get frameCount(): number {
    return this.#mappings.length / MAPTRACK_PER_PAGE;
  }

  /** A handle for a mapping; `undefined` when there are too many. */
  add(mapping: GrantMapping): number | undefined {
    const handle = this.#take() ?? this.#grow();
    if (handle !== undefined) this.#mappings[handle] = mapping;
    return handle;
  }

  /** There will be a handle for {@link add}. */
  get hasRoom(): boolean {
    return this.#hasFree || this.#mappings.length < MAX_MAPTRACK_FRAMES * MAPTRACK_PER_PAGE;
  }

  /** Takes a handle that is in use back. */
  remove(handle: number): void {
    this.#mappings[handle] = undefined;
    this.#next[handle] = TAIL;
    this.#next[this.#tail] = handle;
    this.#tail = handle;
  }

  /** The last free handle stays, so that there is always one to append to. */
  get #hasFree(): boolean {
    return this.#head !== TAIL && this.#next[this.#head] !== TAIL;
  }

  #take(): number | undefined {
    if (!this.#hasFree) return undefined;
    const handle = this.#head;
    this.#head = this.#next[handle]!;
    return handle;
  }

  /** A further page: its first handle is given out, the others come before those that are free. */
  #grow(): number | undefined {
    if (!this.hasRoom) return undefined;
    const first = this.#mappings.length;
    const last = first + MAPTRACK_PER_PAGE - 1;
    for (let handle = first; handle <= last; handle++) {
      this.#mappings.push(undefined);
      this.#next.push(handle + 1);
    }
    this.#next[last] = this.#head;
    if (this.#tail === TAIL) this.#tail = last;
    this.#head = first + 1;
    return first;
  }
}
