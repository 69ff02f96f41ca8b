/**
 * The local vector table of an APIC: what its timer, its errors and its two interrupt inputs do to
 * the processor.
 * Source: Intel SDM vol. 3, §10.5.1.
 * @module
 */

import type { InterruptLine } from "../core/types.ts";
import { DELIVERY, deliveryOf, MESSAGE } from "./apic_message.ts";

/** Local vectors, in the order of their registers. */
export const LVT = {
  TIMER: 0,
  THERMAL: 1,
  PERFORMANCE: 2,
  LINT0: 3,
  LINT1: 4,
  ERROR: 5,
} as const;

/** The timer starts again by itself. */
export const LVT_PERIODIC = 0x20000;

const REMOTE_IRR = 0x4000;

/** Bits a guest may write, by {@link LVT}: vector, mode, polarity, trigger, mask, periodic. */
const WRITABLE: readonly number[] = [0x300ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff];

/** Takes what an unmasked local source has to tell: its vector's register. */
export type LocalDelivery = (entry: number, level: boolean) => void;

/** The table, and LINT0 and LINT1 with it. */
export class LocalVectors {
  /** LINT0 and LINT1. */
  readonly inputs: readonly [InterruptLine, InterruptLine];
  readonly #deliver: LocalDelivery;
  readonly #entries = new Uint32Array(WRITABLE.length).fill(MESSAGE.MASKED);
  /** Levels of LINT0 and LINT1. */
  readonly #asserted: [boolean, boolean] = [false, false];
  /** The APIC is switched off by software: all are masked. */
  #off = true;
  #passesExternal = false;

  constructor(deliver: LocalDelivery) {
    this.#deliver = deliver;
    this.inputs = [this.#input(0), this.#input(1)];
  }

  /** LINT0 leaves it to the 8259 pair to interrupt the processor. */
  get passesExternal(): boolean {
    return this.#passesExternal;
  }

  /** Masks all for as long as it is true; guests must unmask them again afterwards. */
  set off(off: boolean) {
    this.#off = off;
    if (off) this.#entries.forEach((entry, index) => this.#set(index, entry));
  }

  /** One register. */
  read(index: number): number {
    return this.#entries[index]!;
  }

  /** Writes one register; a level that is there at an input is a request at once. */
  write(index: number, value: number): void {
    this.#set(index, value & WRITABLE[index]! | this.#entries[index]! & REMOTE_IRR);
    const pin = index - LVT.LINT0;
    if (pin !== 0 && pin !== 1) return;
    if (this.#asserted[pin] && isLevel(this.#entries[index]!)) this.#signal(pin);
  }

  /** A local source has something to tell. */
  raise(index: number): void {
    const entry = this.#entries[index]!;
    if ((entry & MESSAGE.MASKED) === 0) this.#deliver(entry, isLevel(entry));
  }

  /** A level-triggered vector has ended: a level that is still there is a new request. */
  end(vector: number): void {
    for (const pin of [0, 1] as const) {
      const entry = this.#entries[LVT.LINT0 + pin]!;
      if ((entry & REMOTE_IRR) === 0 || (entry & MESSAGE.VECTOR) !== vector) continue;
      this.#entries[LVT.LINT0 + pin] = entry & ~REMOTE_IRR;
      if (this.#asserted[pin]) this.#signal(pin);
    }
  }

  /** As after power-on. */
  reset(): void {
    this.#entries.fill(0);
    this.off = true;
  }

  /** An edge-triggered input waits for no end of interrupt any more. */
  #set(index: number, value: number): void {
    const entry = this.#off ? value | MESSAGE.MASKED : value;
    this.#entries[index] = isLevel(entry) ? entry : entry & ~REMOTE_IRR;
    const lint0 = this.#entries[LVT.LINT0]!;
    this.#passesExternal = (lint0 & MESSAGE.MASKED) === 0 &&
      deliveryOf(lint0) === DELIVERY.EXT_INT;
  }

  #input(pin: 0 | 1): InterruptLine {
    return {
      set: (asserted) => {
        if (asserted === this.#asserted[pin]) return;
        this.#asserted[pin] = asserted;
        if (asserted) this.#signal(pin);
      },
    };
  }

  #signal(pin: 0 | 1): void {
    const index = LVT.LINT0 + pin;
    const entry = this.#entries[index]!;
    if ((entry & (MESSAGE.MASKED | REMOTE_IRR)) !== 0) return;
    if (isLevel(entry)) this.#entries[index] = entry | REMOTE_IRR;
    this.raise(index);
  }
}

/** Only fixed interrupts can be level-triggered. */
function isLevel(entry: number): boolean {
  return (entry & MESSAGE.LEVEL) !== 0 && deliveryOf(entry) === DELIVERY.FIXED;
}
