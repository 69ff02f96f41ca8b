/**
 * What xenstored has to say to one guest and has found no space for: replies and watch events, in
 * order, taken away in pieces.
 * @module
 */

import type { StoreObserver } from "./trace.ts";
import { encodeMessage, XS, XS_PAYLOAD_MAX, type XsHeader } from "./wire.ts";

/** Watch events are dropped while more than this waits. */
const EVENT_BACKLOG_BYTES = 64 * 1024;

/** A message that waits. */
interface Output {
  readonly bytes: Uint8Array;
  /** The payload of a watch event. */
  readonly event: string | undefined;
}

/** Messages to one guest. */
export class StoreOutput {
  readonly #observer: StoreObserver | undefined;
  #messages: Output[] = [];
  /** Payloads of the watch events among them. */
  readonly #events: Set<string> = new Set();
  /** Bytes of the first message that have been taken. */
  #sent = 0;
  #bytes = 0;

  constructor(observer: StoreObserver | undefined) {
    this.#observer = observer;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  add(header: Omit<XsHeader, "length">, payload: string): void {
    this.#observer?.("OUT", header.type, payload);
    const bytes = encodeMessage(header, payload);
    this.#messages.push({ bytes, event: header.type === XS.WATCH_EVENT ? payload : undefined });
    this.#bytes += bytes.length;
  }

  /**
   * Adds a watch event. One says as much as two of the same that wait together; those that are
   * longer than a payload may be are never sent.
   * @returns false when it is dropped, as too much waits
   */
  addEvent(payload: string): boolean {
    if (payload.length > XS_PAYLOAD_MAX || this.#events.has(payload)) return true;
    if (this.#bytes > EVENT_BACKLOG_BYTES) return false;
    this.#events.add(payload);
    this.add({ type: XS.WATCH_EVENT, reqId: 0, txId: 0 }, payload);
    return true;
  }

  /**
   * Takes the next bytes, as many as there are and at most `space`.
   * @param put a byte, and how many have been taken before it
   * @returns their number
   */
  take(space: number, put: (byte: number, index: number) => void): number {
    let taken = 0;
    for (let message = this.#messages[0]; message && taken < space; message = this.#messages[0]) {
      const { bytes, event } = message;
      while (this.#sent < bytes.length && taken < space) put(bytes[this.#sent++]!, taken++);
      if (this.#sent < bytes.length) break;
      this.#messages.shift();
      if (event !== undefined) this.#events.delete(event);
      this.#sent = 0;
    }
    this.#bytes -= taken;
    return taken;
  }

  /** Forgets what waits. */
  clear(): void {
    this.#messages = [];
    this.#events.clear();
    this.#sent = 0;
    this.#bytes = 0;
  }
}
