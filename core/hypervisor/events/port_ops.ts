/**
 * What differs between the ABIs by which a guest sees its event channels.
 * Source: struct evtchn_port_ops of xen/include/xen/event.h.
 * @module
 */

/** The state that both ends of the interface share, port by port. Ports are valid when given. */
export interface EvtchnPortOps {
  /** Ports are below this number. */
  readonly limit: number;
  /** A port has been bound. */
  init(evtchnPort: number): void;
  /** Makes an event pending, and tells the vCPU unless it is masked or known already. */
  setPending(evtchnPort: number): void;
  /** Takes a pending event away. */
  clearPending(evtchnPort: number): void;
  /** Clears the mask and tells the vCPU of an event that is pending. */
  unmask(evtchnPort: number): void;
  isPending(evtchnPort: number): boolean;
  /** The guest has not let go of the port yet: nobody may bind it anew. */
  isBusy(evtchnPort: number): boolean;
  /** @returns 0, or a negative error number */
  setPriority(evtchnPort: number, priority: number): number;
}
