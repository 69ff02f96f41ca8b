/**
 * Who watches a block backend at work: counters, and the books that tie exits to requests.
 * @module
 */

/** Counts of notifications, sent and saved, and of refusals. */
export interface RingStats {
  notifySent(): void;
  /** The guest had not asked for an event at this response. */
  notifySuppressed(): void;
  /** A request was taken without an event of its own: the worker was at it anyway. */
  requestWithoutEvent(): void;
  /** @param reason one of a few texts */
  refused(reason: string): void;
}

/** A request as the guest has written it, which need not make sense. */
export interface TakenRequest {
  /** See `BLKIF_OP`. */
  readonly operation: number;
  /** The same, but that of the data for INDIRECT. */
  readonly dataOperation: number;
  readonly sector: number;
  /** Negative when its segments make no sense. */
  readonly sectors: number;
}

/** Follows requests from the guest's event to their response. */
export interface RingObserver {
  /**
   * The backend looks at the ring for the first time. After one that has died it begins with what
   * that has not answered.
   * @param waiting requests on the ring that have not been answered
   */
  begins(waiting: number): void;
  /**
   * The guest has sent its event.
   * @param waiting requests on the ring that have not been taken
   */
  event(waiting: number): void;
  /**
   * The next request has been taken.
   * @param slot the backend's place for it, until it is answered
   */
  taken(slot: number, request: TakenRequest): void;
  /** What has been taken makes sense, and goes to the disk: once, or in parts one after the other. */
  asked(slot: number, request: TakenRequest): void;
  /** The response is on the ring. @param notified with an event */
  answered(slot: number, notified: boolean): void;
  /** The ring is gone, with what it shows. */
  finish(): void;
}
