/**
 * The grant_table_op hypercall as a guest that only grants uses it: EBX = command, ECX = array of
 * structures, EDX = their number.
 * Source: Xen public header grant_table.h. A guest cannot map or copy here: there is no other
 * domain whose pages it could reach, so those commands answer -ENOSYS, as does version 2.
 * @module
 */

import { checkTarget, ERRNO } from "./errno.ts";
import { MAX_GRANT_FRAMES } from "./grants.ts";
import type { GrantTable } from "./grants.ts";
import type { GuestCall } from "./guest_pointer.ts";

/** Numbers of the operations. */
export const GNTTABOP = {
  QUERY_SIZE: 6,
  SET_VERSION: 8,
  GET_VERSION: 10,
} as const;

/** Status in a structure, a signed 16-bit value. */
export const GNTST = {
  OKAY: 0,
  BAD_DOMAIN: -2,
  PERMISSION_DENIED: -8,
} as const;

/** Offsets of gnttab_query_size. */
export const GNTTAB_QUERY_SIZE = {
  DOM: 0,
  NR_FRAMES: 4,
  MAX_NR_FRAMES: 8,
  STATUS: 12,
  SIZE: 16,
} as const;

/** Offsets of gnttab_set_version. */
export const GNTTAB_SET_VERSION = { VERSION: 0, SIZE: 4 } as const;

/** Offsets of gnttab_get_version. */
export const GNTTAB_GET_VERSION = { DOM: 0, VERSION: 4, SIZE: 8 } as const;

/** Serves one grant_table_op. */
export function grantTableOp(grants: GrantTable, domid: number, call: GuestCall): number {
  switch (call.first) {
    case GNTTABOP.QUERY_SIZE:
      return call.third === 1 ? querySize(grants, domid, call) : -ERRNO.EINVAL;
    case GNTTABOP.SET_VERSION:
      return call.third === 1 ? setVersion(call) : -ERRNO.EINVAL;
    case GNTTABOP.GET_VERSION:
      return call.third === 1 ? getVersion(domid, call) : -ERRNO.EINVAL;
    default:
      return -ERRNO.ENOSYS;
  }
}

function querySize(grants: GrantTable, domid: number, call: GuestCall): number {
  const { fields } = call;
  const { DOM, NR_FRAMES, MAX_NR_FRAMES, STATUS, SIZE } = GNTTAB_QUERY_SIZE;
  if (!call.load(call.second, SIZE)) return -ERRNO.EFAULT;
  const status = grantStatus(checkTarget(fields.getUint16(DOM, true), domid));
  fields.setInt16(STATUS, status, true);
  if (status === GNTST.OKAY) {
    fields.setUint32(NR_FRAMES, grants.frameCount, true);
    fields.setUint32(MAX_NR_FRAMES, MAX_GRANT_FRAMES, true);
  }
  return call.store(call.second, SIZE) ? 0 : -ERRNO.EFAULT;
}

function setVersion(call: GuestCall): number {
  if (!call.load(call.second, GNTTAB_SET_VERSION.SIZE)) return -ERRNO.EFAULT;
  const version = call.fields.getUint32(GNTTAB_SET_VERSION.VERSION, true);
  if (version === 2) return -ERRNO.ENOSYS;
  return version === 1 ? 0 : -ERRNO.EINVAL;
}

function getVersion(domid: number, call: GuestCall): number {
  const { DOM, VERSION, SIZE } = GNTTAB_GET_VERSION;
  if (!call.load(call.second, SIZE)) return -ERRNO.EFAULT;
  const denied = checkTarget(call.fields.getUint16(DOM, true), domid);
  if (denied !== 0) return denied;
  call.fields.setUint32(VERSION, 1, true);
  return call.store(call.second, SIZE) ? 0 : -ERRNO.EFAULT;
}

function grantStatus(denied: number): number {
  if (denied === 0) return GNTST.OKAY;
  return denied === -ERRNO.EPERM ? GNTST.PERMISSION_DENIED : GNTST.BAD_DOMAIN;
}
