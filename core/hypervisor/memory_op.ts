/**
 * The memory_op hypercall: EBX = command, ECX = pointer. It places Xen's pages in guest-physical
 * space.
 * Source: Xen public header memory.h, i386 layout.
 * @module
 */

import { PAGE_SIZE } from "../types.ts";
import type { GuestMemory } from "../types.ts";
import { checkTarget, ERRNO } from "./errno.ts";
import type { GrantTable } from "./grant_table.ts";
import type { GuestCall } from "./guest_pointer.ts";
import type { SharedInfo } from "./shared_info.ts";
import type { XenFrames } from "./xen_frames.ts";

/** Numbers of the operations. */
export const XENMEM = {
  CURRENT_RESERVATION: 3,
  MAXIMUM_RESERVATION: 4,
  ADD_TO_PHYSMAP: 7,
  REMOVE_FROM_PHYSMAP: 15,
} as const;

/** Whose page is placed. */
export const XENMAPSPACE = {
  SHARED_INFO: 0,
  GRANT_TABLE: 1,
} as const;

/** Offsets of xen_add_to_physmap. */
export const XEN_ADD_TO_PHYSMAP = { DOMID: 0, SPACE: 4, IDX: 8, GPFN: 12, SIZE: 16 } as const;

/** Offsets of xen_remove_from_physmap. */
export const XEN_REMOVE_FROM_PHYSMAP = { DOMID: 0, GPFN: 4, SIZE: 8 } as const;

/** Frames below 4 GiB: all that the board decodes. */
const GFN_LIMIT = 0x100000;

/** What memory_op works on. */
export interface MemoryOpTargets {
  readonly domid: number;
  readonly memory: GuestMemory;
  readonly frames: XenFrames;
  readonly shared: SharedInfo;
  readonly grants: GrantTable;
}

/** Serves one memory_op. There is no ballooning: its commands answer -ENOSYS. */
export function memoryOp(targets: MemoryOpTargets, call: GuestCall): number {
  switch (call.first) {
    case XENMEM.CURRENT_RESERVATION:
    case XENMEM.MAXIMUM_RESERVATION:
      return reservation(targets, call);
    case XENMEM.ADD_TO_PHYSMAP:
      return addToPhysmap(targets, call);
    case XENMEM.REMOVE_FROM_PHYSMAP:
      return removeFromPhysmap(targets, call);
    default:
      return -ERRNO.ENOSYS;
  }
}

function reservation(targets: MemoryOpTargets, call: GuestCall): number {
  if (!call.load(call.second, 2)) return -ERRNO.EFAULT;
  return checkTarget(call.fields.getUint16(0, true), targets.domid) ||
    Math.floor(targets.memory.size / PAGE_SIZE);
}

function addToPhysmap(targets: MemoryOpTargets, call: GuestCall): number {
  const { fields } = call;
  if (!call.load(call.second, XEN_ADD_TO_PHYSMAP.SIZE)) return -ERRNO.EFAULT;
  const denied = checkTarget(fields.getUint16(XEN_ADD_TO_PHYSMAP.DOMID, true), targets.domid);
  if (denied !== 0) return denied;
  const gfn = fields.getUint32(XEN_ADD_TO_PHYSMAP.GPFN, true);
  if (gfn >= GFN_LIMIT) return -ERRNO.EINVAL;
  const index = fields.getUint32(XEN_ADD_TO_PHYSMAP.IDX, true);
  const frame = frameOf(targets, fields.getUint32(XEN_ADD_TO_PHYSMAP.SPACE, true), index);
  if (frame === undefined) return -ERRNO.EINVAL;
  targets.frames.place(frame, gfn);
  return 0;
}

function frameOf(targets: MemoryOpTargets, space: number, index: number): Uint8Array | undefined {
  switch (space) {
    case XENMAPSPACE.SHARED_INFO:
      return index === 0 ? targets.shared.frame : undefined;
    case XENMAPSPACE.GRANT_TABLE:
      return targets.grants.frames.at(index);
    default:
      return undefined;
  }
}

/** Takes a page of Xen's away; the guest's own RAM stays where it is. */
function removeFromPhysmap(targets: MemoryOpTargets, call: GuestCall): number {
  if (!call.load(call.second, XEN_REMOVE_FROM_PHYSMAP.SIZE)) return -ERRNO.EFAULT;
  const denied = checkTarget(
    call.fields.getUint16(XEN_REMOVE_FROM_PHYSMAP.DOMID, true),
    targets.domid,
  );
  if (denied !== 0) return denied;
  return targets.frames.remove(call.fields.getUint32(XEN_REMOVE_FROM_PHYSMAP.GPFN, true))
    ? 0
    : -ERRNO.ENOENT;
}
