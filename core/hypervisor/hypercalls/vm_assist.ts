/**
 * The vm_assist hypercall: EBX = 0 enable or 1 disable, ECX = type.
 * Source: Xen public header xen.h; vm_assist() of xen/common/domain.c.
 * @module
 */

import { ERRNO } from "./errno.ts";
import type { GuestCall } from "./guest_pointer.ts";

/** Numbers of the commands. */
export const VMASST_CMD = { ENABLE: 0, DISABLE: 1 } as const;

/** The one assistance that an HVM guest may switch. */
export const VMASST_TYPE = { RUNSTATE_UPDATE_FLAG: 5 } as const;

/** Serves one vm_assist. The runstate area is never seen half written, so nothing changes. */
export function vmAssist(call: GuestCall): number {
  if (call.second !== VMASST_TYPE.RUNSTATE_UPDATE_FLAG) return -ERRNO.EINVAL;
  return call.first === VMASST_CMD.ENABLE || call.first === VMASST_CMD.DISABLE ? 0 : -ERRNO.ENOSYS;
}
