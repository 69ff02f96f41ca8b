/**
 * The vCPU's two timers, which raise VIRQ_TIMER: one that fires once, one that ticks. And the
 * set_timer_op hypercall: ECX:EBX = absolute time.
 * Source: Xen public header vcpu.h, i386 layout. Times are nanoseconds since power-on.
 * @module
 */

import { readU64 } from "../bits.ts";
import type { Clock, Ns, Timer } from "../types.ts";
import { ERRNO } from "./hypercalls/errno.ts";
import { VIRQ_TIMER } from "./events/event_channel.ts";
import type { EventChannels } from "./events/events.ts";
import type { GuestCall } from "./hypercalls/guest_pointer.ts";

/** Offsets of vcpu_set_periodic_timer. */
export const VCPU_SET_PERIODIC_TIMER = { PERIOD_NS: 0, SIZE: 8 } as const;

/** Offsets of vcpu_set_singleshot_timer. */
export const VCPU_SET_SINGLESHOT_TIMER = { TIMEOUT_ABS_NS: 0, FLAGS: 8, SIZE: 12 } as const;

/** Flag of a singleshot timer: fail with -ETIME if the time is past. */
export const VCPU_SSHOTTMR_FUTURE = 1;

/** Xen refuses periods below a millisecond, and beyond its idea of a difference of times. */
const SHORTEST_PERIOD: Ns = 1_000_000;
const STIME_DELTA_MAX: Ns = 2 ** 62;

/** What set_timer_op does not believe: 13 days. Then it fires after the time that follows. */
const FAR_AWAY: Ns = 2 ** 50;
const MIDDLEGROUND: Ns = 100_000_000;

/** The timers of vCPU 0. */
export class VcpuTimers {
  readonly #clock: Clock;
  readonly #events: EventChannels;
  readonly #singleshot: Timer;
  readonly #periodic: Timer;
  #period: Ns = 0;
  #nextTick: Ns = 0;

  constructor(clock: Clock, events: EventChannels) {
    this.#clock = clock;
    this.#events = events;
    this.#singleshot = clock.timer("xen singleshot", () => events.raiseVirq(VIRQ_TIMER));
    this.#periodic = clock.timer("xen periodic", () => this.#tick());
  }

  /** VCPUOP_set_singleshot_timer. */
  setSingleshot(call: GuestCall): number {
    const { TIMEOUT_ABS_NS, FLAGS, SIZE } = VCPU_SET_SINGLESHOT_TIMER;
    if (!call.load(call.third, SIZE)) return -ERRNO.EFAULT;
    const deadline = deadlineAt(call.fields, TIMEOUT_ABS_NS);
    const flags = call.fields.getUint32(FLAGS, true);
    if ((flags & VCPU_SSHOTTMR_FUTURE) !== 0 && deadline < this.#clock.now) return -ERRNO.ETIME;
    this.#arm(deadline);
    return 0;
  }

  /** VCPUOP_stop_singleshot_timer. */
  stopSingleshot(): number {
    this.#singleshot.cancel();
    return 0;
  }

  /** VCPUOP_set_periodic_timer. */
  setPeriodic(call: GuestCall): number {
    const { PERIOD_NS, SIZE } = VCPU_SET_PERIODIC_TIMER;
    if (!call.load(call.third, SIZE)) return -ERRNO.EFAULT;
    const period = readU64(call.fields, PERIOD_NS);
    if (period < SHORTEST_PERIOD || period > STIME_DELTA_MAX) return -ERRNO.EINVAL;
    this.#period = period;
    this.#nextTick = this.#clock.now;
    this.#armTick();
    return 0;
  }

  /** VCPUOP_stop_periodic_timer. */
  stopPeriodic(): number {
    this.#periodic.cancel();
    return 0;
  }

  /**
   * Serves one set_timer_op: the singleshot timer by another name; 0 stops it. What is negative or
   * too far away comes of a counter that wrapped, or of a guest that needs no timer.
   */
  setTimerOp(call: GuestCall): number {
    const { now } = this.#clock;
    const deadline = deadlineOf(call.first, call.second);
    if (deadline === 0) this.#singleshot.cancel();
    else if (deadline < 0 || deadline - now >= FAR_AWAY) this.#arm(now + MIDDLEGROUND);
    else this.#arm(deadline);
    return 0;
  }

  /** A time that is past raises the event at once: Linux relies on it. */
  #arm(deadline: Ns): void {
    this.#singleshot.cancel();
    if (deadline <= this.#clock.now) this.#events.raiseVirq(VIRQ_TIMER);
    else if (deadline <= Number.MAX_SAFE_INTEGER) this.#singleshot.armAt(deadline);
  }

  #tick(): void {
    this.#armTick();
    this.#events.raiseVirq(VIRQ_TIMER);
  }

  #armTick(): void {
    this.#nextTick += this.#period;
    if (this.#nextTick <= Number.MAX_SAFE_INTEGER) this.#periodic.armAt(this.#nextTick);
    else this.#periodic.cancel();
  }
}

/** Reads a signed 64-bit absolute time: negative is past, beyond 2^53 - 1 never comes. */
export function deadlineAt(fields: DataView, at: number): Ns {
  return deadlineOf(fields.getUint32(at, true), fields.getUint32(at + 4, true));
}

/** See {@link deadlineAt}. */
function deadlineOf(low: number, high: number): Ns {
  const deadline = (high | 0) * 2 ** 32 + low;
  return deadline > Number.MAX_SAFE_INTEGER ? Infinity : deadline;
}
