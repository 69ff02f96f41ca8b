/**
 * The guest as the one that calls grant_table_op: what it has and what it can reach.
 * @module
 */

import type { GuestErrors, GuestMemory, Ns } from "../../types.ts";
import type { GrantWork } from "./dom0_grants.ts";
import { ERRNO } from "../hypercalls/errno.ts";
import type { GrantStatus } from "./entry.ts";
import type { GrantTable } from "./grant_table.ts";
import type { GuestCall } from "../hypercalls/guest_pointer.ts";
import type { Maptrack } from "./maptrack.ts";
import type { XenFrames } from "../xen_frames.ts";

/** Elements after which a call is made again for the rest, so that none takes for ever. */
const PREEMPT_AFTER = 1024;

/** What a caller is made of. */
export interface GrantCallerOptions {
  /** The caller's own table. */
  readonly table: GrantTable;
  /** Finds the table of a domain; the caller's, too. */
  readonly domain: (domid: number) => GrantTable | undefined;
  readonly frames: XenFrames;
  /** What it has mapped. */
  readonly maptrack: Maptrack;
  readonly memory: Pick<GuestMemory, "wrote">;
  readonly errors: GuestErrors;
  readonly costs: GrantWork;
  /** Books the time of an element. */
  readonly charge: (ns: Ns) => void;
  /** Ends the caller, as Xen does with a domain that breaks its own memory map. */
  readonly crash: (why: string) => void;
}

/** An array of structures, each with a status of its own. */
export interface ElementLayout {
  /** Bytes. */
  readonly SIZE: number;
  /** Offset of a signed 16-bit status. */
  readonly STATUS: number;
}

/** One guest in grant_table_op. */
export class GrantCaller {
  readonly table: GrantTable;
  readonly domain: (domid: number) => GrantTable | undefined;
  readonly frames: XenFrames;
  readonly maptrack: Maptrack;
  readonly memory: Pick<GuestMemory, "wrote">;
  readonly costs: GrantWork;
  readonly charge: (ns: Ns) => void;
  readonly crash: (why: string) => void;
  readonly #errors: GuestErrors;

  constructor(options: GrantCallerOptions) {
    this.table = options.table;
    this.domain = options.domain;
    this.frames = options.frames;
    this.maptrack = options.maptrack;
    this.memory = options.memory;
    this.costs = options.costs;
    this.charge = options.charge;
    this.crash = options.crash;
    this.#errors = options.errors;
  }

  get domid(): number {
    return this.table.domid;
  }

  /** Tells of an element that failed. */
  refuse(status: GrantStatus, why: string): GrantStatus {
    this.#errors.guestError("grants", `domain ${this.domid}: ${why}`);
    return status;
  }

  /** Tells why a table has refused a reference. */
  refuseGrant(table: GrantTable, gref: number, status: GrantStatus): GrantStatus {
    return this.refuse(
      status,
      `no access to grant ${gref} of domain ${table.domid}: ${table.refusal}`,
    );
  }

  /**
   * Serves an array of structures that ECX points to and EDX counts. Each has a status; those that
   * were served keep theirs when a later one cannot be read.
   * @param serve works on {@link GuestCall.fields}, which came from its argument
   * @param whole all of a structure is written back, not the status alone
   * @returns 0 or an error number
   */
  forEach(
    call: GuestCall,
    { SIZE, STATUS }: ElementLayout,
    serve: () => GrantStatus,
    whole: boolean = false,
  ): number {
    const { second: base, third: count } = call;
    const now = Math.min(count, PREEMPT_AFTER);
    for (let i = 0; i < now; i++) {
      const pointer = base + i * SIZE;
      if (!call.load(pointer, SIZE)) return -ERRNO.EFAULT;
      call.fields.setInt16(STATUS, serve(), true);
      const stored = whole ? call.store(pointer, SIZE) : call.store(pointer + STATUS, 2, STATUS);
      if (!stored) return -ERRNO.EFAULT;
    }
    if (now < count) call.goOn(call.first, base + now * SIZE, count - now);
    return 0;
  }
}
