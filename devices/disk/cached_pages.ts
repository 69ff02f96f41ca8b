/**
 * Which pages of an image are in dom0's memory, and which of them the medium has not seen yet.
 * Source: mm/filemap.c and mm/page-writeback.c of Linux 6.1, with the defaults of its sysctls.
 * @module
 */

/** Pages that dom0 has to spare for an image: 256 MiB. */
const CAPACITY = 65_536;
/** `dirty_ratio`: a writer that makes more than 20 percent dirty writes back itself. */
const DIRTY_LIMIT: number = CAPACITY * 20 / 100;
/** `dirty_background_ratio`: so far. */
const DIRTY_REST: number = CAPACITY * 10 / 100;
/** Of one request to the medium: 1280 KiB, as the block layer makes them. */
const LONGEST_RUN = 320;

/** Pages by number. */
export class CachedPages {
  /** As the medium has them, the least recently used first. */
  readonly #clean = new Set<number>();
  /** That it has not seen, the oldest first. */
  readonly #dirty = new Set<number>();

  /** The medium has not seen some. */
  get hasDirty(): boolean {
    return this.#dirty.size > 0;
  }

  /** Whoever made the last page dirty must write back. */
  get isOverLimit(): boolean {
    return this.#dirty.size > DIRTY_LIMIT;
  }

  /** Whoever writes back may stop. */
  get isRelieved(): boolean {
    return this.#dirty.size <= DIRTY_REST;
  }

  has(page: number): boolean {
    return this.#clean.has(page) || this.#dirty.has(page);
  }

  /** Some have come from the medium. What has been written meanwhile is newer. */
  fill(first: number, end: number): void {
    for (let page = first; page < end; page++) {
      if (!this.#dirty.has(page)) this.#clean.add(page);
    }
    this.#evict();
  }

  read(first: number, end: number): void {
    for (let page = first; page < end; page++) {
      if (this.#clean.delete(page)) this.#clean.add(page);
    }
  }

  write(first: number, end: number): void {
    for (let page = first; page < end; page++) {
      this.#clean.delete(page);
      this.#dirty.add(page);
    }
    this.#evict();
  }

  forget(first: number, end: number): void {
    for (let page = first; page < end; page++) {
      this.#clean.delete(page);
      this.#dirty.delete(page);
    }
  }

  /** @returns the page behind those from `start` on, up to `limit`, that can be read at once */
  endOfHole(start: number, limit: number): number {
    const last = Math.min(limit, start + LONGEST_RUN);
    let end = start + 1;
    while (end < last && !this.has(end)) end++;
    return end;
  }

  /** @returns the first of the pages that are dirty up to the oldest; there is one */
  startOfDirty(): number {
    const [oldest] = this.#dirty;
    let start = oldest!;
    while (this.#dirty.has(start - 1)) start--;
    return start;
  }

  /** Those from `start` on are being written back. @returns the page behind them */
  clean(start: number): number {
    let page = start;
    for (; page - start < LONGEST_RUN && this.#dirty.delete(page); page++) this.#clean.add(page);
    return page;
  }

  #evict(): void {
    for (const page of this.#clean) {
      if (this.#clean.size + this.#dirty.size <= CAPACITY) return;
      this.#clean.delete(page);
    }
  }
}
