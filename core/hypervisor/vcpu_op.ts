/**
 * The vCPU's timers and places in memory: hypercalls vcpu_op (EBX = command, ECX = vCPU, EDX =
 * pointer) and set_timer_op (ECX:EBX = absolute time).
 * Source: Xen public header vcpu.h, i386 layout. Times are nanoseconds since power-on.
 * @module
 */

import type { Clock, Ns, Timer } from "../types.ts";
import { ERRNO } from "./errno.ts";
import { VIRQ_TIMER } from "./events.ts";
import type { EventChannels } from "./events.ts";
import type { GuestCall } from "./guest_pointer.ts";
import type { SharedInfo } from "./shared_info.ts";
import type { Upcall } from "./upcall.ts";

/** Numbers of the operations. */
export const VCPUOP = {
  UP: 1,
  IS_UP: 3,
  GET_RUNSTATE_INFO: 4,
  REGISTER_RUNSTATE_MEMORY_AREA: 5,
  SET_PERIODIC_TIMER: 6,
  STOP_PERIODIC_TIMER: 7,
  SET_SINGLESHOT_TIMER: 8,
  STOP_SINGLESHOT_TIMER: 9,
  REGISTER_VCPU_INFO: 10,
} as const;

/** Offsets of vcpu_set_singleshot_timer. */
export const VCPU_SET_SINGLESHOT_TIMER = { TIMEOUT_ABS_NS: 0, FLAGS: 8, SIZE: 12 } as const;

/** Flag of a singleshot timer: fail with -ETIME if the time is past. */
const VCPU_SSHOTTMR_FUTURE = 1;

/** Offsets of vcpu_register_vcpu_info. */
export const VCPU_REGISTER_VCPU_INFO = { MFN: 0, OFFSET: 8, SIZE: 16 } as const;

/** Offsets of vcpu_runstate_info; time[0] is the time running. */
export const VCPU_RUNSTATE_INFO = { STATE: 0, STATE_ENTRY_TIME: 4, TIME: 12, SIZE: 44 } as const;

/**
 * Xen refuses periods below a millisecond; so do we above two weeks, to keep times whole numbers.
 */
const SHORTEST_PERIOD: Ns = 1_000_000;
const LONGEST_PERIOD: Ns = 2 ** 50;

/** What vcpu_op works on. */
export interface VcpuOpTargets {
  readonly clock: Clock;
  readonly events: EventChannels;
  readonly shared: SharedInfo;
  readonly upcall: Upcall;
}

/** The operations of vCPU 0, the only one. */
export class VcpuOps {
  readonly #clock: Clock;
  readonly #events: EventChannels;
  readonly #shared: SharedInfo;
  readonly #upcall: Upcall;
  readonly #singleshot: Timer;
  readonly #periodic: Timer;
  #period: Ns = 0;
  #nextTick: Ns = 0;

  constructor({ clock, events, shared, upcall }: VcpuOpTargets) {
    this.#clock = clock;
    this.#events = events;
    this.#shared = shared;
    this.#upcall = upcall;
    this.#singleshot = clock.timer("xen singleshot", () => events.raiseVirq(VIRQ_TIMER));
    this.#periodic = clock.timer("xen periodic", () => this.#tick());
  }

  /** Serves one vcpu_op. Down, NMI, physical areas and the like answer -ENOSYS. */
  vcpuOp(call: GuestCall): number {
    if (call.second !== 0) return -ERRNO.ENOENT;
    switch (call.first) {
      case VCPUOP.UP:
        return 0;
      case VCPUOP.IS_UP:
        return 1;
      case VCPUOP.GET_RUNSTATE_INFO:
        return this.#getRunstate(call);
      case VCPUOP.REGISTER_RUNSTATE_MEMORY_AREA:
        // The one vCPU always runs: an area that is never written tells that no time was stolen.
        return call.load(call.third, 8) ? 0 : -ERRNO.EFAULT;
      case VCPUOP.SET_PERIODIC_TIMER:
        return this.#setPeriodic(call);
      case VCPUOP.STOP_PERIODIC_TIMER:
        this.#periodic.cancel();
        return 0;
      case VCPUOP.SET_SINGLESHOT_TIMER:
        return this.#setSingleshot(call);
      case VCPUOP.STOP_SINGLESHOT_TIMER:
        this.#singleshot.cancel();
        return 0;
      case VCPUOP.REGISTER_VCPU_INFO:
        return this.#registerVcpuInfo(call);
      default:
        return -ERRNO.ENOSYS;
    }
  }

  /** Serves one set_timer_op: the singleshot timer by another name; 0 stops it. */
  setTimerOp(call: GuestCall): number {
    const deadline = deadlineOf(call.first, call.second);
    if (deadline === 0) this.#singleshot.cancel();
    else this.#arm(deadline);
    return 0;
  }

  #setSingleshot(call: GuestCall): number {
    const { fields } = call;
    if (!call.load(call.third, VCPU_SET_SINGLESHOT_TIMER.SIZE)) return -ERRNO.EFAULT;
    const low = fields.getUint32(VCPU_SET_SINGLESHOT_TIMER.TIMEOUT_ABS_NS, true);
    const deadline = deadlineOf(
      low,
      fields.getUint32(VCPU_SET_SINGLESHOT_TIMER.TIMEOUT_ABS_NS + 4, true),
    );
    const flags = fields.getUint32(VCPU_SET_SINGLESHOT_TIMER.FLAGS, true);
    if ((flags & VCPU_SSHOTTMR_FUTURE) !== 0 && deadline < this.#clock.now) return -ERRNO.ETIME;
    this.#arm(deadline);
    return 0;
  }

  /** A time that is past raises the event at once: Linux relies on it. */
  #arm(deadline: Ns): void {
    this.#singleshot.cancel();
    if (deadline <= this.#clock.now) this.#events.raiseVirq(VIRQ_TIMER);
    else if (deadline <= Number.MAX_SAFE_INTEGER) this.#singleshot.armAt(deadline);
  }

  #setPeriodic(call: GuestCall): number {
    if (!call.load(call.third, 8)) return -ERRNO.EFAULT;
    const period = call.fields.getUint32(0, true) + call.fields.getUint32(4, true) * 2 ** 32;
    if (period < SHORTEST_PERIOD || period > LONGEST_PERIOD) return -ERRNO.EINVAL;
    this.#period = period;
    this.#nextTick = this.#clock.now + period;
    this.#periodic.armAt(this.#nextTick);
    return 0;
  }

  #tick(): void {
    this.#nextTick += this.#period;
    this.#periodic.armAt(this.#nextTick);
    this.#events.raiseVirq(VIRQ_TIMER);
  }

  #getRunstate(call: GuestCall): number {
    call.bytes.fill(0, 0, VCPU_RUNSTATE_INFO.SIZE);
    call.fields.setBigUint64(VCPU_RUNSTATE_INFO.TIME, BigInt(this.#clock.now), true);
    return call.store(call.third, VCPU_RUNSTATE_INFO.SIZE) ? 0 : -ERRNO.EFAULT;
  }

  #registerVcpuInfo(call: GuestCall): number {
    const { fields } = call;
    if (!call.load(call.third, VCPU_REGISTER_VCPU_INFO.SIZE)) return -ERRNO.EFAULT;
    if (fields.getUint32(VCPU_REGISTER_VCPU_INFO.MFN + 4, true) !== 0) return -ERRNO.EINVAL;
    const result = this.#shared.moveVcpuInfo(
      fields.getUint32(VCPU_REGISTER_VCPU_INFO.MFN, true),
      fields.getUint32(VCPU_REGISTER_VCPU_INFO.OFFSET, true),
    );
    if (result === 0) this.#upcall.markPending();
    return result;
  }
}

/** A signed 64-bit absolute time: negative is past, beyond 2^53 - 1 never comes. */
export function deadlineOf(low: number, high: number): Ns {
  const deadline = (high | 0) * 2 ** 32 + low;
  return deadline > Number.MAX_SAFE_INTEGER ? Infinity : deadline;
}
