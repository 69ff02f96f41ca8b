/**
 * Which request of a block ring an event belongs to: the first of those that the ring shows and no
 * earlier event has announced. The others came without an exit.
 * @module
 */

import { SECTOR_SIZE } from "../../types.ts";
import type { DiskRequest, RequestBook, RequestOp } from "./requests.ts";

/** blkif operations, by number (xen/include/public/io/blkif.h). */
const OPS: readonly (RequestOp | undefined)[] = [
  "read",
  "write",
  "write", // with a barrier
  "flush",
  undefined,
  "discard",
];

/** A request as the guest has put it on its ring. */
export interface PvRequest {
  /** By number. */
  readonly operation: number;
  /** The same, but that of the data where the segments lie in a page of their own. */
  readonly dataOperation: number;
  readonly sector: number;
  /** Negative when its segments make no sense. */
  readonly sectors: number;
}

/** The requests of one block ring. */
export class PvRequests {
  readonly #book: RequestBook;
  readonly #disk: string;
  /** Announced and not taken, oldest first. */
  readonly #announced: DiskRequest[] = [];
  /** Taken and not answered, by slot of the backend. */
  readonly #taken: (DiskRequest | undefined)[] = [];

  constructor(book: RequestBook, disk: string) {
    this.#book = book;
    this.#disk = disk;
  }

  /**
   * A backend begins. What one that has died had taken waits again; a ring that shows less than that
   * is another one.
   * @param waiting requests that the ring shows
   */
  begins(waiting: number): void {
    const again = this.#taken.filter((request) => request !== undefined);
    this.#taken.length = 0;
    this.#announced.unshift(...again.sort((a, b) => a.id - b.id));
    if (this.#announced.length > waiting) this.finish();
    this.#announce(waiting);
  }

  /**
   * The guest's event has come.
   * @param waiting requests that the ring shows and the backend has not taken
   */
  event(waiting: number): void {
    const before = this.#announced.length;
    this.#announce(waiting);
    if (waiting > before) this.#book.claim(this.#announced[before]!);
  }

  /**
   * The backend has taken the next request, which need not make sense.
   * @param slot the backend's place for it
   */
  taken(slot: number, { operation, sector }: PvRequest): void {
    const request = this.#announced.shift() ?? this.#open();
    request.code = operation;
    request.sector = Math.min(sector, Number.MAX_SAFE_INTEGER);
    this.#taken[slot] = request;
  }

  /** What has been taken makes sense, and goes to the disk. */
  asked(slot: number, { dataOperation, sectors }: PvRequest): void {
    const request = this.#taken[slot];
    if (request === undefined) return;
    request.op = OPS[dataOperation] ?? "other";
    request.bytes = sectors * SECTOR_SIZE;
  }

  /**
   * The response is on the ring.
   * @param notified it came with an event
   */
  answered(slot: number, notified: boolean): void {
    const request = this.#taken[slot];
    if (request === undefined) return;
    this.#taken[slot] = undefined;
    this.#book.completed(request);
    if (notified) this.#book.notified(request);
    this.#book.close(request);
  }

  /** The ring is gone, or the run is over. */
  finish(): void {
    for (const request of [...this.#announced, ...this.#taken]) {
      if (request !== undefined) this.#book.close(request);
    }
    this.#announced.length = this.#taken.length = 0;
  }

  #announce(waiting: number): void {
    while (this.#announced.length < waiting) this.#announced.push(this.#open());
  }

  #open(): DiskRequest {
    return this.#book.open(this.#disk, "pv", 0);
  }
}
