/**
 * What a disk has been asked and how long it took, as `iostat -x` of sysstat counts it.
 * @module
 */

import type { BlockRequest, Ns } from "../../core/types.ts";

/** Sums over the requests of one kind. */
export interface DiskTally {
  readonly requests: number;
  readonly bytes: number;
  /** Segments that went to or from the image together with the one before. */
  readonly merged: number;
  /** From submission to completion, of all requests together. */
  readonly waited: Ns;
}

class Tally implements DiskTally {
  requests = 0;
  bytes = 0;
  merged = 0;
  waited = 0;
}

/** The sums of one disk. Requests complete in order, at times known when they are submitted. */
export class DiskStats {
  readonly #tallies: Readonly<Record<BlockRequest["op"], Tally>> = {
    read: new Tally(),
    write: new Tally(),
    discard: new Tally(),
    flush: new Tally(),
  };
  #busy: Ns = 0;
  #busyUntil: Ns = -Infinity;

  /** The sums by kind. */
  get tallies(): Readonly<Record<BlockRequest["op"], DiskTally>> {
    return this.#tallies;
  }

  /** Time with a request in flight, those submitted by now included. */
  get busy(): Ns {
    return this.#busy;
  }

  /** Counts a request that has been submitted and will be completed then. */
  count(op: BlockRequest["op"], bytes: number, now: Ns, completesAt: Ns): void {
    const tally = this.#tallies[op];
    tally.requests++;
    tally.bytes += bytes;
    tally.waited += completesAt - now;
    this.#busy += completesAt - Math.max(now, this.#busyUntil);
    this.#busyUntil = completesAt;
  }

  /** Counts segments that continue the one before them. */
  countMerged(op: BlockRequest["op"], segments: number): void {
    this.#tallies[op].merged += segments;
  }
}
