/**
 * A disk that tells of every request to it.
 * @module
 */

import type { BlockRequest, BlockStatus, Disk } from "../types.ts";

/** What a {@link WatchedDisk} tells. */
export interface DiskEvents {
  submitted(op: BlockRequest["op"], sector: number, bytes: number): void;
  completed(): void;
}

/** Passes everything on. */
export class WatchedDisk implements Disk {
  readonly sectorCount: number;
  readonly readOnly: boolean;
  readonly #disk: Disk;
  readonly #events: DiskEvents;
  readonly #free: WatchedRequest[] = [];

  constructor(disk: Disk, events: DiskEvents) {
    this.sectorCount = disk.sectorCount;
    this.readOnly = disk.readOnly;
    this.#disk = disk;
    this.#events = events;
  }

  submit(request: BlockRequest): void {
    const { op, sector, segments } = request;
    let bytes = 0;
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
  }

  done(status: BlockStatus): void {
    const request = this.#request!;
    this.#request = undefined;
    this.#onDone(this);
    request.done(status);
  }
}
