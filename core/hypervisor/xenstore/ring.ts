/**
 * Server side of the ring page over which a guest talks to xenstore.
 * Both directions are byte streams: a message may be longer than the ring and comes in pieces.
 * Source: xen/include/public/io/xs_wire.h; xen/docs/misc/xenstore-ring.txt.
 * @module
 */

import { viewOf } from "../../bits.ts";
import { DOM0_COST } from "../../types.ts";
import type { Dom0, GuestErrors, Ns } from "../../types.ts";
import type { XenStore } from "./xenstore.ts";
import type { StoreConnection } from "./connection.ts";
import { StoreOutput } from "./output.ts";
import type { StoreObserver } from "./trace.ts";
import {
  byteString,
  decodeHeader,
  serveRequest,
  watchEvent,
  XS_HEADER_BYTES,
  XS_PAYLOAD_MAX,
  type XsHeader,
} from "./wire.ts";

/** Bytes of the stream that each direction can hold. */
export const XS_RING_BYTES = 1024;

/** Offsets in the page (`struct xenstore_domain_interface`). Indices are free-running u32. */
export const XS_RING = {
  REQ: 0,
  RSP: 1024,
  REQ_CONS: 2048,
  REQ_PROD: 2052,
  RSP_CONS: 2056,
  RSP_PROD: 2060,
  SERVER_FEATURES: 2064,
  CONNECTION: 2068,
  ERROR: 2072,
} as const;

/** Bits of the field server_features. */
const FEATURE = {
  RECONNECTION: 1 << 0,
  ERROR: 1 << 1,
  WATCH_DEPTH: 1 << 2,
  DOMID_ANY: 1 << 3,
} as const;
const ALL_FEATURES = Object.values(FEATURE).reduce((all, feature) => all | feature, 0);

/** Values of the field connection. */
const CONNECTION = { CONNECTED: 0, RECONNECT: 1 } as const;

/** Values of the field error. */
export const XS_RING_ERROR = { NONE: 0, RING_INDEX: 2, PROTOCOL: 3 } as const;

/** Requests wait in the ring while more than this waits for response space. */
const REPLY_BACKLOG_BYTES = 4 * (XS_HEADER_BYTES + XS_PAYLOAD_MAX);

/** What the server of one guest's ring works with. */
export interface XenStoreRingParts {
  readonly store: XenStore;
  readonly domid: number;
  /** The ring page; `undefined` when the guest has taken it out of its memory. */
  readonly page: () => Uint8Array | undefined;
  /** Called after the server has changed the page: marks it written, raises the guest's port. */
  readonly notify: () => void;
  readonly dom0: Dom0;
  /** dom0's time for one wake-up: at most one request, and all output that fits. */
  readonly costNs: Ns;
  readonly errors: GuestErrors;
  readonly observer?: StoreObserver | undefined;
}

/** xenstored's end of one guest's ring. It lives from INTRODUCE to {@link close}. */
export class XenStoreRing {
  readonly #parts: XenStoreRingParts;
  readonly #client: StoreConnection;
  readonly #wake: () => void = () => this.#parts.store.hold(() => this.#work());
  #view: DataView;

  readonly #input: Uint8Array = new Uint8Array(XS_HEADER_BYTES + XS_PAYLOAD_MAX);
  readonly #inputView: DataView = new DataView(this.#input.buffer);
  #inputLength = 0;

  readonly #output: StoreOutput;

  /** The server's indices as it left them: when they differ, the guest has reset the ring. */
  #reqCons = 0;
  #rspProd = 0;

  #state: "connected" | "failed" | "closed" = "connected";
  #scheduled = false;

  /** Initialises the page and introduces the domain. */
  constructor(parts: XenStoreRingParts) {
    this.#parts = parts;
    this.#view = viewOf(parts.page() as Uint8Array);
    this.#output = new StoreOutput(parts.observer);
    this.#client = parts.store.connect(parts.domid, (path, token) => this.#event(path, token));
    this.#set(XS_RING.SERVER_FEATURES, ALL_FEATURES);
    this.#reset();
    parts.store.introduce(parts.domid);
  }

  /** The guest has signalled its store port. */
  onEvent(): void {
    this.#schedule();
  }

  /** The domain is gone. */
  close(): void {
    this.#disconnect("closed");
    this.#parts.store.release(this.#parts.domid);
  }

  #schedule(): void {
    if (this.#scheduled || this.#state === "closed") return;
    this.#scheduled = true;
    this.#parts.dom0.post(DOM0_COST.xenstore, this.#parts.costNs, this.#wake);
  }

  #work(): void {
    if (this.#state !== "closed") this.#serve();
    this.#scheduled = false;
    if (this.#mayReceive() && this.#used(XS_RING.REQ_PROD, XS_RING.REQ_CONS) > 0) {
      this.#schedule();
    }
  }

  #serve(): void {
    const page = this.#parts.page();
    if (page === undefined) return this.#lose("no ring page");
    if (page.buffer !== this.#view.buffer || page.byteOffset !== this.#view.byteOffset) {
      this.#view = viewOf(page);
    }
    if (this.#get(XS_RING.CONNECTION) === CONNECTION.RECONNECT) {
      this.#disconnect("connected");
      this.#reset();
      return this.#parts.notify();
    }
    if (this.#state === "connected") this.#exchange();
  }

  #exchange(): void {
    this.#noticeReset();
    if (!this.#indicesAreSane()) return this.#fail(XS_RING_ERROR.RING_INDEX, "ring index");
    const { REQ_CONS, RSP_PROD } = XS_RING;
    const consumed = this.#get(REQ_CONS);
    const produced = this.#get(RSP_PROD);
    this.#send();
    if (this.#mayReceive()) this.#receive();
    this.#send();
    if (this.#get(REQ_CONS) !== consumed || this.#get(RSP_PROD) !== produced) this.#parts.notify();
  }

  #mayReceive(): boolean {
    return this.#state === "connected" && this.#output.bytes <= REPLY_BACKLOG_BYTES;
  }

  /** Firmware without reconnection zeroes the indices; what was under way is void. */
  #noticeReset(): void {
    if (this.#get(XS_RING.REQ_CONS) !== this.#reqCons) this.#inputLength = 0;
    if (this.#get(XS_RING.RSP_PROD) !== this.#rspProd) this.#output.clear();
  }

  #indicesAreSane(): boolean {
    return this.#used(XS_RING.REQ_PROD, XS_RING.REQ_CONS) <= XS_RING_BYTES &&
      this.#used(XS_RING.RSP_PROD, XS_RING.RSP_CONS) <= XS_RING_BYTES;
  }

  // ---- requests ----------------------------------------------------------------------------

  /** Takes what there is of the next request, not more, and serves it when it is whole. */
  #receive(): void {
    if (!this.#take(XS_HEADER_BYTES)) return;
    const header = decodeHeader(this.#inputView);
    if (header.length > XS_PAYLOAD_MAX) {
      return this.#fail(XS_RING_ERROR.PROTOCOL, `payload of ${header.length} bytes`);
    }
    const end = XS_HEADER_BYTES + header.length;
    if (!this.#take(end)) return;
    this.#inputLength = 0;
    this.#reply(header, byteString(this.#input.subarray(XS_HEADER_BYTES, end)));
  }

  #take(length: number): boolean {
    const cons = this.#get(XS_RING.REQ_CONS);
    const available = this.#used(XS_RING.REQ_PROD, XS_RING.REQ_CONS);
    const count = Math.min(available, Math.max(0, length - this.#inputLength));
    for (let i = 0; i < count; i++) {
      const offset = XS_RING.REQ + (cons + i) % XS_RING_BYTES;
      this.#input[this.#inputLength++] = this.#view.getUint8(offset);
    }
    this.#reqCons = (cons + count) >>> 0;
    this.#set(XS_RING.REQ_CONS, this.#reqCons);
    return this.#inputLength >= length;
  }

  #reply(header: XsHeader, payload: string): void {
    this.#parts.observer?.("IN", header.type, payload);
    const reply = serveRequest(this.#client, header, payload);
    const { reqId, txId } = header;
    this.#output.add({ type: reply.type, reqId, txId }, reply.payload);
    if (reply.event !== undefined) this.#queueEvent(reply.event);
  }

  // ---- responses and events ----------------------------------------------------------------

  #event(path: string, token: string): void {
    this.#queueEvent(watchEvent(path, token));
    this.#schedule();
  }

  #queueEvent(payload: string): void {
    if (this.#output.addEvent(payload)) return;
    this.#parts.errors.guestError("xenstore", "watch event dropped: responses are not read");
  }

  /** Moves output into the ring as far as there is space. */
  #send(): void {
    if (this.#state !== "connected") return;
    const prod = this.#get(XS_RING.RSP_PROD);
    const space = XS_RING_BYTES - this.#used(XS_RING.RSP_PROD, XS_RING.RSP_CONS);
    const count = this.#output.take(space, (byte, i) => {
      this.#view.setUint8(XS_RING.RSP + (prod + i) % XS_RING_BYTES, byte);
    });
    this.#rspProd = (prod + count) >>> 0;
    this.#set(XS_RING.RSP_PROD, this.#rspProd);
  }

  // ---- connection --------------------------------------------------------------------------

  #lose(text: string): void {
    if (this.#state !== "connected") return;
    this.#parts.errors.guestError("xenstore", `connection closed: ${text}`);
    this.#disconnect("failed");
  }

  #fail(error: number, text: string): void {
    this.#lose(text);
    this.#set(XS_RING.ERROR, error);
    this.#parts.notify();
  }

  #disconnect(state: "connected" | "failed" | "closed"): void {
    this.#state = state;
    this.#client.reset();
    this.#inputLength = 0;
    this.#output.clear();
  }

  #reset(): void {
    const { REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, ERROR } = XS_RING;
    for (const field of [REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, ERROR]) this.#set(field, 0);
    this.#reqCons = 0;
    this.#rspProd = 0;
    this.#set(XS_RING.CONNECTION, CONNECTION.CONNECTED);
  }

  // ---- the page ----------------------------------------------------------------------------

  #used(prod: number, cons: number): number {
    return (this.#get(prod) - this.#get(cons)) >>> 0;
  }

  #get(field: number): number {
    return this.#view.getUint32(field, true);
  }

  #set(field: number, value: number): void {
    this.#view.setUint32(field, value, true);
  }
}
