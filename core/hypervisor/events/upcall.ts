/**
 * How the vCPU is told that events are pending: by a level that its VM entries look at, or by a
 * vector of its own through the local APIC.
 * Source: vcpu_mark_events_pending of xen/include/asm-x86/event.h; hvm_assert_evtchn_irq of
 * xen/arch/x86/hvm/irq.c.
 * @module
 */

import type { CallbackVia } from "./callback_via.ts";
import type { SharedInfo } from "../shared_info.ts";

/** evtchn_upcall_pending of vCPU 0, and what becomes of it. */
export class Upcall {
  readonly #shared: SharedInfo;
  readonly #interrupt: ((vector: number) => void) | undefined;
  readonly #callback: CallbackVia;
  #vector: number | undefined;

  /** @param interrupt requests a vector of the local APIC, edge-triggered; absent: none can be had */
  constructor(shared: SharedInfo, callback: CallbackVia, interrupt?: (vector: number) => void) {
    this.#shared = shared;
    this.#callback = callback;
    this.#interrupt = interrupt;
  }

  /** There are vectors to be had. */
  get canInterrupt(): boolean {
    return this.#interrupt !== undefined;
  }

  /** The vCPU's own vector; `undefined`: the domain's callback tells it. */
  get vector(): number | undefined {
    return this.#vector;
  }

  /** HVMOP_set_evtchn_upcall_vector. What is pending by then is told again. */
  setVector(vector: number): void {
    this.#vector = vector;
    this.#interrupt?.(vector);
  }

  /**
   * HVM_PARAM_CALLBACK_IRQ. A vector of the vCPU's own goes before any callback: Linux sets 1 beside
   * it, for older hosts.
   */
  setCallback(value: bigint): void {
    if (this.#vector === undefined) this.#callback.set(value);
  }

  /** Sets evtchn_upcall_pending; while the guest leaves it set, nothing more is told. */
  markPending(): void {
    if (this.#shared.upcallPending) return;
    this.#shared.setUpcallPending();
    if (this.#vector === undefined) this.#callback.settle();
    else this.#interrupt?.(this.#vector);
  }
}
