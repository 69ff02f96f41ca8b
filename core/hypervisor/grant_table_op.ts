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

const GNTTABOP_QUERY_SIZE = 6;
const GNTTABOP_SET_VERSION = 8;
const GNTTABOP_GET_VERSION = 10;

const GNTST_OKAY = 0;
const GNTST_BAD_DOMAIN = -2;
const GNTST_PERMISSION_DENIED = -8;

/** Serves one grant_table_op. */
export function grantTableOp(grants: GrantTable, domid: number, call: GuestCall): number {
  switch (call.first) {
    case GNTTABOP_QUERY_SIZE:
      return call.third === 1 ? querySize(grants, domid, call) : -ERRNO.EINVAL;
    case GNTTABOP_SET_VERSION:
      return call.third === 1 ? setVersion(call) : -ERRNO.EINVAL;
    case GNTTABOP_GET_VERSION:
      return call.third === 1 ? getVersion(domid, call) : -ERRNO.EINVAL;
    default:
      return -ERRNO.ENOSYS;
  }
}

/** {dom u16 @0, nr_frames u32 @4, max_nr_frames u32 @8, status s16 @12} */
function querySize(grants: GrantTable, domid: number, call: GuestCall): number {
  const { fields } = call;
  if (!call.load(call.second, 16)) return -ERRNO.EFAULT;
  const status = grantStatus(checkTarget(fields.getUint16(0, true), domid));
  fields.setInt16(12, status, true);
  if (status === GNTST_OKAY) {
    fields.setUint32(4, grants.frameCount, true);
    fields.setUint32(8, MAX_GRANT_FRAMES, true);
  }
  return call.store(call.second, 16) ? 0 : -ERRNO.EFAULT;
}

/** {version u32 @0} */
function setVersion(call: GuestCall): number {
  if (!call.load(call.second, 4)) return -ERRNO.EFAULT;
  const version = call.fields.getUint32(0, true);
  if (version === 2) return -ERRNO.ENOSYS;
  return version === 1 ? 0 : -ERRNO.EINVAL;
}

/** {dom u16 @0, version u32 @4} */
function getVersion(domid: number, call: GuestCall): number {
  if (!call.load(call.second, 8)) return -ERRNO.EFAULT;
  const denied = checkTarget(call.fields.getUint16(0, true), domid);
  if (denied !== 0) return denied;
  call.fields.setUint32(4, 1, true);
  return call.store(call.second, 8) ? 0 : -ERRNO.EFAULT;
}

function grantStatus(denied: number): number {
  if (denied === 0) return GNTST_OKAY;
  return denied === -ERRNO.EPERM ? GNTST_PERMISSION_DENIED : GNTST_BAD_DOMAIN;
}
