/**
 * The FIFO ABI: one word for each port, linked into a queue for each priority. The heads of the
 * queues are in a control block of the vCPU, the words in an array that the guest expands.
 *
 * Both ends link and unlink without a lock: whoever sets LINKED owns the link. Xen appends, the guest
 * takes from the head; a word that the guest has unlinked ends its queue. What the guest writes is
 * never followed: links go from Xen's own tails, and lead nowhere but into the guest.
 * Source: xen/common/event_fifo.c; Xen public header event_channel.h; xen/docs/misc/event-channels.
 * @module
 */

import { viewOf } from "../../bits.ts";
import { PAGE_SIZE } from "../../types.ts";
import type { GuestMemory } from "../../types.ts";
import { ERRNO } from "../hypercalls/errno.ts";
import type { EvtchnPortOps } from "./port_ops.ts";
import type { Upcall } from "./upcall.ts";

/** Bits of an event word. */
export const EVTCHN_FIFO = {
  PENDING: 31,
  MASKED: 30,
  LINKED: 29,
  BUSY: 28,
  LINK_BITS: 17,
} as const;

/** Ports that a link can name. */
const EVTCHN_FIFO_NR_CHANNELS: number = 1 << EVTCHN_FIFO.LINK_BITS;

/** Offsets of evtchn_fifo_control_block; a queue's head for each priority. */
export const EVTCHN_FIFO_CONTROL_BLOCK = { READY: 0, HEAD: 8, SIZE: 72 } as const;

/** Priorities: the highest is 0. */
export const EVTCHN_FIFO_PRIORITY = { MAX: 0, DEFAULT: 7, MIN: 15 } as const;

const { READY, HEAD, SIZE } = EVTCHN_FIFO_CONTROL_BLOCK;
const QUEUES = EVTCHN_FIFO_PRIORITY.MIN + 1;

const PENDING = 1 << EVTCHN_FIFO.PENDING;
const MASKED = 1 << EVTCHN_FIFO.MASKED;
const LINKED = 1 << EVTCHN_FIFO.LINKED;
const BUSY = 1 << EVTCHN_FIFO.BUSY;
const LINK_MASK = EVTCHN_FIFO_NR_CHANNELS - 1;

const WORD_BYTES = 4;
const WORDS_PER_PAGE = PAGE_SIZE / WORD_BYTES;
const MAX_PAGES = EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE;

/** A record in a page of the guest's. */
interface Mapped {
  readonly bytes: Uint8Array;
  readonly fields: DataView;
}

/** Event channels as queues of words. */
export class EventFifo implements EvtchnPortOps {
  readonly limit: number = EVTCHN_FIFO_NR_CHANNELS;
  readonly #memory: GuestMemory;
  readonly #upcall: Upcall;
  #control: Mapped | undefined;
  readonly #array: Mapped[] = [];
  /** Last of each queue, 0 = none: only Xen knows. */
  readonly #tails: Uint32Array = new Uint32Array(QUEUES);
  /** By port. */
  readonly #priorities: Uint8Array = new Uint8Array(EVTCHN_FIFO_NR_CHANNELS);
  /** By port: the queue that it was put on last. */
  readonly #lastQueues: Uint8Array = new Uint8Array(EVTCHN_FIFO_NR_CHANNELS);
  /** By port: 1 = pending, and has no word yet to show it. */
  readonly #saved: Uint8Array = new Uint8Array(EVTCHN_FIFO_NR_CHANNELS);

  constructor(memory: GuestMemory, upcall: Upcall) {
    this.#memory = memory;
    this.#upcall = upcall;
    this.#priorities.fill(EVTCHN_FIFO_PRIORITY.DEFAULT);
  }

  // ---- pages of the guest's ---------------------------------------------------------------------

  /**
   * EVTCHNOP_init_control: names the control block of the vCPU, once.
   * @returns 0, or -EINVAL
   */
  mapControlBlock(gfn: number, offset: number): number {
    if (offset > PAGE_SIZE - SIZE || offset % 8 !== 0) return -ERRNO.EINVAL;
    if (this.#control !== undefined) return -ERRNO.EINVAL;
    const page = this.#memory.page(gfn);
    if (page === undefined) return -ERRNO.EINVAL;
    this.#control = mapped(page.subarray(offset, offset + SIZE));
    return 0;
  }

  /**
   * EVTCHNOP_expand_array: the next 1024 words. Events that have waited for theirs are raised.
   * @returns 0, -ENOSPC when all ports have one, -EINVAL where no memory is
   */
  expandArray(gfn: number): number {
    if (this.#array.length === MAX_PAGES) return -ERRNO.ENOSPC;
    const page = this.#memory.page(gfn);
    if (page === undefined) return -ERRNO.EINVAL;
    const first = this.#array.push(mapped(page)) * WORDS_PER_PAGE - WORDS_PER_PAGE;
    for (let port = first; port < first + WORDS_PER_PAGE; port++) {
      if (this.#saved[port] === 0) continue;
      this.#saved[port] = 0;
      this.setPending(port);
    }
    return 0;
  }

  // ---- ports ------------------------------------------------------------------------------------

  init(evtchnPort: number): void {
    this.#priorities[evtchnPort] = EVTCHN_FIFO_PRIORITY.DEFAULT;
  }

  setPending(evtchnPort: number): void {
    if (!this.#hasWord(evtchnPort)) {
      this.#saved[evtchnPort] = 1;
      return;
    }
    const word = this.#word(evtchnPort) | PENDING;
    if ((word & (MASKED | LINKED)) !== 0) this.#setWord(evtchnPort, word);
    else {
      this.#setWord(evtchnPort, word | LINKED);
      this.#append(evtchnPort);
    }
  }

  /** The guest unlinks the word in its own time, and then ignores it. */
  clearPending(evtchnPort: number): void {
    this.#saved[evtchnPort] = 0;
    if (this.#hasWord(evtchnPort)) this.#setWord(evtchnPort, this.#word(evtchnPort) & ~PENDING);
  }

  unmask(evtchnPort: number): void {
    if (!this.#hasWord(evtchnPort)) return;
    const word = this.#word(evtchnPort) & ~MASKED;
    this.#setWord(evtchnPort, word);
    if ((word & PENDING) !== 0) this.setPending(evtchnPort);
  }

  isPending(evtchnPort: number): boolean {
    return this.#hasWord(evtchnPort) && (this.#word(evtchnPort) & PENDING) !== 0;
  }

  isBusy(evtchnPort: number): boolean {
    return this.#hasWord(evtchnPort) && (this.#word(evtchnPort) & LINKED) !== 0;
  }

  /** Events from now on go to another queue; where one is linked, it stays. */
  setPriority(evtchnPort: number, priority: number): number {
    if (priority > EVTCHN_FIFO_PRIORITY.MIN) return -ERRNO.EINVAL;
    this.#priorities[evtchnPort] = priority;
    return 0;
  }

  // ---- queues -----------------------------------------------------------------------------------

  #append(evtchnPort: number): void {
    const queue = this.#priorities[evtchnPort]!;
    const last = this.#lastQueues[evtchnPort]!;
    // Unlinked and still a tail: the guest has emptied that queue.
    if (this.#tails[last] === evtchnPort) this.#tails[last] = 0;
    this.#lastQueues[evtchnPort] = queue;
    const tail = this.#tails[queue]!;
    this.#tails[queue] = evtchnPort;
    if (tail !== 0 && this.#link(tail, evtchnPort)) return;
    this.#setHead(queue, evtchnPort);
  }

  /** @returns false when the guest has unlinked the tail: its queue is empty */
  #link(tail: number, evtchnPort: number): boolean {
    const word = this.#word(tail);
    if ((word & LINKED) === 0) return false;
    this.#setWord(tail, word & ~(BUSY | LINK_MASK) | evtchnPort);
    return true;
  }

  #setHead(queue: number, evtchnPort: number): void {
    const { bytes, fields } = this.#control!;
    fields.setUint32(HEAD + queue * WORD_BYTES, evtchnPort, true);
    const ready = fields.getUint32(READY, true);
    fields.setUint32(READY, ready | 1 << queue, true);
    this.#memory.wrote(bytes);
    if ((ready & 1 << queue) === 0) this.#upcall.markPending();
  }

  #hasWord(evtchnPort: number): boolean {
    return evtchnPort < this.#array.length * WORDS_PER_PAGE;
  }

  #word(evtchnPort: number): number {
    const { fields } = this.#array[Math.floor(evtchnPort / WORDS_PER_PAGE)]!;
    return fields.getInt32(evtchnPort % WORDS_PER_PAGE * WORD_BYTES, true);
  }

  #setWord(evtchnPort: number, word: number): void {
    const { bytes, fields } = this.#array[Math.floor(evtchnPort / WORDS_PER_PAGE)]!;
    fields.setInt32(evtchnPort % WORDS_PER_PAGE * WORD_BYTES, word, true);
    this.#memory.wrote(bytes);
  }
}

function mapped(bytes: Uint8Array): Mapped {
  return { bytes, fields: viewOf(bytes) };
}
