/**
 * The vcpu_op hypercall: EBX = command, ECX = vCPU, EDX = pointer.
 * Source: Xen public header vcpu.h, i386 layout; results of do_vcpu_op() in xen/common/domain.c.
 * @module
 */

import { readU64 } from "../../bits.ts";
import { ERRNO } from "./errno.ts";
import type { GuestCall } from "./guest_pointer.ts";
import { VCPU_TIME, writeVcpuTime } from "../pvclock.ts";
import type { Runstate } from "../runstate.ts";
import { VCPU_RUNSTATE_INFO } from "../runstate.ts";
import type { SharedInfo } from "../shared_info.ts";
import type { Upcall } from "../events/upcall.ts";
import type { VcpuTimers } from "../vcpu_timers.ts";

/** Numbers of the operations. */
export const VCPUOP = {
  UP: 1,
  DOWN: 2,
  IS_UP: 3,
  GET_RUNSTATE_INFO: 4,
  REGISTER_RUNSTATE_MEMORY_AREA: 5,
  SET_PERIODIC_TIMER: 6,
  STOP_PERIODIC_TIMER: 7,
  SET_SINGLESHOT_TIMER: 8,
  STOP_SINGLESHOT_TIMER: 9,
  REGISTER_VCPU_INFO: 10,
  SEND_NMI: 11,
  GET_PHYSID: 12,
  REGISTER_VCPU_TIME_MEMORY_AREA: 13,
} as const;

/** Offsets of vcpu_register_vcpu_info. */
export const VCPU_REGISTER_VCPU_INFO = { MFN: 0, OFFSET: 8, SIZE: 16 } as const;

/**
 * Bytes of vcpu_register_runstate_memory_area and of vcpu_register_time_memory_area: a union of
 * pointer and 64-bit number, of which i386 guests fill the low half.
 */
export const VCPU_REGISTER_AREA_SIZE = 8;

/** What vcpu_op works on: all of vCPU 0, the only one. */
export interface VcpuOpTargets {
  readonly shared: SharedInfo;
  readonly upcall: Upcall;
  readonly timers: VcpuTimers;
  readonly runstate: Runstate;
  /** The vCPU takes an NMI. */
  readonly onNmi: () => void;
  /** The last vCPU has gone down. */
  readonly onDown: () => void;
}

/** Serves one vcpu_op. Initialise and the areas by physical address answer -ENOSYS. */
export function vcpuOp(targets: VcpuOpTargets, call: GuestCall): number {
  const { timers } = targets;
  if (call.second !== 0) return -ERRNO.ENOENT;
  switch (call.first) {
    case VCPUOP.UP:
      return 0;
    case VCPUOP.DOWN:
      targets.onDown();
      return 0;
    case VCPUOP.IS_UP:
      return 1;
    case VCPUOP.GET_RUNSTATE_INFO:
      targets.runstate.write(call.fields);
      return call.store(call.third, VCPU_RUNSTATE_INFO.SIZE) ? 0 : -ERRNO.EFAULT;
    case VCPUOP.REGISTER_RUNSTATE_MEMORY_AREA:
      return registerRunstateArea(targets, call);
    case VCPUOP.SET_PERIODIC_TIMER:
      return timers.setPeriodic(call);
    case VCPUOP.STOP_PERIODIC_TIMER:
      return timers.stopPeriodic();
    case VCPUOP.SET_SINGLESHOT_TIMER:
      return timers.setSingleshot(call);
    case VCPUOP.STOP_SINGLESHOT_TIMER:
      return timers.stopSingleshot();
    case VCPUOP.REGISTER_VCPU_INFO:
      return registerVcpuInfo(targets, call);
    case VCPUOP.SEND_NMI:
      return sendNmi(targets, call);
    case VCPUOP.GET_PHYSID:
      return -ERRNO.EINVAL; // for vCPUs of dom0 that are pinned
    case VCPUOP.REGISTER_VCPU_TIME_MEMORY_AREA:
      return registerTimeArea(targets, call);
    default:
      return -ERRNO.ENOSYS;
  }
}

function registerRunstateArea({ runstate }: VcpuOpTargets, call: GuestCall): number {
  if (!call.load(call.third, VCPU_REGISTER_AREA_SIZE)) return -ERRNO.EFAULT;
  runstate.register(call.fields.getUint32(0, true), call.vcpu);
  return 0;
}

/** The record is good for the whole run, so it is written but once. 0 takes the area away. */
function registerTimeArea({ shared }: VcpuOpTargets, call: GuestCall): number {
  if (!call.load(call.third, VCPU_REGISTER_AREA_SIZE)) return -ERRNO.EFAULT;
  const area = call.fields.getUint32(0, true);
  if (area === 0 || !call.load(area, VCPU_TIME.SIZE)) return 0;
  writeVcpuTime(call.fields, shared.scale);
  call.store(area, VCPU_TIME.SIZE);
  return 0;
}

function registerVcpuInfo({ shared, upcall }: VcpuOpTargets, call: GuestCall): number {
  const { fields } = call;
  const { MFN, OFFSET, SIZE } = VCPU_REGISTER_VCPU_INFO;
  if (!call.load(call.third, SIZE)) return -ERRNO.EFAULT;
  const result = shared.moveVcpuInfo(readU64(fields, MFN), fields.getUint32(OFFSET, true));
  if (result === 0) upcall.markPending();
  return result;
}

function sendNmi({ onNmi }: VcpuOpTargets, call: GuestCall): number {
  if (call.third !== 0) return -ERRNO.EINVAL;
  onNmi();
  return 0;
}
