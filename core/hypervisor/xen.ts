/**
 * All that one HVM domain with one vCPU sees of Xen, assembled.
 * Source: Xen public headers; what each part answers is told where it is.
 * @module
 */

import type { Clock, Dom0, GuestErrors, GuestMemory, Ns, Physmap, VcpuState } from "../types.ts";
import { ConsoleIo } from "./hypercalls/console_io.ts";
import { type CallbackLines, CallbackVia } from "./events/callback_via.ts";
import { eventChannelOp } from "./events/event_channel_op.ts";
import { EventChannels } from "./events/events.ts";
import type { EventCounters } from "./events/events.ts";
import type { Dom0Grants, GrantCosts, GrantCounters, GrantWork } from "./grants/dom0_grants.ts";
import { GrantTables } from "./grants/grants.ts";
import { Hypercalls } from "./hypercalls/hypercall.ts";
import type { HypercallCounters, HypercallHandlers } from "./hypercalls/hypercall.ts";
import { hvmOp } from "./hypercalls/hvm_op.ts";
import { HvmParams } from "./hypercalls/hvm_params.ts";
import { memoryOp } from "./hypercalls/memory_op.ts";
import type { MemoryMapEntry } from "./hypercalls/memory_op.ts";
import { Reservation } from "./hypercalls/reservation.ts";
import { Runstate } from "./runstate.ts";
import { SchedOps } from "./hypercalls/sched_op.ts";
import type { ShutdownReason } from "./hypercalls/sched_op.ts";
import { SharedInfo } from "./shared_info.ts";
import { Upcall } from "./events/upcall.ts";
import { vcpuOp } from "./hypercalls/vcpu_op.ts";
import { VcpuTimers } from "./vcpu_timers.ts";
import { vmAssist } from "./hypercalls/vm_assist.ts";
import { writeHypercallPage, XEN_HYPERCALL_MSR, XenCpuid } from "./xen_cpuid.ts";
import { XEN_OFFERS } from "./xen_offers.ts";
import type { XenOffers } from "./xen_offers.ts";
import { xenFeatures, xenVersion, type XenVersionAnswers } from "./hypercalls/xen_version.ts";

/** The domid of the one guest, unless told otherwise. */
const FIRST_DOMID = 1;

/** What the interface works with. */
export interface XenOptions {
  readonly memory: GuestMemory;
  readonly physmap: Physmap;
  readonly clock: Clock;
  readonly dom0: Dom0;
  readonly errors: GuestErrors;
  readonly grantCosts: GrantCosts;
  /** Grant operations that the guest makes itself. */
  readonly grantWork: GrantWork;
  /** Books work of a hypercall beyond what {@link onHypercall} does. */
  readonly onWork: (ns: Ns) => void;
  /** EVTCHNOP_send by dom0, all of it. */
  readonly notifyNs: Ns;
  /** Rate of the guest's TSC, which is 0 when the clock is 0. */
  readonly tscHz: number;
  /** UTC at that time in seconds since 1970; 2026-01-01 unless given. */
  readonly wallClock?: number | undefined;
  readonly domid?: number;
  /** Its UUID, 16 bytes; all zeros unless given. */
  readonly handle?: Uint8Array;
  /** What the toolstack tells the guest of its memory, if anything. */
  readonly memoryMap?: readonly MemoryMapEntry[];
  /** What this Xen offers otherwise than by default. */
  readonly offers?: Partial<XenOffers>;
  /** Requests a vector of the vCPU's local APIC, edge-triggered; absent where there is none. */
  readonly onUpcallVector?: (vector: number) => void;
  /** The vCPU takes an NMI. */
  readonly onNmi?: () => void;
  /** A byte that the guest writes to the hypervisor's console. */
  readonly onConsoleByte?: (byte: number) => void;
  /** Interrupt lines that can tell of events, if any. */
  readonly callbackLines?: CallbackLines;
  /** The guest ended itself; its vCPU must not run on. */
  readonly onShutdown: (reason: ShutdownReason) => void;
  /** Told the name of each hypercall before its work is done, to charge it. */
  readonly onHypercall?: (name: string) => void;
}

/** Sums since power-on. */
export interface XenStats {
  readonly hypercalls: HypercallCounters;
  readonly grants: GrantCounters;
  readonly events: EventCounters;
}

/** Xen, as one domain sees it. */
export class XenInterface {
  readonly domid: number;
  readonly events: EventChannels;
  /** dom0's use of the guest's pages. */
  readonly grants: Dom0Grants;
  /** All grant tables. */
  readonly grantTables: GrantTables;
  readonly params: HvmParams = new HvmParams((value) => this.#upcall.setCallback(value));
  readonly #memory: GuestMemory;
  readonly #shared: SharedInfo;
  readonly #callback: CallbackVia;
  readonly #upcall: Upcall;
  readonly #sched: SchedOps;
  readonly #runstate: Runstate;
  readonly #cpuid: XenCpuid;
  readonly #hypercalls: Hypercalls;

  constructor(options: XenOptions) {
    const { memory, physmap, clock, dom0, errors, notifyNs, tscHz, domid = FIRST_DOMID } = options;
    const offers = { ...XEN_OFFERS, ...options.offers };
    this.domid = domid;
    this.#memory = memory;
    const shared = this.#shared = new SharedInfo(memory, physmap, tscHz, options.wallClock);
    this.#callback = new CallbackVia(() => shared.upcallPending, options.callbackLines);
    const upcall = this.#upcall = new Upcall(
      shared,
      this.#callback,
      offers.upcallVector ? options.onUpcallVector : undefined,
    );
    this.events = new EventChannels({
      ...{ memory, shared, upcall, dom0, domid, notifyNs },
      fifo: offers.evtchnFifo,
    });
    const crash = (why: string) => {
      errors.guestError("xen", `domain ${domid} crashes: ${why}`);
      options.onShutdown("crash");
    };
    this.grantTables = new GrantTables({ ...options, domid, crash });
    this.grants = this.grantTables.backends;
    this.#sched = new SchedOps(clock, this.events, options.onShutdown);
    this.#cpuid = new XenCpuid(domid, tscHz, upcall.canInterrupt);
    this.#runstate = new Runstate(clock, memory);
    const handlers = this.#handlers(options, {
      features: xenFeatures(offers),
      handle: options.handle ?? new Uint8Array(16),
    });
    const { onHypercall } = options;
    this.#hypercalls = new Hypercalls(
      onHypercall === undefined
        ? { memory, errors, handlers }
        : { memory, errors, handlers, onCall: onHypercall },
    );
  }

  /**
   * Serves the hypercall in the vCPU's registers; look at {@link blocked} before running on.
   * @returns true when the vCPU must make it again, for the rest of a long one
   */
  hypercall(vcpu: VcpuState): boolean {
    return this.#hypercalls.dispatch(vcpu);
  }

  /** The guest's evtchn_upcall_pending, as it is now. */
  get upcallPending(): boolean {
    return this.#shared.upcallPending;
  }

  /** Vector of the vCPU's own, which the local APIC injects; `undefined` while it has none. */
  get upcallVector(): number | undefined {
    return this.#upcall.vector;
  }

  /** Vector that an upcall injects; `undefined` while the guest has not asked for upcalls. */
  get callbackVector(): number | undefined {
    return this.#callback.vector;
  }

  /** An interrupt line says that events are pending. */
  get callbackAsserted(): boolean {
    return this.#callback.asserted;
  }

  /** Lets that line follow evtchn_upcall_pending; call it at an exit, before the exit is served. */
  settleCallback(): void {
    this.#callback.settle();
  }

  /**
   * A hypercall has put the vCPU to sleep: idle until this is false or an interrupt is deliverable.
   */
  get blocked(): boolean {
    return this.#sched.blocked;
  }

  /** The vCPU has had nothing to do for that long; it may sleep on at once. */
  slept(ns: Ns): void {
    this.#runstate.wasBlocked(ns);
  }

  /** Ends the sleep of {@link blocked}; call it before the vCPU runs on. */
  unblock(): void {
    this.#sched.unblock();
    this.#runstate.schedule();
  }

  /**
   * Answers a CPUID leaf of Xen's.
   * @returns EAX, EBX, ECX, EDX, reused by the next call; `undefined` for a leaf that is not Xen's
   */
  cpuid(leaf: number, subLeaf: number): Readonly<Uint32Array> | undefined {
    return this.#cpuid.read(leaf, subLeaf);
  }

  /** RDMSR: the 64-bit value; `undefined` for an MSR that is not Xen's. */
  readMsr(msr: number): bigint | undefined {
    return msr === XEN_HYPERCALL_MSR ? 0n : undefined;
  }

  /**
   * WRMSR.
   * @param low EAX
   * @param high EDX
   * @returns true when done, false to answer #GP, `undefined` for an MSR that is not Xen's
   */
  writeMsr(msr: number, low: number, high: number): boolean | undefined {
    return msr === XEN_HYPERCALL_MSR ? writeHypercallPage(this.#memory, low, high) : undefined;
  }

  /** Counters as a record that can be kept. */
  stats(): XenStats {
    return {
      hypercalls: this.#hypercalls.counters,
      grants: this.grants.counters,
      events: this.events.counters,
    };
  }

  /**
   * Everything else answers -ENOSYS: physdev_op, as the guest has no pirqs, and what only PV guests
   * or dom0 may call.
   */
  #handlers(options: XenOptions, version: XenVersionAnswers): HypercallHandlers {
    const { clock, onNmi = () => {}, onConsoleByte = () => {} } = options;
    const { domid, events, params } = this;
    const { guest: grants, frames, ops } = this.grantTables;
    const [memory, shared, upcall] = [this.#memory, this.#shared, this.#upcall];
    const timers = new VcpuTimers(clock, events);
    const onDown = () => void this.#sched.shutdown("poweroff");
    const vcpu = { shared, upcall, timers, runstate: this.#runstate, onNmi, onDown };
    const console = new ConsoleIo(domid, onConsoleByte);
    const reservation = new Reservation({ memory, physmap: options.physmap, frames });
    const { memoryMap = [] } = options;
    const targets = { domid, frames, shared, grants, reservation, memoryMap };
    const hvm = { domid, clock, params, upcall };
    return {
      memory_op: (call) => memoryOp(targets, call),
      set_timer_op: (call) => timers.setTimerOp(call),
      xen_version: (call) => xenVersion(version, call),
      console_io: (call) => console.consoleIo(call),
      grant_table_op: (call) => ops.grantTableOp(call),
      vm_assist: vmAssist,
      vcpu_op: (call) => vcpuOp(vcpu, call),
      sched_op: (call) => this.#sched.schedOp(call),
      event_channel_op: (call) => eventChannelOp(events, call),
      hvm_op: (call) => hvmOp(hvm, call),
    };
  }
}
