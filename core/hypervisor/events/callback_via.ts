/**
 * What a guest wants to be told of events by, when its vCPU has no vector of its own:
 * HVM_PARAM_CALLBACK_IRQ. A vector is looked at when the guest is entered; a GSI or the pin of a
 * PCI device is a level that follows evtchn_upcall_pending of vCPU 0.
 * Source: Xen public header hvm/params.h; hvm_set_callback_via() and hvm_set_callback_irq_level()
 * of xen/arch/x86/hvm/irq.c.
 * @module
 */

import type { InterruptLine } from "../../types.ts";

/** Bits 63:56 of the parameter. */
const CALLBACK_TYPE = { GSI: 0, PCI_INTX: 1, VECTOR: 2 } as const;

/** What the board has for events to drive. */
export interface CallbackLines {
  /** An input of the interrupt controllers; `undefined` where there is none. */
  gsi(gsi: number): InterruptLine | undefined;
  /**
   * An interrupt pin of a PCI device.
   * @param pin 0 = INTA
   */
  intx(device: number, pin: number): InterruptLine;
}

/** The callback of one domain. */
export class CallbackVia {
  readonly #lines: CallbackLines | undefined;
  readonly #isPending: () => boolean;
  #vector: number | undefined;
  #line: InterruptLine | undefined;
  #asserted = false;

  /** @param isPending evtchn_upcall_pending of vCPU 0 */
  constructor(isPending: () => boolean, lines?: CallbackLines) {
    this.#isPending = isPending;
    this.#lines = lines;
  }

  /** Vector that an upcall injects, if it is by a vector. */
  get vector(): number | undefined {
    return this.#vector;
  }

  /** A line is asserted: {@link settle} must follow when the guest may have taken note. */
  get asserted(): boolean {
    return this.#asserted;
  }

  /**
   * Takes the parameter's value; a type that there is not means no callback. What is pending is
   * told at once.
   */
  set(value: bigint): void {
    this.#drive(false);
    this.#vector = undefined;
    this.#line = undefined;
    const type = Number(value >> 56n);
    if (type === CALLBACK_TYPE.GSI) this.#line = this.#gsi(Number(value & 0xffn));
    else if (type === CALLBACK_TYPE.VECTOR) this.#vector = Number(value & 0xffn);
    else if (type === CALLBACK_TYPE.PCI_INTX) {
      this.#line = this.#lines?.intx(Number(value >> 11n & 31n), Number(value & 3n));
    }
    this.settle();
  }

  /** Lets the line follow evtchn_upcall_pending. */
  settle(): void {
    if (this.#line !== undefined) this.#drive(this.#isPending());
  }

  #gsi(gsi: number): InterruptLine | undefined {
    return gsi === 0 ? undefined : this.#lines?.gsi(gsi);
  }

  #drive(asserted: boolean): void {
    if (asserted === this.#asserted) return;
    this.#asserted = asserted;
    this.#line?.set(asserted);
  }
}
