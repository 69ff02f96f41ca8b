/**
 * The grant_table_op hypercall: EBX = command, ECX = array of structures, EDX = their number. Each
 * element has a status of its own; the call fails as a whole when the array cannot be read.
 * Source: Xen public header grant_table.h; do_grant_table_op() of xen/common/grant_table.c, and
 * hvm_grant_table_op() of xen/arch/x86/hvm/hypercall.c for what gets there.
 * @module
 */

import { checkTarget } from "../domid.ts";
import { ERRNO } from "../hypercalls/errno.ts";
import type { GrantCaller } from "./caller.ts";
import { GrantCopy } from "./copy.ts";
import { GNTST, type GrantStatus, MAX_GRANT_FRAMES } from "./entry.ts";
import { mapGrantRefs, unmapGrantRefs } from "./map.ts";
import {
  GNTTAB_GET_VERSION,
  GNTTAB_QUERY_SIZE,
  GNTTAB_SET_VERSION,
  GNTTAB_SETUP_TABLE,
  GNTTAB_SWAP_GRANT_REF,
  GNTTABOP,
} from "./structs.ts";
import type { GuestCall } from "../hypercalls/guest_pointer.ts";

/** What an HVM guest may ask for; Xen has not looked into the rest. */
const SERVED: ReadonlySet<number> = new Set(Object.values(GNTTABOP));
/** A count with this bit is negative. */
const SIGN = 0x80000000;
/** Where the guest has not put a page: INVALID_GFN. */
const NOWHERE = 0xffffffff;

const { OKAY, GENERAL_ERROR, BAD_DOMAIN, BAD_GNTREF, BAD_VIRT_ADDR, EAGAIN } = GNTST;

/** Serves grant_table_op for one guest. */
export class GrantTableOps {
  readonly #caller: GrantCaller;
  readonly #copy = new GrantCopy();

  constructor(caller: GrantCaller) {
    this.#caller = caller;
  }

  /** Serves one call. */
  grantTableOp(call: GuestCall): number {
    if (!SERVED.has(call.first)) return -ERRNO.ENOSYS;
    if (call.third >= SIGN) return -ERRNO.EINVAL;
    switch (call.first) {
      case GNTTABOP.MAP_GRANT_REF:
        return mapGrantRefs(this.#caller, call);
      case GNTTABOP.UNMAP_GRANT_REF:
        return unmapGrantRefs(this.#caller, call);
      case GNTTABOP.COPY:
        return this.#copy.serve(this.#caller, call);
      case GNTTABOP.SWAP_GRANT_REF:
        return this.#caller.forEach(call, GNTTAB_SWAP_GRANT_REF, () => this.#swap(call.fields));
      case GNTTABOP.SETUP_TABLE:
        return this.#setupTable(call);
      case GNTTABOP.QUERY_SIZE:
        return this.#querySize(call);
      case GNTTABOP.SET_VERSION:
        return this.#setVersion(call);
      case GNTTABOP.GET_VERSION:
        return this.#getVersion(call);
      default:
        return -ERRNO.ENOSYS;
    }
  }

  // ---- the table --------------------------------------------------------------------------------

  /** A guest whose memory Xen translates is told where it has put the pages itself. */
  #setupTable(call: GuestCall): number {
    const { DOM, NR_FRAMES, STATUS, FRAME_LIST, SIZE } = GNTTAB_SETUP_TABLE;
    const { fields } = call;
    if (call.third !== 1) return -ERRNO.EINVAL;
    if (!call.load(call.second, SIZE)) return -ERRNO.EFAULT;
    const { frames } = this.#caller.table;
    const count = fields.getUint32(NR_FRAMES, true);
    const list = fields.getUint32(FRAME_LIST, true);
    let status = this.#targetStatus(fields.getUint16(DOM, true));
    if (status === OKAY && !frames.grow(count)) status = GENERAL_ERROR;
    for (let i = 0; status === OKAY && i < count; i++) {
      fields.setUint32(0, this.#placeOf(frames.shared(i)), true);
      if (!call.store(list + i * 4, 4)) status = BAD_VIRT_ADDR;
    }
    return this.#storeStatus(call, STATUS, status);
  }

  #querySize(call: GuestCall): number {
    const { DOM, NR_FRAMES, MAX_NR_FRAMES, STATUS, SIZE } = GNTTAB_QUERY_SIZE;
    const { fields } = call;
    if (call.third !== 1) return -ERRNO.EINVAL;
    if (!call.load(call.second, SIZE)) return -ERRNO.EFAULT;
    const status = this.#targetStatus(fields.getUint16(DOM, true));
    fields.setInt16(STATUS, status, true);
    if (status === OKAY) {
      fields.setUint32(NR_FRAMES, this.#caller.table.frames.count, true);
      fields.setUint32(MAX_NR_FRAMES, MAX_GRANT_FRAMES, true);
    }
    return call.store(call.second, SIZE) ? 0 : -ERRNO.EFAULT;
  }

  /** The version is told back, whether or not it could be changed. */
  #setVersion(call: GuestCall): number {
    const { VERSION, SIZE } = GNTTAB_SET_VERSION;
    if (!call.load(call.second, SIZE)) return -ERRNO.EFAULT;
    const result = this.#changeVersion(call.fields.getUint32(VERSION, true));
    call.fields.setUint32(VERSION, this.#caller.table.frames.version, true);
    return call.store(call.second, SIZE) ? result : -ERRNO.EFAULT;
  }

  #changeVersion(version: number): number {
    const { table, frames } = this.#caller;
    if (version !== 1 && version !== 2) return -ERRNO.EINVAL;
    if (version === table.frames.version) return 0;
    if (table.isBusy) return -ERRNO.EBUSY;
    if (version === 1 && !table.frames.fitsVersion1) return -ERRNO.ERANGE;
    for (let i = 0; i < table.frames.statusCount; i++) frames.withdraw(table.frames.status(i)!);
    table.frames.changeVersion(version);
    return 0;
  }

  #getVersion(call: GuestCall): number {
    const { DOM, VERSION, SIZE } = GNTTAB_GET_VERSION;
    if (!call.load(call.second, SIZE)) return -ERRNO.EFAULT;
    const denied = checkTarget(call.fields.getUint16(DOM, true), this.#caller.domid);
    if (denied !== 0) return denied;
    call.fields.setUint32(VERSION, this.#caller.table.frames.version, true);
    return call.store(call.second + VERSION, 4, VERSION) ? 0 : -ERRNO.EFAULT;
  }

  #swap(fields: DataView): GrantStatus {
    const { table } = this.#caller;
    const a = fields.getUint32(GNTTAB_SWAP_GRANT_REF.REF_A, true);
    const b = fields.getUint32(GNTTAB_SWAP_GRANT_REF.REF_B, true);
    const count = table.frames.entryCount;
    if (a >= count || b >= count) {
      return this.#caller.refuse(BAD_GNTREF, `cannot swap grants ${a} and ${b}: no such entry`);
    }
    if (a === b) return OKAY;
    if (table.isInUse(a) || table.isInUse(b)) return EAGAIN;
    table.frames.swap(a, b);
    return OKAY;
  }

  #targetStatus(domid: number): GrantStatus {
    const denied = checkTarget(domid, this.#caller.domid);
    if (denied === 0) return OKAY;
    return denied === -ERRNO.EPERM ? GNTST.PERMISSION_DENIED : BAD_DOMAIN;
  }

  #placeOf(frame: Uint8Array | undefined): number {
    return (frame && this.#caller.frames.placeOf(frame)) ?? NOWHERE;
  }

  #storeStatus(call: GuestCall, at: number, status: GrantStatus): number {
    call.fields.setInt16(at, status, true);
    return call.store(call.second + at, 2, at) ? 0 : -ERRNO.EFAULT;
  }
}
