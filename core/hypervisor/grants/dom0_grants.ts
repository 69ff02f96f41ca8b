/**
 * What dom0's backends do with pages that the guest has granted to dom0, and what it costs dom0.
 * @module
 */

import { InternalError } from "../../errors.ts";
import { DOM0_COST, PAGE_SIZE } from "../../types.ts";
import type {
  Dom0,
  Gfn,
  GrantCopy,
  GrantMapper,
  GuestErrors,
  GuestMemory,
  Ns,
} from "../../types.ts";
import { DOM0 } from "../domid.ts";
import { GNTST, GTF_PERMIT_ACCESS } from "./entry.ts";
import type { GrantTable } from "./grant_table.ts";

/** Unmaps that share one TLB shootdown (GNTTAB_UNMAP_BATCH_SIZE). */
const UNMAP_BATCH = 32;
/** Copies that share one hypercall of dom0's gntdev driver (GNTDEV_COPY_BATCH). */
const COPY_BATCH = 16;

/** What each operation costs whoever makes it. */
export interface GrantWork {
  readonly mapNs: Ns;
  readonly unmapNs: Ns;
  readonly copyNs: Ns;
  /** On top of `copyNs`; need not be whole. */
  readonly copyNsPerKiB: number;
}

/** What copying so many bytes costs, in whole nanoseconds. */
export function copyWork({ copyNs, copyNsPerKiB }: GrantWork, bytes: number): Ns {
  return copyNs + Math.round(copyNsPerKiB * bytes / 1024);
}

/** What grant operations cost dom0. */
export interface GrantCosts extends GrantWork {
  /** A hypercall of dom0 that unmaps, its TLB shootdown included, without its unmaps. */
  readonly unmapCallNs: Ns;
  /** A hypercall of dom0 that copies, without its copies. */
  readonly copyCallNs: Ns;
}

/** Grant operations of dom0 so far; failed ones included. */
export interface GrantCounters {
  readonly map: number;
  readonly unmap: number;
  readonly copy: number;
}

/** What dom0's operations work with. */
export interface Dom0GrantsOptions {
  /** The guest's. */
  readonly table: GrantTable;
  readonly memory: Pick<GuestMemory, "wrote">;
  readonly dom0: Dom0;
  readonly errors: GuestErrors;
  readonly costs: GrantCosts;
}

/** dom0 as the user of the guest's grants. */
export class Dom0Grants implements GrantMapper {
  readonly #table: GrantTable;
  readonly #memory: Pick<GuestMemory, "wrote">;
  readonly #dom0: Dom0;
  readonly #errors: GuestErrors;
  readonly #costs: GrantCosts;
  #mapCount = 0;
  #unmapCount = 0;
  #copyCount = 0;

  constructor({ table, memory, dom0, errors, costs }: Dom0GrantsOptions) {
    this.#table = table;
    this.#memory = memory;
    this.#dom0 = dom0;
    this.#errors = errors;
    this.#costs = costs;
  }

  get counters(): GrantCounters {
    return { map: this.#mapCount, unmap: this.#unmapCount, copy: this.#copyCount };
  }

  /** What the toolstack does for the reserved entries of the console (0) and of xenstore (1). */
  grantToDom0(gref: number, gfn: Gfn): void {
    this.#table.frames.write(gref, { flags: GTF_PERMIT_ACCESS, domid: DOM0, gfn });
  }

  /** Maps a granted page into dom0; `undefined` if the entry does not permit it. */
  map(gref: number, access: "read" | "write"): Uint8Array | undefined {
    this.#mapCount++;
    this.#dom0.charge(DOM0_COST.grantMap, this.#costs.mapNs);
    const status = this.#table.map(gref, DOM0, access === "read");
    if (status !== GNTST.OKAY) return this.#refuse(gref);
    return this.#table.page(gref);
  }

  /** Ends one mapping made by {@link map}, with a TLB shootdown of its own. */
  unmap(gref: number): void {
    this.#chargeUnmap(1);
    this.#unmapOne(gref);
  }

  /** Ends several mappings as one batch: one TLB shootdown for every {@link UNMAP_BATCH}. */
  unmapAll(grefs: readonly number[]): void {
    this.#chargeUnmap(grefs.length);
    for (const gref of grefs) this.#unmapOne(gref);
  }

  /**
   * GNTTABOP_copy between parts of granted pages and memory of dom0, one hypercall for every
   * {@link COPY_BATCH}; an entry is in use meanwhile.
   * @param access `"read"` fills the memory of dom0, `"write"` the pages
   * @returns false when an entry does not permit it (a guest error, already told); those before it
   *   have been copied
   */
  copyAll(copies: readonly GrantCopy[], access: "read" | "write"): boolean {
    for (let i = 0; i < copies.length; i++) {
      if (i % COPY_BATCH === 0) this.#dom0.charge(DOM0_COST.grantCopy, this.#costs.copyCallNs);
      if (!this.#copy(copies[i]!, access)) return false;
    }
    return true;
  }

  #copy({ gref, offset, bytes }: GrantCopy, access: "read" | "write"): boolean {
    if (offset < 0 || offset + bytes.length > PAGE_SIZE) {
      throw new InternalError(`Cannot copy ${bytes.length} bytes at ${offset}: crosses the page`);
    }
    this.#copyCount++;
    this.#dom0.charge(DOM0_COST.grantCopy, copyWork(this.#costs, bytes.length));
    const readOnly = access === "read";
    if (this.#table.acquire(gref, DOM0, readOnly) !== GNTST.OKAY) {
      this.#refuse(gref);
      return false;
    }
    const isInside = this.#isGranted(gref, offset, bytes.length);
    if (isInside) this.#move(this.#table.page(gref), access, offset, bytes);
    this.#table.release(gref, readOnly);
    return isInside;
  }

  #isGranted(gref: number, offset: number, length: number): boolean {
    const start = this.#table.start(gref);
    if (offset >= start && offset + length <= start + this.#table.length(gref)) return true;
    this.#tell(gref, "it is for another part of the page");
    return false;
  }

  #move(page: Uint8Array, access: "read" | "write", offset: number, bytes: Uint8Array): void {
    const part = page.subarray(offset, offset + bytes.length);
    if (access === "read") {
      bytes.set(part);
    } else {
      part.set(bytes);
      this.#memory.wrote(part);
    }
  }

  #chargeUnmap(count: number): void {
    const { unmapNs, unmapCallNs } = this.#costs;
    const calls = Math.ceil(count / UNMAP_BATCH);
    this.#dom0.charge(DOM0_COST.grantUnmap, count * unmapNs + calls * unmapCallNs);
  }

  /** Of a page that is mapped both ways, a mapping that only reads goes first. */
  #unmapOne(gref: number): void {
    this.#unmapCount++;
    this.#table.unmap(gref, this.#table.hasReaders(gref));
  }

  #refuse(gref: number): undefined {
    this.#tell(gref, this.#table.refusal);
    return undefined;
  }

  #tell(gref: number, why: string): void {
    this.#errors.guestError("grants", `dom0 cannot access grant ${gref}: ${why}`);
  }
}
