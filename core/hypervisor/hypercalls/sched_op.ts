/**
 * The sched_op hypercall: EBX = command, ECX = pointer.
 * Source: Xen public header sched.h, i386 layout.
 *
 * A call that blocks has its answer (0) in EAX when it returns here; the vCPU just must not run on
 * while {@link SchedOps.blocked}. Waking up early is allowed: callers test their condition again.
 * @module
 */

import type { Clock, Timer } from "../../types.ts";
import { DomainWatchdogs } from "../domain_watchdog.ts";
import { DOM0 } from "../domid.ts";
import { ERRNO } from "./errno.ts";
import type { EventChannels } from "../events/events.ts";
import type { GuestCall } from "./guest_pointer.ts";
import { deadlineAt } from "../vcpu_timers.ts";

/** Numbers of the operations. */
export const SCHEDOP = {
  YIELD: 0,
  BLOCK: 1,
  SHUTDOWN: 2,
  POLL: 3,
  REMOTE_SHUTDOWN: 4,
  SHUTDOWN_CODE: 5,
  WATCHDOG: 6,
  PIN_OVERRIDE: 7,
} as const;

/** Why a domain shuts down, by SHUTDOWN_* number. */
export const SHUTDOWN_REASONS = [
  "poweroff",
  "reboot",
  "suspend",
  "crash",
  "watchdog",
  "soft_reset",
] as const;

/** One of {@link SHUTDOWN_REASONS}. */
export type ShutdownReason = typeof SHUTDOWN_REASONS[number];

/** Xen takes any byte for a reason; xl destroys a domain with one that it does not know. */
const UNKNOWN_REASON: ShutdownReason = "crash";

/** Offsets of sched_shutdown; SCHEDOP_shutdown_code has the same. */
export const SCHED_SHUTDOWN = { REASON: 0, SIZE: 4 } as const;

/** Offsets of sched_remote_shutdown. */
export const SCHED_REMOTE_SHUTDOWN = { DOMAIN_ID: 0, REASON: 4, SIZE: 8 } as const;

/** Offsets of sched_watchdog; the time-out is in seconds. */
export const SCHED_WATCHDOG = { ID: 0, TIMEOUT: 4, SIZE: 8 } as const;

/** Offsets of sched_poll. */
export const SCHED_POLL = { PORTS: 0, NR_PORTS: 4, TIMEOUT: 8, SIZE: 16 } as const;

/** Most ports of one poll. */
const POLL_LIMIT = 128;

/** Scheduling requests of vCPU 0, the only one. */
export class SchedOps {
  readonly #clock: Clock;
  readonly #events: EventChannels;
  readonly #onShutdown: (reason: ShutdownReason) => void;
  readonly #watchdogs: DomainWatchdogs;
  /** Set by SCHEDOP_shutdown_code, for whatever shutdown comes. */
  #shutdownCode: ShutdownReason | undefined;
  readonly #pollTimer: Timer;
  readonly #pollPorts: Uint32Array = new Uint32Array(POLL_LIMIT);
  #pollCount = 0;
  /** Events that there had been when the poll began. */
  #raisedBefore = 0;
  #waitingFor: "nothing" | "upcall" | "ports" = "nothing";

  constructor(
    clock: Clock,
    events: EventChannels,
    onShutdown: (reason: ShutdownReason) => void,
  ) {
    this.#clock = clock;
    this.#events = events;
    this.#onShutdown = onShutdown;
    this.#pollTimer = clock.timer("xen poll", () => this.unblock());
    this.#watchdogs = new DomainWatchdogs(clock, () => this.shutdown("watchdog"));
  }

  /** The vCPU waits for an event or for the end of a poll's timeout. */
  get blocked(): boolean {
    switch (this.#waitingFor) {
      case "upcall":
        return !this.#events.upcallPending;
      case "ports":
        return !this.#hasPolledEvent();
      default:
        return false;
    }
  }

  /** Ends the waiting: an interrupt can be delivered, or the condition came true. */
  unblock(): void {
    this.#waitingFor = "nothing";
    this.#pollTimer.cancel();
  }

  /** Serves one sched_op. */
  schedOp(call: GuestCall): number {
    switch (call.first) {
      case SCHEDOP.YIELD:
        return 0;
      case SCHEDOP.BLOCK:
        this.unblock();
        this.#waitingFor = "upcall";
        return 0;
      case SCHEDOP.SHUTDOWN:
        return this.#withReason(call, (reason) => this.shutdown(reason));
      case SCHEDOP.POLL:
        return this.#poll(call);
      case SCHEDOP.REMOTE_SHUTDOWN:
        return this.#remoteShutdown(call);
      case SCHEDOP.SHUTDOWN_CODE:
        return this.#withReason(call, (reason) => this.#setShutdownCode(reason));
      case SCHEDOP.WATCHDOG:
        return this.#watchdog(call);
      case SCHEDOP.PIN_OVERRIDE:
        return -ERRNO.EPERM; // dom0's
      default:
        return -ERRNO.ENOSYS;
    }
  }

  /**
   * Shuts the domain down, with the code that it has set before if it has. The vCPU must not run on,
   * unless the toolstack resumes the domain: then with its answer in EAX.
   * @returns what the call does
   */
  shutdown(reason: ShutdownReason): number {
    const code = this.#shutdownCode ?? reason;
    this.#shutdownCode = undefined;
    this.#onShutdown(code);
    return 0;
  }

  #withReason(
    call: GuestCall,
    then: (reason: ShutdownReason) => number,
  ): number {
    if (!call.load(call.second, SCHED_SHUTDOWN.SIZE)) return -ERRNO.EFAULT;
    return then(SHUTDOWN_REASONS[call.fields.getUint8(SCHED_SHUTDOWN.REASON)] ?? UNKNOWN_REASON);
  }

  /** The first code stays. */
  #setShutdownCode(reason: ShutdownReason): number {
    this.#shutdownCode ??= reason;
    return 0;
  }

  /** Whoever may shut down another domain is its device model; a guest is nobody's. */
  #remoteShutdown(call: GuestCall): number {
    if (!call.load(call.second, SCHED_REMOTE_SHUTDOWN.SIZE)) return -ERRNO.EFAULT;
    const domid = call.fields.getUint16(SCHED_REMOTE_SHUTDOWN.DOMAIN_ID, true);
    return domid === DOM0 || domid === this.#events.domid ? -ERRNO.EPERM : -ERRNO.ESRCH;
  }

  #watchdog(call: GuestCall): number {
    if (!call.load(call.second, SCHED_WATCHDOG.SIZE)) return -ERRNO.EFAULT;
    const { fields } = call;
    const id = fields.getUint32(SCHED_WATCHDOG.ID, true);
    return this.#watchdogs.set(id, fields.getUint32(SCHED_WATCHDOG.TIMEOUT, true));
  }

  #poll(call: GuestCall): number {
    const { fields } = call;
    if (!call.load(call.second, SCHED_POLL.SIZE)) return -ERRNO.EFAULT;
    const ports = fields.getUint32(SCHED_POLL.PORTS, true);
    const count = fields.getUint32(SCHED_POLL.NR_PORTS, true);
    const deadline = deadlineAt(fields, SCHED_POLL.TIMEOUT);
    if (count > POLL_LIMIT) return -ERRNO.EINVAL;
    if (!call.load(ports, count * 4)) return -ERRNO.EFAULT;
    this.unblock();
    this.#pollCount = 0;
    for (let i = 0; i < count; i++) {
      const port = fields.getUint32(i * 4, true);
      if (!this.#events.isPort(port)) return -ERRNO.EINVAL;
      if (this.#events.isPending(port)) return 0;
      this.#pollPorts[i] = port;
    }
    this.#pollCount = count;
    this.#raisedBefore = this.#events.raised;
    this.#waitUntil(deadline);
    return 0;
  }

  #waitUntil(deadline: number): void {
    if (deadline !== 0 && deadline <= this.#clock.now) return;
    this.#waitingFor = "ports";
    if (deadline !== 0 && deadline !== Infinity) this.#pollTimer.armAt(deadline);
  }

  /** Xen keeps the port of a poll for one, and else wakes for any. */
  #hasPolledEvent(): boolean {
    if (this.#pollCount !== 1 && this.#events.raised !== this.#raisedBefore) return true;
    for (let i = 0; i < this.#pollCount; i++) {
      if (this.#events.isPending(this.#pollPorts[i] ?? 0)) return true;
    }
    return false;
  }
}
