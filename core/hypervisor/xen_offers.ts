/**
 * What a Xen may have or lack: a guest asks for each, and does without what is missing.
 * @module
 */

/** What a Xen has. */
export interface XenOffers {
  /** The FIFO ABI of event channels, besides the 2-level one. */
  readonly evtchnFifo: boolean;
  /** Upcalls by a vector of the vCPU's own through its local APIC. */
  readonly upcallVector: boolean;
  /** Upcalls by a vector for the domain. */
  readonly callbackVector: boolean;
  /** A clock that HVM guests may rely on. */
  readonly pvclock: boolean;
  /** The PV console's ring. */
  readonly console: boolean;
  /** xenstore's ring. */
  readonly xenstore: boolean;
}

/** What there is unless told otherwise. */
export const XEN_OFFERS: XenOffers = {
  evtchnFifo: false,
  upcallVector: false,
  callbackVector: true,
  pvclock: true,
  console: true,
  xenstore: true,
};
