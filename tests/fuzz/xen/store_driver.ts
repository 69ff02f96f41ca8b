/**
 * The guest's end of the xenstore ring: messages wait for room, answers are read and forgotten.
 * @module
 */

import { encode, TYPE } from "../../helpers/xenstore.ts";
import { STORE_GFN } from "./layout.ts";
import type { World } from "./world.ts";

const RING_BYTES = 1024;
const [REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, CONNECTION, ERROR] = [
  ...[2048, 2052, 2056, 2060, 2068, 2072],
] as const;

/** xenstore as a driver in the guest uses it. */
export class StoreDriver {
  readonly #world: World;
  readonly #port: number;
  readonly #page: Uint8Array;
  readonly #view: DataView;
  #outbox: Uint8Array[] = [];
  #sent = 0;
  #reqId = 0;

  /** @param port the guest's end of the store's event channel */
  constructor(world: World, port: number) {
    this.#world = world;
    this.#port = port;
    this.#page = world.memory.page(STORE_GFN)!;
    this.#view = new DataView(this.#page.buffer, this.#page.byteOffset, this.#page.length);
  }

  /** xenstored has closed the connection. */
  get failed(): boolean {
    return this.#view.getUint32(ERROR, true) !== 0;
  }

  /** Sends a message when there is room. @param length of the payload; may lie */
  send(type: number, payload: string, txId: number = 0, length: number = payload.length): void {
    this.#outbox.push(encode(type, ++this.#reqId, txId, payload, length));
  }

  /** Sends a WRITE of a key below the domain's home. */
  write(path: string, value: number | string): void {
    this.send(TYPE.WRITE, `${path}\0${value}`);
  }

  /** Puts on the ring what fits, takes all answers off it. */
  pump(): void {
    this.#set(RSP_CONS, this.#get(RSP_PROD));
    const cons = this.#get(REQ_CONS);
    let prod = this.#get(REQ_PROD);
    for (let message = this.#outbox[0]; message !== undefined; message = this.#outbox[0]) {
      while (this.#sent < message.length && (prod - cons) >>> 0 < RING_BYTES) {
        this.#page[prod % RING_BYTES] = message[this.#sent++]!;
        prod = (prod + 1) >>> 0;
      }
      if (this.#sent < message.length) break;
      this.#outbox.shift();
      this.#sent = 0;
    }
    this.#set(REQ_PROD, prod);
    this.#world.send(this.#port);
  }

  /** Writes anything anywhere into the page, but for the server's words. */
  scribble(offset: number, value: number): void {
    this.#view.setUint32(offset & 0xffc, value, true);
  }

  /** Asks for a new connection; what was under way is void. */
  reconnect(): void {
    this.#outbox = [];
    this.#sent = 0;
    this.#set(CONNECTION, 1);
    this.#world.send(this.#port);
  }

  /** Sends all that waits. @returns false if xenstored does not take it */
  flush(): boolean {
    for (let turn = 0; turn < 1000; turn++) {
      this.pump();
      this.#world.pass(1_000_000);
      if (this.#outbox.length === 0 && this.#get(REQ_PROD) === this.#get(REQ_CONS)) return true;
      if (this.failed) return false;
    }
    return false;
  }

  #get(field: number): number {
    return this.#view.getUint32(field, true);
  }

  #set(field: number, value: number): void {
    this.#view.setUint32(field, value, true);
  }
}
