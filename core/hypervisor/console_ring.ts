/**
 * The daemon's side of the page over which a guest has its console (hvc0).
 * Indices run freely; what they claim beyond a ring's size is ignored, as the daemon does.
 * Source: xen/include/public/io/console.h; xen/tools/console/daemon/io.c. Its limit of 30 events in
 * 200 ms is left out: the guest would spin for as long.
 * @module
 */

import { viewOf } from "../bits.ts";
import { DOM0_COST } from "../types.ts";
import type { Dom0, GuestErrors, Ns } from "../types.ts";

/** Bytes towards the guest, and from it, that the page holds. */
export const CONSOLE_RING_BYTES = { IN: 1024, OUT: 2048 } as const;

/** Offsets in the page (`struct xencons_interface`). */
export const CONSOLE_RING = {
  IN: 0,
  OUT: 1024,
  IN_CONS: 3072,
  IN_PROD: 3076,
  OUT_CONS: 3080,
  OUT_PROD: 3084,
} as const;

/** What the server of one guest's console works with. */
export interface ConsoleRingParts {
  /** The ring page; `undefined` when the guest has taken it out of its memory. */
  readonly page: () => Uint8Array | undefined;
  /** Called after the page has been changed: marks it written, raises the guest's port. */
  readonly notify: () => void;
  readonly dom0: Dom0;
  /** dom0's time for one wake-up of the daemon. */
  readonly costNs: Ns;
  readonly errors: GuestErrors;
  /** Takes a byte that the guest has written. */
  readonly onByte: (byte: number) => void;
}

/** xenconsoled's end of one guest's console, from the start of the domain to {@link close}. */
export class ConsoleRing {
  readonly #parts: ConsoleRingParts;
  readonly #wake: () => void = () => this.#work();
  /** Typed, and not in the ring. */
  readonly #typed: number[] = [];
  #scheduled = false;
  #closed = false;
  #told = false;
  /** To be called when there is room for input. */
  onRoom: () => void = () => {};

  constructor(parts: ConsoleRingParts) {
    this.#parts = parts;
  }

  /** One more byte would find a place in the ring. */
  get hasRoom(): boolean {
    const page = this.#view();
    return page !== undefined && this.#typed.length < freeBytes(page);
  }

  /** The guest has signalled its console port. */
  onEvent(): void {
    this.#schedule();
  }

  /** Somebody types. */
  receive(byte: number): void {
    this.#typed.push(byte);
    this.#schedule();
  }

  /** The domain is gone. What it has written and nobody read is not lost. */
  close(): void {
    const page = this.#closed ? undefined : this.#view();
    if (page !== undefined) this.#take(page);
    this.#closed = true;
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.#parts.dom0.post(DOM0_COST.console, this.#parts.costNs, this.#wake);
  }

  #work(): void {
    this.#scheduled = false;
    const page = this.#closed ? undefined : this.#view();
    if (page === undefined) return;
    const hadRoom = freeBytes(page) > 0;
    const taken = this.#take(page);
    const put = this.#put(page);
    if (taken || put) this.#parts.notify();
    if (hadRoom) this.onRoom();
  }

  /** @returns whether there was something */
  #take(page: DataView): boolean {
    const { OUT, OUT_CONS, OUT_PROD } = CONSOLE_RING;
    let cons = page.getUint32(OUT_CONS, true);
    const prod = page.getUint32(OUT_PROD, true);
    const size = (prod - cons) >>> 0;
    if (size > CONSOLE_RING_BYTES.OUT) this.#tellOnce(size);
    if (size === 0 || size > CONSOLE_RING_BYTES.OUT) return false;
    for (; cons !== prod; cons = (cons + 1) >>> 0) {
      this.#parts.onByte(page.getUint8(OUT + cons % CONSOLE_RING_BYTES.OUT));
    }
    page.setUint32(OUT_CONS, cons, true);
    return true;
  }

  /** @returns whether there was something, and room for it */
  #put(page: DataView): boolean {
    const { IN, IN_PROD } = CONSOLE_RING;
    const bytes = this.#typed.splice(0, freeBytes(page));
    if (bytes.length === 0) return false;
    let prod = page.getUint32(IN_PROD, true);
    for (const byte of bytes) {
      page.setUint8(IN + prod % CONSOLE_RING_BYTES.IN, byte);
      prod = (prod + 1) >>> 0;
    }
    page.setUint32(IN_PROD, prod, true);
    return true;
  }

  #tellOnce(size: number): void {
    if (this.#told) return;
    this.#told = true;
    this.#parts.errors.guestError("xenconsole", `output ignored: the ring claims ${size} bytes`);
  }

  #view(): DataView | undefined {
    const page = this.#parts.page();
    return page && viewOf(page);
  }
}

/** Room for input; none when the indices cannot be. */
function freeBytes(page: DataView): number {
  const { IN_CONS, IN_PROD } = CONSOLE_RING;
  const used = (page.getUint32(IN_PROD, true) - page.getUint32(IN_CONS, true)) >>> 0;
  return used > CONSOLE_RING_BYTES.IN ? 0 : CONSOLE_RING_BYTES.IN - used;
}
