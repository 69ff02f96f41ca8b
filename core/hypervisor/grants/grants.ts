/**
 * The grant tables there are: the guest's and dom0's, and those who use them. The guest is reached
 * by dom0's backends; dom0's pages, and the guest's own, by the guest's hypercalls.
 * @module
 */

import { PAGE_SIZE } from "../../types.ts";
import type { Dom0, Gfn, GuestErrors, GuestMemory, Ns, Physmap } from "../../types.ts";
import { Dom0Grants, type GrantCosts, type GrantWork } from "./dom0_grants.ts";
import { DOM0 } from "../domid.ts";
import { GrantCaller } from "./caller.ts";
import { type GrantedMemory, GrantTable } from "./grant_table.ts";
import { GrantTableOps } from "./grant_table_op.ts";
import { Maptrack } from "./maptrack.ts";
import { XenFrames } from "../xen_frames.ts";

/** What the tables work with. */
export interface GrantTablesOptions {
  /** The guest's number. */
  readonly domid: number;
  /** The guest's. */
  readonly memory: GuestMemory;
  readonly physmap: Physmap;
  readonly dom0: Dom0;
  readonly errors: GuestErrors;
  /** What dom0's operations cost it. */
  readonly grantCosts: GrantCosts;
  /** What the guest's own cost it. */
  readonly grantWork: GrantWork;
  /** Books that for the guest. */
  readonly onWork: (ns: Ns) => void;
  /** Ends the guest. */
  readonly crash: (why: string) => void;
}

/** The tables of one guest and its dom0. */
export class GrantTables {
  readonly guest: GrantTable;
  /** dom0 with the guest's pages. */
  readonly backends: Dom0Grants;
  /** The guest with dom0's and its own. */
  readonly ops: GrantTableOps;
  /** What the guest sees of both in its memory. */
  readonly frames: XenFrames;
  readonly dom0Memory: Dom0Memory;
  /** The mappings that the guest has made. */
  readonly maptrack: Maptrack = new Maptrack();
  readonly #domain: (domid: number) => GrantTable | undefined;
  #dom0: GrantTable | undefined;

  constructor(options: GrantTablesOptions) {
    const { domid, memory, physmap, dom0, errors, grantCosts, onWork, crash } = options;
    const domain = this.#domain = (id: number) =>
      id === domid ? this.guest : id === DOM0 ? this.dom0 : undefined;
    const frames = this.frames = new XenFrames(memory, physmap);
    const table = this.guest = new GrantTable(domid, frames, () => physmap.allocateFrame(), domain);
    this.backends = new Dom0Grants({ table, memory, dom0, errors, costs: grantCosts });
    this.dom0Memory = new Dom0Memory(physmap);
    const costs = options.grantWork;
    const charge = onWork;
    const { maptrack } = this;
    const caller = { table, domain, frames, maptrack, memory, errors, costs, charge, crash };
    this.ops = new GrantTableOps(new GrantCaller(caller));
  }

  /** dom0's own, made when it is first asked for. */
  get dom0(): GrantTable {
    return this.#dom0 ??= new GrantTable(
      DOM0,
      this.dom0Memory,
      () => new Uint8Array(PAGE_SIZE),
      this.#domain,
    );
  }
}

/** Pages of dom0's that it can grant to the guest, numbered as they are made. */
export class Dom0Memory implements GrantedMemory {
  readonly #physmap: Physmap;
  readonly #pages: Uint8Array[] = [];

  constructor(physmap: Physmap) {
    this.#physmap = physmap;
  }

  /** Makes a page. */
  allocate(): Gfn {
    return this.#pages.push(this.#physmap.allocateFrame()) - 1;
  }

  page(gfn: Gfn): Uint8Array | undefined {
    return this.#pages[gfn];
  }

  isForeign(): boolean {
    return false;
  }
}
