/**
 * The index algebra of a shared ring: who may read what, and when the other side wants an event.
 * Source: xen/include/public/io/ring.h. Indexes run freely modulo 2^32; only differences are
 * compared.
 * @module
 */

/** Header of the ring page: u32 indexes, then the entries. */
export const SRING = {
  REQ_PROD: 0,
  REQ_EVENT: 4,
  RSP_PROD: 8,
  RSP_EVENT: 12,
  RING: 64,
} as const;

/** What a ring needs of the memory it lies in. All of its accesses are aligned words. */
export type RingView = Pick<DataView, "byteLength" | "getUint32" | "setUint32">;

/** Entries of a ring: the largest power of two that fits behind the header. */
export function ringEntries(pageBytes: number, entryBytes: number): number {
  return 2 ** Math.floor(Math.log2((pageBytes - SRING.RING) / entryBytes));
}

/**
 * Publishes a producer index.
 * @returns whether the consumer asked to be told at one of the indexes just published
 */
function publish(page: RingView, producer: number, event: number, next: number): boolean {
  const old = page.getUint32(producer, true);
  page.setUint32(producer, next, true);
  return (next - page.getUint32(event, true)) >>> 0 < (next - old) >>> 0;
}

/** The backend's half: consumes requests, produces responses. */
export class BackRing {
  readonly page: RingView;
  readonly entries: number;
  readonly #entryBytes: number;
  #requestConsumer = 0;
  #responseProducer = 0;

  constructor(page: RingView, entryBytes: number) {
    this.page = page;
    this.#entryBytes = entryBytes;
    this.entries = ringEntries(page.byteLength, entryBytes);
  }

  /** Continues a ring where its last backend stopped: whatever has no response is served again. */
  attach(): void {
    this.#requestConsumer = this.#responseProducer = this.page.getUint32(SRING.RSP_PROD, true);
  }

  /** Requests taken and not answered. */
  get outstanding(): number {
    return (this.#requestConsumer - this.#responseProducer) >>> 0;
  }

  /** The frontend claims more requests than the ring holds, or took some back: it is hostile. */
  get overrun(): boolean {
    return this.#published() > this.entries - this.outstanding;
  }

  /** Requests that may be taken. */
  unconsumed(): number {
    return Math.min(this.#published(), this.entries - this.outstanding);
  }

  /** Takes the next request. @returns offset of its entry */
  takeRequest(): number {
    const offset = this.#offset(this.#requestConsumer);
    this.#requestConsumer = (this.#requestConsumer + 1) >>> 0;
    return offset;
  }

  /**
   * Takes the next response entry, which may lie over a request already taken. @returns its offset
   */
  nextResponse(): number {
    const offset = this.#offset(this.#responseProducer);
    this.#responseProducer = (this.#responseProducer + 1) >>> 0;
    return offset;
  }

  /** Publishes all responses. @returns whether the frontend wants an event */
  pushResponses(): boolean {
    return publish(this.page, SRING.RSP_PROD, SRING.RSP_EVENT, this.#responseProducer);
  }

  /**
   * Asks for an event at the next request, then looks again. @returns whether there is one already
   */
  finalCheck(): boolean {
    if (this.unconsumed() > 0) return true;
    this.page.setUint32(SRING.REQ_EVENT, this.#requestConsumer + 1, true);
    return this.unconsumed() > 0;
  }

  #published(): number {
    return (this.page.getUint32(SRING.REQ_PROD, true) - this.#requestConsumer) >>> 0;
  }

  #offset(index: number): number {
    return SRING.RING + (index & (this.entries - 1)) * this.#entryBytes;
  }
}

/** The frontend's half: produces requests, consumes responses. */
export class FrontRing {
  readonly page: DataView;
  readonly entries: number;
  readonly #entryBytes: number;
  #requestProducer = 0;
  #responseConsumer = 0;

  constructor(page: DataView, entryBytes: number) {
    this.page = page;
    this.#entryBytes = entryBytes;
    this.entries = ringEntries(page.byteLength, entryBytes);
  }

  /** Makes an empty ring. @param index where both producers start; 0 except to try the wrap */
  initialise(index: number = 0): void {
    this.#requestProducer = this.#responseConsumer = index >>> 0;
    this.page.setUint32(SRING.REQ_PROD, index, true);
    this.page.setUint32(SRING.RSP_PROD, index, true);
    this.page.setUint32(SRING.REQ_EVENT, index + 1, true);
    this.page.setUint32(SRING.RSP_EVENT, index + 1, true);
    for (let at = SRING.RSP_EVENT + 4; at < SRING.RING; at += 4) this.page.setUint32(at, 0);
  }

  /** Entries free for requests. */
  get free(): number {
    return this.entries - ((this.#requestProducer - this.#responseConsumer) >>> 0);
  }

  /** The backend claims more responses than there are requests. */
  get overrun(): boolean {
    return this.unconsumed() > this.entries - this.free;
  }

  /** Takes the next request entry. @returns its offset in the page */
  nextRequest(): number {
    const offset = this.#offset(this.#requestProducer);
    this.#requestProducer = (this.#requestProducer + 1) >>> 0;
    return offset;
  }

  /** Publishes all requests. @returns whether the backend wants an event */
  pushRequests(): boolean {
    return publish(this.page, SRING.REQ_PROD, SRING.REQ_EVENT, this.#requestProducer);
  }

  /** Responses that have not been taken. */
  unconsumed(): number {
    return (this.page.getUint32(SRING.RSP_PROD, true) - this.#responseConsumer) >>> 0;
  }

  /** Takes the next response. @returns offset of its entry in the page */
  takeResponse(): number {
    const offset = this.#offset(this.#responseConsumer);
    this.#responseConsumer = (this.#responseConsumer + 1) >>> 0;
    return offset;
  }

  /**
   * Asks for an event at the next response, then looks again. @returns whether there is one already
   */
  finalCheck(): boolean {
    if (this.unconsumed() > 0) return true;
    this.page.setUint32(SRING.RSP_EVENT, this.#responseConsumer + 1, true);
    return this.unconsumed() > 0;
  }

  #offset(index: number): number {
    return SRING.RING + (index & (this.entries - 1)) * this.#entryBytes;
  }
}
