/**
 * What can be behind a port: nobody yet, another domain, a virtual interrupt, the vCPU itself.
 * Source: Xen public headers event_channel.h and xen.h; get_virq_type() of
 * xen/common/event_channel.c.
 * @module
 */

/** The timer of a vCPU. */
export const VIRQ_TIMER = 0;

/** VIRQs that each vCPU has for itself: TIMER, DEBUG, XENOPROF, XENPMU. The rest are global. */
const VCPU_VIRQS: ReadonlySet<number> = new Set([0, 1, 7, 13]);

/** VIRQs that a guest may bind are below this number (NR_VIRQS). */
export const VIRQ_LIMIT = 24;

/** EVTCHNSTAT_*: what EVTCHNOP_status calls the states. */
export const CHANNEL_STATUS = { closed: 0, unbound: 1, interdomain: 2, virq: 4, ipi: 5 } as const;

/** What is behind a port. A closed port has none. */
export type Channel =
  | { readonly state: "unbound"; readonly remoteDomid: number }
  | InterdomainChannel
  | { readonly state: "virq"; readonly virq: number }
  | { readonly state: "ipi" };

/** One end of a connected pair. */
export interface InterdomainChannel {
  readonly state: "interdomain";
  readonly remoteDomid: number;
  readonly remotePort: number;
  /** Sets the other end pending. */
  readonly signal: () => void;
  /** Tells the other end that this one is gone. */
  readonly hangUp: () => void;
}

/** Each vCPU has this VIRQ for itself. */
export function isVcpuVirq(virq: number): boolean {
  return VCPU_VIRQS.has(virq);
}
