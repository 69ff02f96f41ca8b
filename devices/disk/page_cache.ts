/**
 * dom0's page cache over one image, as a loop device without direct I/O uses it, or QEMU.
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
import { CachedPages } from "./cached_pages.ts";

const PAGE_SECTORS = PAGE_SIZE / SECTOR_SIZE;
/** `dirty_expire_centisecs`. */
const EXPIRES: Ns = 30e9;
/** `read_ahead_kb`, 128, in pages: of a reader that goes on where it was. */
const READ_AHEAD = 32;
const NO_BYTES: readonly Uint8Array[] = [];

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

/** A disk behind a page cache. */
export class PageCacheDisk implements Disk {
  readonly sectorCount: number;
  readonly readOnly: boolean;
  readonly canDiscard: boolean;
  readonly #parts: PageCacheParts;
  readonly #pages: CachedPages = new CachedPages();
  /** Requests that wait for a thread. */
  readonly #waiting: BlockRequest[] = [];
  readonly #idle: Thread[] = [];
  readonly #steps: ThreadSteps = {
    copy: (thread) => this.#copy(thread),
    done: (thread, status, failedAt) => this.#accessed(thread, status, failedAt),
  };
  #threads = 0;
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
    const thread = this.#idle.pop() ?? this.#newThread();
    if (thread === undefined) this.#waiting.push(request);
    else this.#begin(thread, request);
  }

  #newThread(): Thread | undefined {
    if (this.#threads === this.#parts.threads) return undefined;
    this.#threads++;
    return new Thread(this.#steps);
  }

  #begin(thread: Thread, request: BlockRequest): void {
    thread.request = request;
    this.#goOn(thread);
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
    else this.#begin(thread, next);
    request.done(status, failedAt);
  }

  // ---- reading ----------------------------------------------------------------------------------

  /** Reads what is missing of some pages, then copies. */
  #fill(thread: Thread, first: number, end: number): void {
    let start = first;
    while (start < end && this.#pages.has(start)) start++;
    if (start === end) return this.#postCopy(thread);
    const wanted = first === this.#ahead ? Math.max(end, start + READ_AHEAD) : end;
    const limit = Math.min(wanted, this.#pageCount);
    this.#access(thread, "read", start, this.#pages.endOfHole(start, limit));
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
    if (startsInside && !this.#pages.has(first)) this.#access(thread, "read", first, first + 1);
    else if (endsInside && !this.#pages.has(end - 1)) this.#access(thread, "read", end - 1, end);
    else this.#postCopy(thread);
  }

  #hasRead(thread: Thread, status: BlockStatus, failedAt: number = thread.sector): void {
    const { request } = thread;
    const end = endPage(thread);
    const goodEnd = status === "ok" ? end : Math.floor(failedAt / PAGE_SECTORS);
    this.#pages.fill(firstPage(thread), goodEnd);
    // What is only read ahead may fail.
    if (goodEnd >= Math.min(end, endPage(request))) this.#goOn(thread);
    else this.#end(thread, status, Math.max(failedAt, request.sector));
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
    if (request.op === "write" && this.#pages.isOverLimit) this.#relieve(thread);
    else this.#end(thread, "ok");
  }

  #use(request: BlockRequest): void {
    const [first, end] = [firstPage(request), endPage(request)];
    if (request.op === "read") {
      this.#pages.read(first, end);
      this.#ahead = end;
    } else {
      this.#pages.write(first, end);
      if (this.#flusher.deadline === undefined) this.#flusher.armAfter(EXPIRES);
    }
  }

  // ---- writing back -----------------------------------------------------------------------------

  #relieve(thread: Thread): void {
    if (this.#pages.isRelieved) this.#end(thread, "ok");
    else this.#writeBack(thread);
  }

  /** Requests of the medium keep order: its flush comes behind what other threads write back. */
  #sync(thread: Thread): void {
    if (this.#pages.hasDirty) return this.#writeBack(thread);
    this.#flusher.cancel();
    if (thread.request === EXPIRED) this.#end(thread, "ok");
    else this.#ask(thread, "flush", 0, 0);
  }

  /** Writes back the oldest dirty page, with those around it. */
  #writeBack(thread: Thread): void {
    const start = this.#pages.startOfDirty();
    this.#access(thread, "write", start, this.#pages.clean(start));
  }

  #hasWrittenBack(thread: Thread, status: BlockStatus): void {
    if (status !== "ok") this.#lost = true;
    if (thread.request.op === "flush") this.#sync(thread);
    else this.#relieve(thread);
  }

  #hasFlushed(thread: Thread, status: BlockStatus): void {
    const lost = this.#lost;
    this.#lost = false;
    this.#end(thread, lost && status === "ok" ? "error" : status);
  }

  /** Pages of which something is left stay as they are. */
  #discard(thread: Thread): void {
    const { sector, count = 0 } = thread.request;
    const endsAt = sector + count;
    const end = endsAt === this.sectorCount ? this.#pageCount : Math.floor(endsAt / PAGE_SECTORS);
    this.#pages.forget(Math.ceil(sector / PAGE_SECTORS), end);
    this.#ask(thread, "discard", sector, count);
  }

  // ---- the medium -------------------------------------------------------------------------------

  /** Has it spend the time of some pages. */
  #access(thread: Thread, op: "read" | "write", start: number, end: number): void {
    const sector = start * PAGE_SECTORS;
    this.#ask(thread, op, sector, Math.min(end * PAGE_SECTORS, this.sectorCount) - sector);
  }

  #ask(thread: Thread, op: BlockRequest["op"], sector: number, count: number): void {
    thread.op = op;
    thread.sector = sector;
    thread.count = count;
    this.#parts.medium.submit(thread);
  }

  #accessed(thread: Thread, status: BlockStatus, failedAt: number | undefined): void {
    switch (thread.op) {
      case "read":
        return this.#hasRead(thread, status, failedAt);
      case "write":
        return this.#hasWrittenBack(thread, status);
      case "flush":
        return this.#hasFlushed(thread, status);
      case "discard":
        return this.#end(thread, status, failedAt);
    }
  }
}

/** What a thread's steps do. */
interface ThreadSteps {
  copy(thread: Thread): void;
  done(thread: Thread, status: BlockStatus, failedAt: number | undefined): void;
}

/** Dirty pages have waited long enough. */
const EXPIRED: BlockRequest = { op: "flush", sector: 0, segments: NO_BYTES, done: () => {} };

/** One thread: the request whose call it is in, and what it asks of the medium for that. */
class Thread implements BlockRequest {
  op: BlockRequest["op"] = "flush";
  sector = 0;
  count = 0;
  readonly segments = NO_BYTES;
  request: BlockRequest = EXPIRED;
  readonly copy: () => void;
  readonly #steps: ThreadSteps;

  constructor(steps: ThreadSteps) {
    this.#steps = steps;
    this.copy = () => steps.copy(this);
  }

  done(status: BlockStatus, failedAt?: number): void {
    this.#steps.done(this, status, failedAt);
  }
}

function firstPage({ sector }: BlockRequest): number {
  return Math.floor(sector / PAGE_SECTORS);
}

function endPage(request: BlockRequest): number {
  return Math.ceil(endSector(request) / PAGE_SECTORS);
}

function endSector({ sector, segments, count = 0 }: BlockRequest): number {
  if (segments.length === 0) return sector + count;
  let bytes = 0;
  for (let i = 0; i < segments.length; i++) bytes += segments[i]!.length;
  return sector + bytes / SECTOR_SIZE;
}
