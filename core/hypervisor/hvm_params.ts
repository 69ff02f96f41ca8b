/**
 * HVM parameters: 64-bit values by which toolstack, hypervisor and guest tell each other where
 * things are. And the hvm_op hypercall: EBX = operation, ECX = pointer.
 * Source: Xen public headers hvm/params.h and hvm/hvm_op.h; permissions of xen/arch/x86/hvm/hvm.c.
 * @module
 */

import type { Clock } from "../types.ts";
import { checkTarget, ERRNO } from "./errno.ts";
import type { GuestCall } from "./guest_pointer.ts";

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

/** CALLBACK_IRQ bits 63:56: what kind of interrupt an event makes. */
const CALLBACK_VECTOR = 2n;

/** The parameters of one domain. What was never set reads 0. */
export class HvmParams {
  readonly #values: BigUint64Array = new BigUint64Array(HVM_PARAM_COUNT);
  #callbackVector: number | undefined;

  /** Vector that an upcall injects; `undefined` while the guest has not asked for upcalls. */
  get callbackVector(): number | undefined {
    return this.#callbackVector;
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
    if (index === HVM_PARAM.CALLBACK_IRQ && !this.#setCallback(value)) return -ERRNO.EINVAL;
    this.#values[index] = value;
    return 0;
  }

  /** Events as interrupts of a GSI or a PCI pin are not modelled: such a callback is refused. */
  #setCallback(value: bigint): boolean {
    if (value === 0n) {
      this.#callbackVector = undefined;
      return true;
    }
    if (value >> 56n !== CALLBACK_VECTOR) return false;
    this.#callbackVector = Number(value & 0xffn);
    return true;
  }
}

/** Numbers of the operations. */
export const HVMOP = {
  SET_PARAM: 0,
  GET_PARAM: 1,
  GET_TIME: 10,
} as const;

/** Offsets of xen_hvm_param. */
export const XEN_HVM_PARAM = { DOMID: 0, INDEX: 4, VALUE: 8, SIZE: 16 } as const;

/**
 * Serves one hvm_op. All other operations answer -ENOSYS: pagetable_dying so that the guest does
 * not call it at each process exit, set_evtchn_upcall_vector so that it takes the global vector.
 */
export function hvmOp(params: HvmParams, clock: Clock, domid: number, call: GuestCall): number {
  switch (call.first) {
    case HVMOP.SET_PARAM:
    case HVMOP.GET_PARAM:
      return accessParam(params, domid, call);
    case HVMOP.GET_TIME:
      call.fields.setBigUint64(0, BigInt(clock.now), true);
      return call.store(call.second, 8) ? 0 : -ERRNO.EFAULT;
    default:
      return -ERRNO.ENOSYS;
  }
}

function accessParam(params: HvmParams, domid: number, call: GuestCall): number {
  const { fields } = call;
  if (!call.load(call.second, XEN_HVM_PARAM.SIZE)) return -ERRNO.EFAULT;
  const index = fields.getUint32(XEN_HVM_PARAM.INDEX, true);
  if (index >= HVM_PARAM_COUNT) return -ERRNO.EINVAL;
  const foreign = checkTarget(fields.getUint16(XEN_HVM_PARAM.DOMID, true), domid);
  if (foreign !== 0) return foreign;
  if (call.first === HVMOP.SET_PARAM) {
    return params.setByGuest(index, fields.getBigUint64(XEN_HVM_PARAM.VALUE, true));
  }
  const denied = params.checkGet(index);
  if (denied !== 0) return denied;
  fields.setBigUint64(XEN_HVM_PARAM.VALUE, params.get(index), true);
  return call.store(call.second + XEN_HVM_PARAM.VALUE, 8, XEN_HVM_PARAM.VALUE) ? 0 : -ERRNO.EFAULT;
}
