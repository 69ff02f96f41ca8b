/**
 * The exceptions that a guest takes: the last few for crash dumps, and a guest that takes them for
 * ever. Nothing is allocated.
 * @module
 */

import { hex } from "../bits.ts";
import { hasErrorCode, VECTOR } from "../cpu/fault.ts";
import { GuestPanic } from "../errors.ts";
import type { VcpuState } from "../types.ts";

/** Exceptions that are remembered: what becomes a triple fault may raise five or six. */
const RECENT = 8;

/**
 * Exceptions in a row, without an instruction between them, that make a guest a lost one. Each
 * pushes six bytes or more, so by then any 16-bit stack has been overwritten six times and more; a
 * guest that recovers has taken a handful.
 */
export const ENDLESS_EXCEPTIONS = 0x10000;

const CS = 1;
const NAMES: readonly (string | undefined)[] = Object.entries(VECTOR).reduce(
  (names: string[], [name, vector]) => {
    names[vector] = name;
    return names;
  },
  [],
);

/** Sees every exception before its delivery. */
export class ExceptionWatch {
  readonly #vectors = new Uint8Array(RECENT);
  readonly #codes = new Uint32Array(RECENT);
  readonly #selectors = new Uint16Array(RECENT);
  readonly #eips = new Uint32Array(RECENT);
  readonly #addresses = new Uint32Array(RECENT);
  #seen = 0;
  #inARow = 0;
  #lastAt = -Infinity;

  /**
   * Remembers one exception.
   * @param vcpu the state at the fault
   * @param attempted instructions that have retired or faulted since power-on
   * @throws {GuestPanic} when nothing else has happened for a long time
   */
  take(vector: number, code: number, vcpu: VcpuState, attempted: number): void {
    const slot = this.#seen++ % RECENT;
    this.#vectors[slot] = vector;
    this.#codes[slot] = code;
    this.#selectors[slot] = vcpu.selector(CS);
    this.#eips[slot] = vcpu.eip;
    this.#addresses[slot] = vcpu.cr[2]!;
    this.#inARow = attempted - this.#lastAt <= 1 ? this.#inARow + 1 : 1;
    this.#lastAt = attempted;
    if (this.#inARow < ENDLESS_EXCEPTIONS) return;
    throw new GuestPanic(`${this.#inARow} exceptions in a row and no instruction between them`);
  }

  /** The last few, oldest first: `#PF code 0002 address 00401000 at 0008:00100004`. */
  lines(): string[] {
    const count = Math.min(this.#seen, RECENT);
    return Array.from({ length: count }, (_, n) => this.#line((this.#seen - count + n) % RECENT));
  }

  #line(slot: number): string {
    const vector = this.#vectors[slot]!;
    const name = `#${NAMES[vector] ?? vector}`;
    const code = hasErrorCode(vector) ? ` code ${hex(this.#codes[slot]!, 4)}` : "";
    const address = vector === VECTOR.PF ? ` address ${hex(this.#addresses[slot]!)}` : "";
    const place = `${hex(this.#selectors[slot]!, 4)}:${hex(this.#eips[slot]!)}`;
    return `${name}${code}${address} at ${place}`;
  }
}
