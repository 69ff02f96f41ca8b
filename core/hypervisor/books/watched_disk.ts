/**
 * A disk that tells of every request to it.
 * @module
 */

import { SECTOR_SIZE } from "../../types.ts";
import type { BlockRequest, BlockStatus, Disk } from "../../types.ts";

/** What a {@link WatchedDisk} tells. */
export interface DiskEvents {
  /** @param bytes to move or discard */
  submitted(op: BlockRequest["op"], sector: number, bytes: number): void;
  completed(): void;
}

/** Passes everything on. */
export class WatchedDisk implements Disk {
  readonly sectorCount: number;
  readonly readOnly: boolean;
  readonly canDiscard: boolean;
  readonly #disk: Disk;
  readonly #events: DiskEvents;
  readonly #free: WatchedRequest[] = [];

  constructor(disk: Disk, events: DiskEvents) {
    this.sectorCount = disk.sectorCount;
    this.readOnly = disk.readOnly;
    this.canDiscard = disk.canDiscard === true;
    this.#disk = disk;
    this.#events = events;
  }

  submit(request: BlockRequest): void {
    const { op, sector, segments, count = 0 } = request;
    let bytes = count * SECTOR_SIZE;
    for (let i = 0; i < segments.length; i++) bytes += segments[i]!.length;
    this.#events.submitted(op, sector, bytes);
    const watched = this.#free.pop() ?? new WatchedRequest((done) => this.#completed(done));
    watched.carry(request);
    this.#disk.submit(watched);
  }

  #completed(watched: WatchedRequest): void {
    this.#events.completed();
    this.#free.push(watched);
  }
}

/** A request passed on, reused. */
class WatchedRequest implements BlockRequest {
  op: BlockRequest["op"] = "flush";
  sector = 0;
  segments: readonly Uint8Array[] = [];
  count = 0;
  readonly #onDone: (request: WatchedRequest) => void;
  #request: BlockRequest | undefined;

  constructor(onDone: (request: WatchedRequest) => void) {
    this.#onDone = onDone;
  }

  carry(request: BlockRequest): void {
    this.#request = request;
    this.op = request.op;
    this.sector = request.sector;
    this.segments = request.segments;
    this.count = request.count ?? 0;
  }

  done(status: BlockStatus, failedAt?: number): void {
    const request = this.#request!;
    this.#request = undefined;
    this.#onDone(this);
    request.done(status, failedAt);
  }
}
