/**
 * Event channels of one guest: what is behind its ports, and who binds and signals them. How the
 * guest sees their state is the business of an ABI: the 2-level one, until the guest asks for FIFO.
 * Source: Xen public header event_channel.h; xen/common/event_channel.c.
 *
 * Port 0 is never bound. The guest's unbound ports that name dom0 are bound by backends through
 * {@link EventChannels.bindInterdomain}; dom0's own ports are callbacks.
 * @module
 */

import { DOM0_COST } from "../../types.ts";
import type { Dom0, EventPort, GuestMemory, Ns } from "../../types.ts";
import { DOM0, DOMID_SELF } from "../domid.ts";
import { ERRNO } from "../hypercalls/errno.ts";
import { isVcpuVirq, VIRQ_LIMIT } from "./event_channel.ts";
import type { Channel, InterdomainChannel } from "./event_channel.ts";
import { Event2l } from "./two_level.ts";
import { EventFifo } from "./fifo.ts";
import type { EvtchnPortOps } from "./port_ops.ts";
import type { SharedInfo } from "../shared_info.ts";
import type { Upcall } from "./upcall.ts";

/** Events that crossed between the guest and dom0. */
export interface EventCounters {
  readonly sentByGuest: number;
  readonly sentByDom0: number;
}

/** What event channels work with. */
export interface EventChannelsOptions {
  readonly memory: GuestMemory;
  readonly shared: SharedInfo;
  readonly upcall: Upcall;
  readonly dom0: Dom0;
  /** The guest's own. */
  readonly domid: number;
  /** EVTCHNOP_send by dom0, all of it. */
  readonly notifyNs: Ns;
  /** The guest may go over to the FIFO ABI. */
  readonly fifo: boolean;
}

/** The event channels of one guest with one vCPU, and dom0's ends of them. */
export class EventChannels {
  readonly domid: number;
  readonly #memory: GuestMemory;
  readonly #shared: SharedInfo;
  readonly #upcall: Upcall;
  readonly #dom0: Dom0;
  readonly #notifyNs: Ns;
  readonly #hasFifo: boolean;
  readonly #twoLevel: Event2l;
  #fifo: EventFifo | undefined;
  /** Of the ABI in use. */
  #ops: EvtchnPortOps;
  /** By port. Grows with the ports in use. */
  readonly #channels: (Channel | undefined)[] = [undefined];
  /** No port below is free. */
  #mayBeFree = 1;
  /** By VIRQ: the port it is bound to, 0 = none. */
  readonly #virqPorts: Uint32Array = new Uint32Array(VIRQ_LIMIT);
  #nextDom0Port = 1;
  #raised = 0;
  #sentByGuest = 0;
  #sentByDom0 = 0;

  constructor(options: EventChannelsOptions) {
    this.domid = options.domid;
    this.#memory = options.memory;
    this.#shared = options.shared;
    this.#upcall = options.upcall;
    this.#dom0 = options.dom0;
    this.#notifyNs = options.notifyNs;
    this.#hasFifo = options.fifo;
    this.#twoLevel = new Event2l(options.memory, options.shared, options.upcall);
    this.#ops = this.#twoLevel;
  }

  /** The guest has an event that it has not taken note of. */
  get upcallPending(): boolean {
    return this.#shared.upcallPending;
  }

  /** Events that have become pending so far, masked ones too. */
  get raised(): number {
    return this.#raised;
  }

  get counters(): EventCounters {
    return { sentByGuest: this.#sentByGuest, sentByDom0: this.#sentByDom0 };
  }

  /** What is behind a port; `undefined` when it is closed or no port. */
  channel(evtchnPort: number): Channel | undefined {
    return this.#channels[evtchnPort];
  }

  /** A number that a port can have. Port 0 is one that is closed for ever. */
  isPort(evtchnPort: number): boolean {
    return evtchnPort < this.#ops.limit;
  }

  isPending(evtchnPort: number): boolean {
    return this.#channels[evtchnPort] !== undefined && this.#ops.isPending(evtchnPort);
  }

  // ---- the guest's operations: a port or 0, or a negative error number --------------------------

  /** EVTCHNOP_alloc_unbound: a port that `remoteDomid` may bind. */
  allocateUnbound(remoteDomid: number): number {
    return this.#open({ state: "unbound", remoteDomid: this.#resolve(remoteDomid) });
  }

  /**
   * EVTCHNOP_bind_interdomain: connects to a port that the remote domain holds open for the guest.
   * dom0 is never a frontend here, so the only such ports are the guest's own (loopback).
   */
  connect(remoteDomid: number, remotePort: number): number {
    const remote = this.#resolve(remoteDomid);
    if (remote !== this.domid && remote !== DOM0) return -ERRNO.ESRCH;
    const port = this.#freePort();
    if (port < 0) return port;
    const peer = remote === DOM0 ? undefined : this.#channels[remotePort];
    if (peer?.state !== "unbound" || peer.remoteDomid !== this.domid) return -ERRNO.EINVAL;
    this.#occupy(port, this.#loopback(remotePort));
    this.#channels[remotePort] = this.#loopback(port);
    this.#raise(port);
    return port;
  }

  /** EVTCHNOP_bind_virq. */
  bindVirq(virq: number, vcpu: number): number {
    if (virq >= VIRQ_LIMIT) return -ERRNO.EINVAL;
    if (vcpu !== 0) return isVcpuVirq(virq) ? -ERRNO.ENOENT : -ERRNO.EINVAL;
    if (this.#virqPorts[virq] !== 0) return -ERRNO.EEXIST;
    const port = this.#open({ state: "virq", virq });
    if (port > 0) this.#virqPorts[virq] = port;
    return port;
  }

  /** EVTCHNOP_bind_ipi. */
  bindIpi(vcpu: number): number {
    return vcpu === 0 ? this.#open({ state: "ipi" }) : -ERRNO.ENOENT;
  }

  /** EVTCHNOP_bind_vcpu: with one vCPU only the checks remain. */
  bindVcpu(evtchnPort: number, vcpu: number): number {
    if (vcpu !== 0) return -ERRNO.ENOENT;
    const channel = this.#channels[evtchnPort];
    switch (channel?.state) {
      case "unbound":
      case "interdomain":
        return 0;
      case "virq":
        return isVcpuVirq(channel.virq) ? -ERRNO.EINVAL : 0;
      default:
        return -ERRNO.EINVAL;
    }
  }

  /** EVTCHNOP_close. Takes a pending event away, so that a later owner of the port sees none. */
  close(evtchnPort: number): number {
    const channel = this.#channels[evtchnPort];
    if (channel === undefined) return -ERRNO.EINVAL;
    this.#channels[evtchnPort] = undefined;
    this.#mayBeFree = Math.min(this.#mayBeFree, evtchnPort);
    this.#ops.clearPending(evtchnPort);
    if (channel.state === "interdomain") channel.hangUp();
    if (channel.state === "virq") this.#virqPorts[channel.virq] = 0;
    return 0;
  }

  /** EVTCHNOP_send. A port whose other end is not there swallows the event. */
  send(evtchnPort: number): number {
    const channel = this.#channels[evtchnPort];
    switch (channel?.state) {
      case "interdomain":
        channel.signal();
        return 0;
      case "ipi":
        this.#raise(evtchnPort);
        return 0;
      case "unbound":
        return 0;
      default:
        return -ERRNO.EINVAL;
    }
  }

  /** EVTCHNOP_unmask: delivers what became pending while masked. A closed port is left alone. */
  unmask(evtchnPort: number): number {
    if (!this.isPort(evtchnPort)) return -ERRNO.EINVAL;
    if (this.#channels[evtchnPort] !== undefined) this.#ops.unmask(evtchnPort);
    return 0;
  }

  /** EVTCHNOP_reset: closes every port, and goes back to the 2-level ABI. */
  reset(): number {
    for (let port = 1; port < this.#channels.length; port++) this.close(port);
    this.#fifo = undefined;
    this.#ops = this.#twoLevel;
    return 0;
  }

  /** EVTCHNOP_init_control: the first one goes over to the FIFO ABI. */
  initControl(vcpu: number, gfn: number, offset: number): number {
    if (!this.#hasFifo) return -ERRNO.ENOSYS;
    if (vcpu !== 0) return -ERRNO.ENOENT;
    const fifo = this.#fifo ?? new EventFifo(this.#memory, this.#upcall);
    const result = fifo.mapControlBlock(gfn, offset);
    if (result !== 0) return result;
    for (let port = 1; port < this.#channels.length; port++) {
      if (this.isPending(port)) fifo.setPending(port);
    }
    this.#fifo = fifo;
    this.#ops = fifo;
    return 0;
  }

  /** EVTCHNOP_expand_array. */
  expandArray(gfn: number): number {
    if (!this.#hasFifo) return -ERRNO.ENOSYS;
    return this.#fifo === undefined ? -ERRNO.EOPNOTSUPP : this.#fifo.expandArray(gfn);
  }

  /** EVTCHNOP_set_priority. */
  setPriority(evtchnPort: number, priority: number): number {
    if (!this.isPort(evtchnPort)) return -ERRNO.EINVAL;
    const isClosed = this.#channels[evtchnPort] === undefined;
    if (isClosed && this.#fifo !== undefined) return -ERRNO.EACCES;
    return this.#ops.setPriority(evtchnPort, priority);
  }

  // ---- Xen's and dom0's side --------------------------------------------------------------------

  /** Raises a VIRQ; nothing happens while the guest has not bound it. */
  raiseVirq(virq: number): void {
    const port = this.#virqPorts[virq] ?? 0;
    if (port !== 0) this.#raise(port);
  }

  /** A port that the toolstack opens in the guest for dom0, for xenstore or the console. */
  allocateToolstackPort(): number {
    return this.allocateUnbound(DOM0);
  }

  /**
   * Binds the guest's unbound port for a backend in dom0. As dom0's new port is pending at once,
   * `onEvent` is called a first time, from the clock.
   * @param onEvent the guest's EVTCHNOP_send; called inside the hypercall, so it only posts work
   * @returns `undefined` when the port is not one that names dom0
   */
  bindInterdomain(remotePort: number, onEvent: () => void): EventPort | undefined {
    const waiting = this.#channels[remotePort];
    if (waiting?.state !== "unbound" || waiting.remoteDomid !== DOM0) return undefined;
    const channel: InterdomainChannel = {
      state: "interdomain",
      remoteDomid: DOM0,
      remotePort: this.#nextDom0Port++,
      signal: () => {
        this.#sentByGuest++;
        onEvent();
      },
      hangUp: () => {},
    };
    this.#channels[remotePort] = channel;
    const isBound = () => this.#channels[remotePort] === channel;
    this.#dom0.post(DOM0_COST.notify, 0, () => {
      if (isBound()) onEvent();
    });
    return {
      notify: () => {
        if (!isBound()) return;
        this.#sentByDom0++;
        this.#dom0.charge(DOM0_COST.notify, this.#notifyNs);
        this.#raise(remotePort);
      },
      close: () => {
        if (isBound()) this.#channels[remotePort] = waiting;
      },
    };
  }

  #loopback(peerPort: number): InterdomainChannel {
    return {
      state: "interdomain",
      remoteDomid: this.domid,
      remotePort: peerPort,
      signal: () => this.#raise(peerPort),
      hangUp: () => {
        this.#channels[peerPort] = { state: "unbound", remoteDomid: this.domid };
      },
    };
  }

  #raise(evtchnPort: number): void {
    if (!this.#ops.isPending(evtchnPort)) this.#raised++;
    this.#ops.setPending(evtchnPort);
  }

  /** Takes the lowest free port. @returns the port, or -ENOSPC */
  #open(channel: Channel): number {
    const port = this.#freePort();
    if (port > 0) this.#occupy(port, channel);
    return port;
  }

  /** @returns the lowest free port, or -ENOSPC */
  #freePort(): number {
    let port = this.#mayBeFree;
    while (this.#channels[port] !== undefined) port++;
    this.#mayBeFree = port;
    while (this.#channels[port] !== undefined || this.#ops.isBusy(port)) port++;
    return port < this.#ops.limit ? port : -ERRNO.ENOSPC;
  }

  #occupy(port: number, channel: Channel): void {
    while (this.#channels.length < port) this.#channels.push(undefined);
    this.#channels[port] = channel;
    this.#ops.init(port);
  }

  #resolve(domid: number): number {
    return domid === DOMID_SELF ? this.domid : domid;
  }
}
