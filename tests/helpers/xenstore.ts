/**
 * A guest kernel's side of the xenstore ring, and fakes of what the server needs.
 * @module
 */

import type { Dom0, Dom0Cost, GuestErrors, Ns } from "../../core/types.ts";
import { buildDomain } from "../../core/hypervisor/toolstack/toolstack.ts";
import { XenStore } from "../../core/hypervisor/xenstore/xenstore.ts";
import { XenStoreRing } from "../../core/hypervisor/xenstore/ring.ts";
import type { StoreObserver } from "../../core/hypervisor/xenstore/trace.ts";

/** dom0 that works when told to, in order, and counts what it spent. */
export class FakeDom0 implements Dom0 {
  spent: Ns = 0;
  readonly #tasks: { ns: Ns; then: () => void }[] = [];

  charge(_cost: Dom0Cost, ns: Ns): void {
    this.spent += ns;
  }

  post(_cost: Dom0Cost, ns: Ns, then: () => void): void {
    this.#tasks.push({ ns, then });
  }

  get pending(): number {
    return this.#tasks.length;
  }

  /** Runs the next task, if there is one. */
  step(): boolean {
    const task = this.#tasks.shift();
    if (task === undefined) return false;
    this.spent += task.ns;
    task.then();
    return true;
  }
}

/** Collects guest errors. */
export class GuestErrorLog implements GuestErrors {
  readonly texts: string[] = [];
  guestError(source: string, text: string): void {
    this.texts.push(`${source}: ${text}`);
  }
}

/** A message as the guest reads it. Payload: one character a byte. */
export interface Message {
  type: number;
  reqId: number;
  txId: number;
  payload: string;
}

/** Request and reply types by name. */
export const TYPE = {
  CONTROL: 0,
  DIRECTORY: 1,
  READ: 2,
  GET_PERMS: 3,
  WATCH: 4,
  UNWATCH: 5,
  TRANSACTION_START: 6,
  TRANSACTION_END: 7,
  INTRODUCE: 8,
  RELEASE: 9,
  GET_DOMAIN_PATH: 10,
  WRITE: 11,
  MKDIR: 12,
  RM: 13,
  SET_PERMS: 14,
  WATCH_EVENT: 15,
  ERROR: 16,
  IS_DOMAIN_INTRODUCED: 17,
  RESUME: 18,
  SET_TARGET: 19,
  RESTRICT: 20,
  RESET_WATCHES: 21,
  DIRECTORY_PART: 22,
} as const;

const REQ_CONS = 2048;
const REQ_PROD = 2052;
const RSP_CONS = 2056;
const RSP_PROD = 2060;

/** A store with domain 1 as xl builds it, without devices. */
export function storeOfDomain(): XenStore {
  const store = new XenStore();
  buildDomain(store.client(), {
    domid: 1,
    name: "g1",
    uuid: "00000000-0000-0000-0000-000000000001",
    memoryKiB: 262144,
    store: { gfn: 0xfeffc, evtchnPort: 1 },
    console: { gfn: 0xfefff, evtchnPort: 2 },
  });
  return store;
}

/** The driver in the guest: one byte stream each way through the shared page. */
export class GuestDriver {
  readonly store: XenStore;
  readonly dom0: FakeDom0 = new FakeDom0();
  readonly errors: GuestErrorLog = new GuestErrorLog();
  readonly page: Uint8Array = new Uint8Array(4096);
  /** The page is in the guest's memory. */
  mapped = true;
  readonly view: DataView = new DataView(this.page.buffer);
  readonly ring: XenStoreRing;
  /** Events the server has raised. */
  notified = 0;
  #input: number[] = [];
  #reqId = 100;

  constructor(store: XenStore = new XenStore(), domid: number = 1, observer?: StoreObserver) {
    this.store = store;
    this.page.fill(0xff);
    this.ring = new XenStoreRing({
      store,
      domid,
      page: () => this.mapped ? this.page : undefined,
      notify: () => this.notified++,
      dom0: this.dom0,
      costNs: 1000,
      errors: this.errors,
      observer,
    });
  }

  field(offset: number): number {
    return this.view.getUint32(offset, true);
  }

  setField(offset: number, value: number): void {
    this.view.setUint32(offset, value, true);
  }

  /** Lets the server work until it waits for the guest. */
  settle(): void {
    while (this.dom0.step());
  }

  /** Puts as many bytes into the request ring as fit; returns how many. */
  push(bytes: Uint8Array): number {
    const prod = this.field(REQ_PROD);
    const space = 1024 - ((prod - this.field(REQ_CONS)) >>> 0);
    const count = Math.min(space, bytes.length);
    for (let i = 0; i < count; i++) this.page[(prod + i) % 1024] = bytes[i] as number;
    this.setField(REQ_PROD, (prod + count) >>> 0);
    return count;
  }

  /** Takes everything out of the response ring; returns how many bytes. */
  pull(): number {
    const cons = this.field(RSP_CONS);
    const count = (this.field(RSP_PROD) - cons) >>> 0;
    for (let i = 0; i < count; i++) this.#input.push(this.page[1024 + (cons + i) % 1024] as number);
    this.setField(RSP_CONS, (cons + count) >>> 0);
    return count;
  }

  /** Exchanges bytes until all of `bytes` is sent and the server has nothing more to say. */
  pump(bytes: Uint8Array): void {
    let rest = bytes;
    for (let moved = true; moved;) {
      const pushed = this.push(rest);
      rest = rest.subarray(pushed);
      this.ring.onEvent();
      this.settle();
      moved = this.pull() > 0 || (pushed > 0 && rest.length > 0);
    }
  }

  /** The whole messages that have arrived so far. */
  messages(): Message[] {
    const messages: Message[] = [];
    for (;;) {
      const head = new DataView(Uint8Array.from(this.#input.slice(0, 16)).buffer);
      if (head.byteLength < 16) return messages;
      const end = 16 + head.getUint32(12, true);
      if (this.#input.length < end) return messages;
      messages.push({
        type: head.getUint32(0, true),
        reqId: head.getUint32(4, true),
        txId: head.getUint32(8, true),
        payload: String.fromCharCode(...this.#input.slice(16, end)),
      });
      this.#input = this.#input.slice(end);
    }
  }

  /** Sends one request; returns everything that came back, in order. */
  exchange(type: number, payload: string, txId: number = 0): Message[] {
    this.pump(encode(type, ++this.#reqId, txId, payload));
    return this.messages();
  }

  /**
   * Sends one request. The answer is the reply's payload, `ERROR name` for a refusal, with
   * ` W path token` for every event before it, or after it, in order.
   */
  ask(type: number, payload: string, txId: number = 0): string {
    return this.exchange(type, payload, txId).map((message) => this.#text(message)).join(" ");
  }

  #text({ type, reqId, payload }: Message): string {
    const text = payload.replaceAll("\0", "|");
    if (type === TYPE.WATCH_EVENT) return `W(${text})`;
    if (reqId !== this.#reqId) return `stray reply ${reqId}`;
    return type === TYPE.ERROR ? text.replace("|", "") : `<${text}>`;
  }
}

/** A message as it travels. `length` may lie. */
export function encode(
  type: number,
  reqId: number,
  txId: number,
  payload: string,
  length: number = payload.length,
): Uint8Array {
  const bytes = new Uint8Array(16 + payload.length);
  new Uint32Array(bytes.buffer, 0, 4).set([type, reqId, txId, length]);
  for (let i = 0; i < payload.length; i++) bytes[16 + i] = payload.charCodeAt(i);
  return bytes;
}
