/**
 * System control port A, 0x92: the fast A20 gate and the fast reset of the PS/2.
 * Source: IBM PS/2 hardware interface technical reference, system control port A; the value after
 * reset as in QEMU, where A20 is on and the port reads 0.
 * @module
 */

import type { InterruptLine } from "../core/types.ts";
import { ByteDevice } from "./bus.ts";

const FAST_RESET = 0x01;
/** Bit of the port: address line 20 is let through. */
export const A20 = 0x02;

/** One port. A20 has other gates besides: who writes last decides. */
export class SystemControlPortA extends ByteDevice {
  readonly #a20: InterruptLine;
  readonly #onReset: () => void;
  #value = 0;

  /**
   * @param a20 asserted lets address line 20 through
   * @param onReset software has asked for a reset of the machine
   */
  constructor(a20: InterruptLine, onReset: () => void) {
    super(1);
    this.#a20 = a20;
    this.#onReset = onReset;
  }

  readByte(): number {
    return this.#value;
  }

  writeByte(_offset: number, value: number): void {
    const rising = value & ~this.#value;
    this.#value = value;
    this.#a20.set((value & A20) !== 0);
    if ((rising & FAST_RESET) !== 0) this.#onReset();
  }
}
