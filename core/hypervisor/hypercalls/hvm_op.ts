/**
 * The hvm_op hypercall: EBX = operation, ECX = pointer.
 * Source: Xen public header hvm/hvm_op.h; results of xen/arch/x86/hvm/hvm.c.
 * @module
 */

import type { Clock } from "../../types.ts";
import { checkTarget, DOM0 } from "../domid.ts";
import { ERRNO } from "./errno.ts";
import type { GuestCall } from "./guest_pointer.ts";
import { HVM_PARAM_COUNT } from "./hvm_params.ts";
import type { HvmParams } from "./hvm_params.ts";
import type { Upcall } from "../events/upcall.ts";

/** Numbers of the operations. */
export const HVMOP = {
  SET_PARAM: 0,
  GET_PARAM: 1,
  FLUSH_TLBS: 5,
  GET_TIME: 10,
  SET_EVTCHN_UPCALL_VECTOR: 23,
} as const;

/** Offsets of xen_hvm_param. */
export const XEN_HVM_PARAM = { DOMID: 0, INDEX: 4, VALUE: 8, SIZE: 16 } as const;

/** Offsets of xen_hvm_evtchn_upcall_vector. */
export const XEN_HVM_EVTCHN_UPCALL_VECTOR = { VCPU: 0, VECTOR: 4, SIZE: 8 } as const;

/** Vectors below are exceptions. */
const FIRST_VECTOR = 16;

/** What hvm_op works on. */
export interface HvmOpTargets {
  readonly domid: number;
  readonly clock: Clock;
  readonly params: HvmParams;
  readonly upcall: Upcall;
}

/**
 * Serves one hvm_op. Operations that are not here answer -ENOSYS: pagetable_dying so that the guest
 * does not call it at each process exit, get_mem_type as there is but one type.
 */
export function hvmOp(targets: HvmOpTargets, call: GuestCall): number {
  switch (call.first) {
    case HVMOP.SET_PARAM:
    case HVMOP.GET_PARAM:
      return accessParam(targets, call);
    case HVMOP.FLUSH_TLBS:
      // The TLB of the one vCPU is the caller's own, which sees to it by itself.
      return call.second === 0 ? 0 : -ERRNO.EINVAL;
    case HVMOP.GET_TIME:
      call.fields.setBigUint64(0, BigInt(targets.clock.now), true);
      return call.store(call.second, 8) ? 0 : -ERRNO.EFAULT;
    case HVMOP.SET_EVTCHN_UPCALL_VECTOR:
      return setUpcallVector(targets, call);
    default:
      return -ERRNO.ENOSYS;
  }
}

function accessParam({ params, domid }: HvmOpTargets, call: GuestCall): number {
  const { fields } = call;
  if (!call.load(call.second, XEN_HVM_PARAM.SIZE)) return -ERRNO.EFAULT;
  const index = fields.getUint32(XEN_HVM_PARAM.INDEX, true);
  if (index >= HVM_PARAM_COUNT) return -ERRNO.EINVAL;
  const target = fields.getUint16(XEN_HVM_PARAM.DOMID, true);
  if (target === DOM0) return -ERRNO.EINVAL; // a PV domain, which has none
  const foreign = checkTarget(target, domid);
  if (foreign !== 0) return foreign;
  if (call.first === HVMOP.SET_PARAM) {
    return params.setByGuest(index, fields.getBigUint64(XEN_HVM_PARAM.VALUE, true));
  }
  const denied = params.checkGet(index);
  if (denied !== 0) return denied;
  fields.setBigUint64(XEN_HVM_PARAM.VALUE, params.get(index), true);
  return call.store(call.second + XEN_HVM_PARAM.VALUE, 8, XEN_HVM_PARAM.VALUE) ? 0 : -ERRNO.EFAULT;
}

function setUpcallVector({ upcall }: HvmOpTargets, call: GuestCall): number {
  if (!upcall.canInterrupt) return -ERRNO.ENOSYS;
  if (!call.load(call.second, XEN_HVM_EVTCHN_UPCALL_VECTOR.SIZE)) return -ERRNO.EFAULT;
  const vector = call.fields.getUint8(XEN_HVM_EVTCHN_UPCALL_VECTOR.VECTOR);
  if (vector < FIRST_VECTOR) return -ERRNO.EINVAL;
  if (call.fields.getUint32(XEN_HVM_EVTCHN_UPCALL_VECTOR.VCPU, true) !== 0) return -ERRNO.ENOENT;
  upcall.setVector(vector);
  return 0;
}
