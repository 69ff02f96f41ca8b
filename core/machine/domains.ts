/**
 * The domains that a machine is, one after the other: when it starts again, xl destroys one and
 * builds the next from the same configuration. xenstore outlasts them, and so do the counters.
 * Source: tools/xl/xl_vmcontrol.c and libxl_domain_destroy of Xen 4.17.
 * @module
 */

import { ClockScope, type VirtualClock } from "../clock.ts";
import { InternalError } from "../errors.ts";
import { type RefusalCounts, Refusals } from "../hypervisor/books/refusals.ts";
import type { XenStats } from "../hypervisor/xen.ts";
import { XenStore } from "../hypervisor/xenstore/xenstore.ts";
import type { GuestMemory } from "../types.ts";
import { Domain, type DomainParts } from "./domain.ts";
import type { Drives } from "./drives.ts";
import { type FramePool, FrameScope } from "./frame_scope.ts";
import { addStats, NO_STATS } from "./xen_totals.ts";

/** What all domains are built from. */
export interface DomainsParts
  extends Omit<DomainParts, "clock" | "domid" | "physmap" | "store" | "disks"> {
  readonly clock: VirtualClock;
  readonly memory: GuestMemory & FramePool;
  /** Those that there are when a domain is built. */
  readonly drives: Drives;
}

/** What ends with a domain. */
interface Incarnation {
  readonly domain: Domain;
  readonly clock: ClockScope;
  readonly frames: FrameScope;
}

/** The first domain, and all that follow it. */
export class Domains {
  readonly #parts: DomainsParts;
  readonly #store = new XenStore();
  readonly #refusals = new Refusals();
  #current: Incarnation | undefined;
  #lastDomid = 0;
  /** Of the domains that are no more. */
  #past = NO_STATS;
  #pastSuppressed = 0;

  constructor(parts: DomainsParts) {
    this.#parts = parts;
  }

  /** The one that there is. */
  get current(): Domain {
    return this.#incarnation.domain;
  }

  /** What the backends have refused. */
  get refusals(): RefusalCounts {
    return this.#refusals.counts;
  }

  /** Sums over all of them. */
  stats(): XenStats {
    return addStats(this.#past, this.current.xen.stats());
  }

  /** See {@link Domain.suppressedEvents}; of all of them. */
  get suppressedEvents(): number {
    return this.#pastSuppressed + this.current.suppressedEvents;
  }

  /**
   * Builds the next one.
   * @param isSame it has the number of the last one, as after a soft reset
   */
  build(isSame: boolean = false): Domain {
    if (!isSame) this.#lastDomid++;
    const parts = this.#parts;
    const clock = new ClockScope(parts.clock);
    const frames = new FrameScope(parts.memory);
    const domain = new Domain({
      ...parts,
      clock,
      physmap: frames,
      store: this.#store,
      refusals: this.#refusals,
      domid: this.#lastDomid,
      disks: parts.drives.vbds,
    });
    this.#current = { domain, clock, frames };
    return domain;
  }

  /** Tells whoever waits for that that the current one has shut down. */
  shutDown(): void {
    this.current.control.close();
    this.#store.domainShutDown(this.current.xen.domid);
  }

  /**
   * Begins to destroy the current one, whose vCPU runs no more: its backends finish what they have
   * begun and close. Call {@link end} when dom0 has nothing left to do.
   */
  destroy(): void {
    this.shutDown();
    this.current.closeDevices();
  }

  /** Ends the current one for good. */
  end(): void {
    const { domain, clock, frames } = this.#incarnation;
    this.#past = this.stats();
    this.#pastSuppressed = this.suppressedEvents;
    domain.end();
    clock.end();
    frames.end();
    this.#parts.exits?.domainEnded();
    this.#current = undefined;
  }

  get #incarnation(): Incarnation {
    if (this.#current === undefined) throw new InternalError("No domain has been built");
    return this.#current;
  }
}
