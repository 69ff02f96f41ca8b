/**
 * GNTTABOP_copy: Xen copies between pages that a guest is granted, or its own.
 * Source: Xen public header grant_table.h; gnttab_copy_one() of xen/common/grant_table.c.
 * @module
 */

import { PAGE_SIZE } from "../../types.ts";
import { DOMID_SELF } from "../domid.ts";
import type { GrantCaller } from "./caller.ts";
import { copyWork } from "./dom0_grants.ts";
import { GNTST, type GrantStatus } from "./entry.ts";
import { GNTCOPY, GNTTAB_COPY, GNTTAB_COPY_PTR } from "./structs.ts";
import type { GrantTable } from "./grant_table.ts";
import type { GuestCall } from "../hypercalls/guest_pointer.ts";

const { OKAY, GENERAL_ERROR, BAD_DOMAIN, PERMISSION_DENIED, BAD_PAGE, BAD_COPY_ARG } = GNTST;

/** One end of a copy: as the guest names it, then with the page that it names. */
class CopyEnd {
  readonly #readOnly: boolean;
  /** A reference, or a frame of the guest's own. */
  u = 0;
  offset = 0;
  page: Uint8Array | undefined;
  /** What may be touched of the page. */
  start = 0;
  length = 0;
  #isGref = false;
  #owner: GrantTable | undefined;

  /** @param readOnly it is the source */
  constructor(readOnly: boolean) {
    this.#readOnly = readOnly;
  }

  /** Takes the fields of a gnttab_copy_ptr, and finds the domain. */
  name(caller: GrantCaller, fields: DataView, at: number, isGref: boolean): GrantStatus {
    const domid = fields.getUint16(at + GNTTAB_COPY_PTR.DOMID, true);
    this.u = fields.getUint32(at + GNTTAB_COPY_PTR.U, true);
    this.offset = fields.getUint16(at + GNTTAB_COPY_PTR.OFFSET, true);
    this.#isGref = isGref;
    this.page = undefined;
    if (domid !== DOMID_SELF && !isGref) {
      return caller.refuse(PERMISSION_DENIED, `cannot copy by frame in domain ${domid}`);
    }
    this.#owner = domid === DOMID_SELF ? caller.table : caller.domain(domid);
    if (this.#owner !== undefined) return OKAY;
    return caller.refuse(BAD_DOMAIN, `there is no domain ${domid}`);
  }

  /** Gets hold of the page. */
  claim(caller: GrantCaller): GrantStatus {
    return this.#isGref ? this.#claimGrant(caller, this.#owner!) : this.#claimFrame(caller);
  }

  /** Lets go of it. */
  release(): void {
    if (this.page !== undefined && this.#isGref) this.#owner!.release(this.u, this.#readOnly);
    this.page = undefined;
  }

  /** The bytes lie in what may be touched. */
  holds(length: number): boolean {
    const { start, offset } = this;
    return offset >= start && offset + length <= start + this.length;
  }

  #claimGrant(caller: GrantCaller, owner: GrantTable): GrantStatus {
    const status = owner.acquire(this.u, caller.domid, this.#readOnly);
    if (status !== OKAY) return caller.refuseGrant(owner, this.u, status);
    this.page = owner.page(this.u);
    this.start = owner.start(this.u);
    this.length = owner.length(this.u);
    return OKAY;
  }

  #claimFrame(caller: GrantCaller): GrantStatus {
    this.page = caller.frames.page(this.u, this.#readOnly);
    this.start = 0;
    this.length = PAGE_SIZE;
    if (this.page !== undefined) return OKAY;
    return caller.refuse(BAD_PAGE, `cannot copy: frame ${this.u} is no memory`);
  }
}

/** Serves copy. */
export class GrantCopy {
  readonly #source = new CopyEnd(true);
  readonly #dest = new CopyEnd(false);

  /** Serves the array that a call points to. */
  serve(caller: GrantCaller, call: GuestCall): number {
    return caller.forEach(call, GNTTAB_COPY, () => this.#copyOne(caller, call.fields));
  }

  #copyOne(caller: GrantCaller, fields: DataView): GrantStatus {
    const { SOURCE, DEST, LEN, FLAGS } = GNTTAB_COPY;
    const source = this.#source, dest = this.#dest;
    const flags = fields.getUint16(FLAGS, true);
    const length = fields.getUint16(LEN, true);
    caller.charge(copyWork(caller.costs, length));
    const status = source.name(caller, fields, SOURCE, (flags & GNTCOPY.SOURCE_GREF) !== 0) ||
      dest.name(caller, fields, DEST, (flags & GNTCOPY.DEST_GREF) !== 0) ||
      source.claim(caller) || dest.claim(caller) || this.#move(caller, length);
    source.release();
    dest.release();
    return status;
  }

  #move(caller: GrantCaller, length: number): GrantStatus {
    const source = this.#source, dest = this.#dest;
    if (source.offset + length > PAGE_SIZE || dest.offset + length > PAGE_SIZE) {
      return caller.refuse(BAD_COPY_ARG, `cannot copy ${length} bytes: they leave a page`);
    }
    if (!source.holds(length) || !dest.holds(length)) {
      return caller.refuse(GENERAL_ERROR, `cannot copy ${length} bytes: they are not all granted`);
    }
    const to = dest.page!.subarray(dest.offset, dest.offset + length);
    to.set(source.page!.subarray(source.offset, source.offset + length));
    caller.memory.wrote(to);
    return OKAY;
  }
}
