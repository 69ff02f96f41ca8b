/**
 * HVM parameters: 64-bit values by which toolstack, hypervisor and guest tell each other where
 * things are.
 * Source: Xen public header hvm/params.h; permissions of xen/arch/x86/hvm/hvm.c.
 * @module
 */

import { ERRNO } from "./errno.ts";

/** Indices of the parameters that this machine gives a meaning. */
export const HVM_PARAM = {
  CALLBACK_IRQ: 0,
  STORE_PFN: 1,
  STORE_EVTCHN: 2,
  CONSOLE_PFN: 17,
  CONSOLE_EVTCHN: 18,
} as const;

/** Number of parameters (HVM_NR_PARAMS). */
export const HVM_PARAM_COUNT = 39;

/** Indices a guest may set; it may also get them. */
const GUEST_MAY_SET: ReadonlySet<number> = new Set([0, 2, 15, 18, 19, 34, 36, 37]);

/** Indices a guest may get but not set. */
const GUEST_MAY_GET: ReadonlySet<number> = new Set([1, 17, 35]);

/** The parameters of one domain. What was never set reads 0. */
export class HvmParams {
  readonly #values: BigUint64Array = new BigUint64Array(HVM_PARAM_COUNT);
  readonly #onCallback: (value: bigint) => void;

  /** @param onCallback the guest has set CALLBACK_IRQ */
  constructor(onCallback: (value: bigint) => void = () => {}) {
    this.#onCallback = onCallback;
  }

  /** Reads a parameter, as the toolstack may. */
  get(index: number): bigint {
    return this.#values[index] ?? 0n;
  }

  /** Writes a parameter, as the toolstack may. */
  set(index: number, value: bigint): void {
    this.#values[index] = value;
  }

  /**
   * May the guest read it? 0, -EINVAL for an unknown index, -EPERM for one that is not for guests.
   */
  checkGet(index: number): number {
    if (index >= HVM_PARAM_COUNT) return -ERRNO.EINVAL;
    return GUEST_MAY_GET.has(index) || GUEST_MAY_SET.has(index) ? 0 : -ERRNO.EPERM;
  }

  /** Writes a parameter for the guest. */
  setByGuest(index: number, value: bigint): number {
    if (index >= HVM_PARAM_COUNT) return -ERRNO.EINVAL;
    if (!GUEST_MAY_SET.has(index)) return -ERRNO.EPERM;
    this.#values[index] = value;
    if (index === HVM_PARAM.CALLBACK_IRQ) this.#onCallback(value);
    return 0;
  }
}
