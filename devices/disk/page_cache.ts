/**
 * dom0's page cache over one image, as a loop device without direct I/O uses it, or QEMU: which pages
 * are in memory, and which of them the medium has not seen yet.
 *
 * Its calls are synchronous: what misses keeps a thread waiting, and the requests for which there is
 * no other. A write is complete when it is in memory; a flush writes back what is dirty, then flushes
 * the medium. Bytes are in the image from the moment of the copy, as the host has a page cache of its
 * own; the medium's time is spent apart from them, when a page is read or written back.
 * Source: mm/filemap.c and mm/page-writeback.c of Linux 6.1, with the defaults of its sysctls.
 * @module
 */

import { DOM0_COST, PAGE_SIZE, SECTOR_SIZE } from "../../core/types.ts";
import type { BlockRequest, BlockStatus, Clock, Disk, Dom0, Ns, Timer } from "../../core/types.ts";

const PAGE_SECTORS = PAGE_SIZE / SECTOR_SIZE;
/** Pages that dom0 has to spare for an image: 256 MiB. */
const CAPACITY = 65_536;
/** `dirty_ratio`: a writer that makes more than 20 percent dirty writes back itself. */
const DIRTY_LIMIT: number = CAPACITY * 20 / 100;
/** `dirty_background_ratio`: so far. */
const DIRTY_REST: number = CAPACITY * 10 / 100;
/** `dirty_expire_centisecs`. */
const EXPIRES: Ns = 30e9;
/** `read_ahead_kb`, 128, in pages: of a reader that goes on where it was. */
const READ_AHEAD = 32;
/** Of one request to the medium: 1280 KiB, as the block layer makes them. */
const LONGEST_RUN = 320;

/** What moves the bytes of a request, at once. */
export interface ByteStore {
  /** @returns the sector at which the host failed */
  perform(request: BlockRequest): number | undefined;
}

/** What a page cache stands on. */
export interface PageCacheParts {
  readonly clock: Clock;
  readonly dom0: Dom0;
  /** Takes its time, and is given no bytes. */
  readonly medium: Disk;
  readonly store: ByteStore;
  /** Looking a page up and copying 4096 bytes. */
  readonly copyPage: Ns;
  /** That make calls at the same time. */
  readonly threads: number;
}

/** One thread, with the request whose call it is in. */
interface Thread {
  request: BlockRequest;
  readonly copy: () => void;
}

/** A disk behind a page cache. */
export class PageCacheDisk implements Disk {
  readonly sectorCount: number;
  readonly readOnly: boolean;
  readonly canDiscard: boolean;
  readonly #parts: PageCacheParts;
  /** Requests that wait for a thread. */
  readonly #waiting: BlockRequest[] = [];
  readonly #idle: Thread[] = [];
  #threads = 0;
  /** Pages as the medium has them, the least recently used first. */
  readonly #clean = new Set<number>();
  /** Pages that it has not seen, the oldest first. */
  readonly #dirty = new Set<number>();
  readonly #flusher: Timer;
  /** The page behind the last that was read. */
  #ahead = -1;
  /** A page could not be written back; the next flush says so. */
  #lost = false;

  constructor(parts: PageCacheParts) {
    const { medium, clock } = this.#parts = parts;
    this.sectorCount = medium.sectorCount;
    this.readOnly = medium.readOnly;
    this.canDiscard = medium.canDiscard === true;
    this.#flusher = clock.timer("page cache", () => this.submit(EXPIRED));
  }

  submit(request: BlockRequest): void {
    const thread = this.#idle.pop() ?? this.#newThread(request);
    if (thread === undefined) this.#waiting.push(request);
    else {
      thread.request = request;
      this.#goOn(thread);
    }
  }

  #newThread(request: BlockRequest): Thread | undefined {
    if (this.#threads === this.#parts.threads) return undefined;
    this.#threads++;
    const thread: Thread = { request, copy: () => this.#copy(thread) };
    return thread;
  }

  /** One more access of the medium that the request needs, or its copy. */
  #goOn(thread: Thread): void {
    const { request } = thread;
    switch (request.op) {
      case "flush":
        return this.#sync(thread);
      case "discard":
        return this.#discard(thread);
      case "read":
        return this.#fill(thread, firstPage(request), endPage(request));
      case "write":
        return this.#fillEdges(thread);
    }
  }

  #end(thread: Thread, status: BlockStatus, failedAt?: number): void {
    const { request } = thread;
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(thread);
    else {
      thread.request = next;
      this.#goOn(thread);
    }
    request.done(status, failedAt);
  }

  // ---- reading ----------------------------------------------------------------------------------

  /** Reads what is missing of some pages, then copies. */
  #fill(thread: Thread, first: number, end: number): void {
    let start = first;
    while (start < end && this.#has(start)) start++;
    if (start === end) return this.#postCopy(thread);
    const wanted = first === this.#ahead ? Math.max(end, start + READ_AHEAD) : end;
    this.#read(thread, start, this.#endOfHole(start, wanted));
  }

  #endOfHole(start: number, wanted: number): number {
    const limit = Math.min(wanted, start + LONGEST_RUN, this.#pageCount);
    let end = start + 1;
    while (end < limit && !this.#has(end)) end++;
    return end;
  }

  get #pageCount(): number {
    return Math.ceil(this.sectorCount / PAGE_SECTORS);
  }

  /** A write needs the rest of the pages that it changes in part. */
  #fillEdges(thread: Thread): void {
    const { request } = thread;
    const [first, end] = [firstPage(request), endPage(request)];
    const startsInside = request.sector % PAGE_SECTORS !== 0;
    const endsInside = endSector(request) % PAGE_SECTORS !== 0 &&
      endSector(request) !== this.sectorCount;
    if (startsInside && !this.#has(first)) this.#read(thread, first, first + 1);
    else if (endsInside && !this.#has(end - 1)) this.#read(thread, end - 1, end);
    else this.#postCopy(thread);
  }

  #read(thread: Thread, start: number, end: number): void {
    const { request } = thread;
    this.#access("read", start, end, (status, failedAt) => {
      const goodEnd = status === "ok" ? end : Math.floor(failedAt / PAGE_SECTORS);
      for (let page = start; page < goodEnd; page++) {
        if (!this.#dirty.has(page)) this.#clean.add(page);
      }
      this.#evict();
      // What is only read ahead may fail.
      if (goodEnd >= Math.min(end, endPage(request))) this.#goOn(thread);
      else this.#end(thread, status, Math.max(failedAt, request.sector));
    });
  }

  #has(page: number): boolean {
    return this.#clean.has(page) || this.#dirty.has(page);
  }

  #evict(): void {
    for (const page of this.#clean) {
      if (this.#clean.size + this.#dirty.size <= CAPACITY) return;
      this.#clean.delete(page);
    }
  }

  // ---- copying ----------------------------------------------------------------------------------

  #postCopy({ request, copy }: Thread): void {
    const pages = endPage(request) - firstPage(request);
    this.#parts.dom0.post(DOM0_COST.pageCache, pages * this.#parts.copyPage, copy);
  }

  #copy(thread: Thread): void {
    const { request } = thread;
    const failedAt = this.#parts.store.perform(request);
    if (failedAt !== undefined) return this.#end(thread, "error", failedAt);
    this.#use(request);
    if (request.op === "write" && this.#dirty.size > DIRTY_LIMIT) this.#relieve(thread);
    else this.#end(thread, "ok");
  }

  #use(request: BlockRequest): void {
    const end = endPage(request);
    for (let page = firstPage(request); page < end; page++) {
      if (request.op === "write") {
        this.#clean.delete(page);
        this.#dirty.add(page);
      } else if (this.#clean.delete(page)) this.#clean.add(page);
    }
    if (request.op === "read") this.#ahead = end;
    else if (this.#flusher.deadline === undefined) this.#flusher.armAfter(EXPIRES);
    this.#evict();
  }

  // ---- writing back -----------------------------------------------------------------------------

  #relieve(thread: Thread): void {
    if (this.#dirty.size <= DIRTY_REST) this.#end(thread, "ok");
    else this.#writeBack(() => this.#relieve(thread));
  }

  /** Requests of the medium keep order: its flush comes behind what other threads write back. */
  #sync(thread: Thread): void {
    if (this.#dirty.size > 0) return this.#writeBack(() => this.#sync(thread));
    this.#flusher.cancel();
    if (thread.request === EXPIRED) return this.#end(thread, "ok");
    const lost = this.#lost;
    this.#lost = false;
    this.#parts.medium.submit({
      op: "flush",
      sector: 0,
      segments: [],
      done: (status) => this.#end(thread, lost && status === "ok" ? "error" : status),
    });
  }

  /** Writes back the oldest dirty page, with those around it. */
  #writeBack(then: () => void): void {
    const [oldest] = this.#dirty;
    let start = oldest!;
    while (this.#dirty.has(start - 1)) start--;
    let end = start;
    while (this.#dirty.has(end) && end - start < LONGEST_RUN) end++;
    for (let page = start; page < end; page++) {
      this.#dirty.delete(page);
      this.#clean.add(page);
    }
    this.#access("write", start, end, (status) => {
      if (status !== "ok") this.#lost = true;
      then();
    });
  }

  /** Pages of which something is left stay as they are. */
  #discard(thread: Thread): void {
    const { request } = thread;
    const endsAt = request.sector + request.count!;
    const end = endsAt === this.sectorCount ? this.#pageCount : Math.floor(endsAt / PAGE_SECTORS);
    for (let page = Math.ceil(request.sector / PAGE_SECTORS); page < end; page++) {
      this.#clean.delete(page);
      this.#dirty.delete(page);
    }
    this.#parts.medium.submit({
      op: "discard",
      sector: request.sector,
      segments: [],
      count: request.count!,
      done: (status, failedAt) => this.#end(thread, status, failedAt),
    });
  }

  /** Has the medium spend the time of some pages. */
  #access(
    op: "read" | "write",
    start: number,
    end: number,
    then: (status: BlockStatus, failedAt: number) => void,
  ): void {
    const sector = start * PAGE_SECTORS;
    this.#parts.medium.submit({
      op,
      sector,
      segments: [],
      count: Math.min(end * PAGE_SECTORS, this.sectorCount) - sector,
      done: (status, failedAt = sector) => then(status, failedAt),
    });
  }
}

/** Dirty pages have waited long enough. */
const EXPIRED: BlockRequest = { op: "flush", sector: 0, segments: [], done: () => {} };

function firstPage({ sector }: BlockRequest): number {
  return Math.floor(sector / PAGE_SECTORS);
}

function endPage(request: BlockRequest): number {
  return Math.ceil(endSector(request) / PAGE_SECTORS);
}

function endSector({ sector, segments }: BlockRequest): number {
  let bytes = 0;
  for (let i = 0; i < segments.length; i++) bytes += segments[i]!.length;
  return sector + bytes / SECTOR_SIZE;
}
