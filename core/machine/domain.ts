/**
 * The Xen side of the machine: the domain as the toolstack builds it.
 * Source: special pages as tools/libs/guest/xg_dom_x86.c of Xen places them; reserved grants of
 * Xen's public header grant_table.h.
 * @module
 */

import { ConsoleRing, type ConsoleRingParts } from "../hypervisor/console_ring.ts";
import type { CallbackLines } from "../hypervisor/events/callback_via.ts";
import type { CostPreset } from "../hypervisor/costs.ts";
import { grantCopyTime, hypercallTime, tlbShootdownTime } from "../hypervisor/costs.ts";
import { HVM_PARAM } from "../hypervisor/hypercalls/hvm_params.ts";
import type { ExitBooks } from "../hypervisor/books/exit_books.ts";
import { Refusals } from "../hypervisor/books/refusals.ts";
import type { ShutdownReason } from "../hypervisor/hypercalls/sched_op.ts";
import { buildDomain, removeDomain } from "../hypervisor/toolstack/toolstack.ts";
import type { RingEndpoint } from "../hypervisor/toolstack/toolstack.ts";
import { XenInterface } from "../hypervisor/xen.ts";
import { XEN_OFFERS } from "../hypervisor/xen_offers.ts";
import type { XenOffers } from "../hypervisor/xen_offers.ts";
import type { XenStore } from "../hypervisor/xenstore/xenstore.ts";
import type { ListStyle } from "../hypervisor/xenstore/ls.ts";
import { XenStoreRing } from "../hypervisor/xenstore/ring.ts";
import { traceLine } from "../hypervisor/xenstore/trace.ts";
import { E820, HOLE } from "../load/memory_map.ts";
import { COST } from "../types.ts";
import type { Clock, Dom0, Gfn, GuestErrors, GuestMemory, Ledger, Physmap } from "../types.ts";
import { PvControl } from "./pv_control.ts";
import { type DomainDisk, Vbds } from "./vbds.ts";

/** Special pages, below the end of the 32-bit space. */
const SPECIAL_GFN = { STORE: 0xfeffc, CONSOLE: 0xfefff } as const;
/** Grant entries that the toolstack fills in before the guest starts. */
const RESERVED_GREF = { CONSOLE: 0, STORE: 1 } as const;

const NAME = "guest";
/** What the toolstack calls the domain. */
export const DOMAIN_UUID = "00000000-0000-4000-8000-000000000001";
/** The TSC counts nanoseconds, so one an instruction. */
const TSC_HZ = 1_000_000_000;

/** What the domain is built from. */
export interface DomainParts {
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly memory: GuestMemory;
  /** Has pages for Xen, and lays them over the memory. */
  readonly physmap: Physmap;
  readonly store: XenStore;
  readonly domid: number;
  readonly dom0: Dom0;
  readonly errors: GuestErrors;
  readonly costs: CostPreset;
  readonly disks: readonly DomainDisk[];
  /** Follows the requests of the rings. */
  readonly exits?: ExitBooks;
  /** Counts what the backends refuse. */
  readonly refusals?: Refusals;
  /** UTC when the clock is 0, in seconds since 1970; 2026-01-01 unless given. */
  readonly rtcBase?: number | undefined;
  /** What this Xen offers otherwise than by default. */
  readonly offers?: Partial<XenOffers> | undefined;
  /** Requests a vector of the local APIC, if there is one. */
  readonly onUpcallVector?: (vector: number) => void;
  /** The vCPU takes an NMI. */
  readonly onNmi?: () => void;
  /** A byte that the guest writes to the hypervisor's console. */
  readonly onConsoleByte?: (byte: number) => void;
  /** Interrupt lines that can tell of events. */
  readonly callbackLines?: CallbackLines;
  readonly onShutdown: (reason: ShutdownReason) => void;
  /** What the toolstack has to say some time after it was asked. */
  readonly onToolstack?: ((line: string) => void) | undefined;
  /** A message on the guest's xenstore ring. */
  readonly onStoreMessage?: ((line: string) => void) | undefined;
  /** A byte that the guest has written to hvc0. */
  readonly onXenConsoleByte?: ((byte: number) => void) | undefined;
}

/** One HVM domain and its backends. */
export class Domain {
  readonly xen: XenInterface;
  readonly vbds: Vbds;
  /** What the toolstack asks of the guest. */
  readonly control: PvControl;
  /** The daemon's end of hvc0. */
  readonly console: ConsoleRing;
  readonly #parts: DomainParts;
  readonly #store: XenStore;
  readonly #storeRing: XenStoreRing;
  #suppressed = 0;

  constructor(parts: DomainParts) {
    this.#parts = parts;
    this.#store = parts.store;
    this.xen = this.#makeXen();
    const store = this.#specialPage(SPECIAL_GFN.STORE, RESERVED_GREF.STORE);
    const console = this.#specialPage(SPECIAL_GFN.CONSOLE, RESERVED_GREF.CONSOLE);
    const { params } = this.xen;
    const offers = { ...XEN_OFFERS, ...parts.offers };
    if (offers.xenstore) {
      params.set(HVM_PARAM.STORE_PFN, BigInt(store.gfn));
      params.set(HVM_PARAM.STORE_EVTCHN, BigInt(store.evtchnPort));
    }
    if (offers.console) {
      params.set(HVM_PARAM.CONSOLE_PFN, BigInt(console.gfn));
      params.set(HVM_PARAM.CONSOLE_EVTCHN, BigInt(console.evtchnPort));
    }
    this.#build(store, console);
    this.#storeRing = this.#serveStore(store);
    this.console = this.#serveConsole(console);
    this.control = this.#makeControl();
    this.vbds = this.#makeVbds();
    for (const disk of parts.disks) this.vbds.attach(disk);
  }

  /**
   * Requests and responses on the rings that went without an event, as req_event and rsp_event
   * allow.
   */
  get suppressedEvents(): number {
    return this.#suppressed;
  }

  /**
   * What `xenstore-ls` prints.
   * @throws {StoreError} EINVAL, ENOENT
   */
  listStore(path: string, style: ListStyle): string[] {
    return this.#store.ls(path, style);
  }

  /**
   * Takes its devices away, as its vCPU runs no more: each backend closes when it has finished what
   * it has begun.
   */
  closeDevices(): void {
    this.vbds.abandon();
  }

  /** Ends it, when dom0 has nothing left to do: xenstored forgets it, and all of its nodes go. */
  end(): void {
    this.#storeRing.close();
    this.console.close();
    removeDomain(this.#store.client(), { domid: this.xen.domid, uuid: DOMAIN_UUID });
  }

  #makeXen(): XenInterface {
    const { clock, ledger, memory, physmap, dom0, domid, errors, costs } = this.#parts;
    const { offers, onUpcallVector, onNmi, onConsoleByte, callbackLines } = this.#parts;
    const grantWork = {
      mapNs: costs.grantMap,
      unmapNs: costs.grantUnmap,
      copyNs: grantCopyTime(costs, 0),
      copyNsPerKiB: grantCopyTime(costs, 1024) - grantCopyTime(costs, 0),
    };
    return new XenInterface({
      memory,
      physmap,
      clock,
      dom0,
      domid,
      errors,
      grantCosts: {
        ...grantWork,
        unmapCallNs: costs.dom0Hypercall + tlbShootdownTime(costs),
        copyCallNs: costs.dom0Hypercall,
      },
      grantWork,
      onWork: (ns) => ledger.charge(COST.hypercall, ns),
      notifyNs: costs.dom0Hypercall + costs.eventSend,
      tscHz: TSC_HZ,
      memoryMap: [{ base: HOLE.end, length: memory.size - HOLE.end, type: E820.RAM }],
      handle: Uint8Array.fromHex(DOMAIN_UUID.replaceAll("-", "")),
      wallClock: this.#parts.rtcBase,
      ...(offers && { offers }),
      ...(onUpcallVector && { onUpcallVector }),
      ...(onNmi && { onNmi }),
      ...(onConsoleByte && { onConsoleByte }),
      ...(callbackLines && { callbackLines }),
      onShutdown: this.#parts.onShutdown,
      onHypercall: (name) => ledger.charge(COST.hypercall, hypercallTime(costs, name)),
    });
  }

  #specialPage(gfn: Gfn, gref: number): RingEndpoint {
    const { physmap } = this.#parts;
    physmap.mapFrame(gfn, physmap.allocateFrame());
    this.xen.grants.grantToDom0(gref, gfn);
    return { gfn, evtchnPort: this.xen.events.allocateToolstackPort() };
  }

  #build(store: RingEndpoint, console: RingEndpoint): void {
    const { memory } = this.#parts;
    buildDomain(this.#store.client(), {
      domid: this.xen.domid,
      name: NAME,
      uuid: DOMAIN_UUID,
      memoryKiB: memory.size / 1024,
      store,
      console,
    });
  }

  #makeControl(): PvControl {
    const { clock, store, domid, onToolstack } = this.#parts;
    const { params } = this.xen;
    const tell = (line: string) => onToolstack?.(line);
    return new PvControl({ clock, store: store.client(), domid, params, tell });
  }

  /** The first event is that of binding, which the daemon takes before the guest starts. */
  #serveConsole(endpoint: RingEndpoint): ConsoleRing {
    let isStarted = false;
    const onEvent = () => {
      if (isStarted) ring.onEvent();
      isStarted = true;
    };
    const { dom0, errors, costs, onXenConsoleByte } = this.#parts;
    const ring: ConsoleRing = new ConsoleRing({
      ...this.#sharedPage(endpoint, onEvent),
      dom0,
      costNs: costs.consoleWakeup,
      errors,
      onByte: (byte) => onXenConsoleByte?.(byte),
    });
    return ring;
  }

  /** A special page and its event channel, as a daemon in dom0 has them. */
  #sharedPage(
    { gfn, evtchnPort }: RingEndpoint,
    onEvent: () => void,
  ): Pick<ConsoleRingParts, "page" | "notify"> {
    const { memory } = this.#parts;
    const port = this.xen.events.bindInterdomain(evtchnPort, onEvent);
    return {
      page: () => memory.page(gfn),
      notify: () => {
        const page = memory.page(gfn);
        if (page !== undefined) memory.wrote(page);
        port?.notify();
      },
    };
  }

  #serveStore(endpoint: RingEndpoint): XenStoreRing {
    const { clock, dom0, errors, costs, onStoreMessage } = this.#parts;
    const { domid } = this.xen;
    const ring: XenStoreRing = new XenStoreRing({
      ...this.#sharedPage(endpoint, () => ring.onEvent()),
      store: this.#store,
      domid,
      dom0,
      costNs: costs.xenstoreMessage,
      errors,
      observer: onStoreMessage &&
        ((...message) => onStoreMessage(traceLine(clock.now, domid, ...message))),
    });
    return ring;
  }

  #makeVbds(): Vbds {
    const { clock, memory, dom0, errors, costs, exits, onToolstack } = this.#parts;
    const { refusals = new Refusals() } = this.#parts;
    return new Vbds({
      clock,
      dom0,
      memory,
      errors,
      costs,
      exits,
      xen: this.xen,
      store: this.#store,
      refusals,
      onSuppressed: () => this.#suppressed++,
      tell: (line) => onToolstack?.(line),
    });
  }
}
