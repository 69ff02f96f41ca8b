/**
 * A backend's places for the requests of one ring, and the order in which they are answered.
 *
 * A response takes the ring entry of the oldest request that has none, whichever request it is for.
 * Answered in the order in which they came, requests and responses share their entries: the ring
 * alone tells what has been answered, and a backend that attaches to it after a crash serves what
 * has not, nothing else.
 * @module
 */

import { InternalError } from "../../core/errors.ts";
import type { RequestSlot } from "./request_slot.ts";

/** The places of one ring. Serving a request allocates none once there are enough. */
export class RequestSlots {
  /** Every place there is. */
  readonly all: RequestSlot[] = [];
  readonly #make: (index: number) => RequestSlot;
  readonly #free: RequestSlot[] = [];
  /** Places that are taken, oldest first, from `#first` on and around. */
  readonly #taken: (RequestSlot | undefined)[];
  #first = 0;
  #count = 0;

  /** @param entries of the ring, a power of two */
  constructor(entries: number, make: (index: number) => RequestSlot) {
    this.#make = make;
    this.#taken = new Array(entries).fill(undefined);
  }

  /** A place for the next request. */
  take(): RequestSlot {
    const slot = this.#free.pop() ?? this.#newSlot();
    this.#taken[(this.#first + this.#count++) & (this.#taken.length - 1)] = slot;
    slot.isServed = false;
    return slot;
  }

  /** The oldest request, if it has been served; its place is free then. */
  nextServed(): RequestSlot | undefined {
    const slot = this.#taken[this.#first];
    if (this.#count === 0 || !slot!.isServed) return undefined;
    this.#first = (this.#first + 1) & (this.#taken.length - 1);
    this.#count--;
    this.#free.push(slot!);
    return slot;
  }

  #newSlot(): RequestSlot {
    if (this.all.length === this.#taken.length) {
      throw new InternalError("blkback took more requests than the ring has");
    }
    const slot = this.#make(this.all.length);
    this.all.push(slot);
    return slot;
  }
}
