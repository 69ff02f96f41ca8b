/**
 * memory_op's commands that say what is where in guest-physical space: pages of Xen's own, and those
 * of the guest that it moves.
 * Source: Xen public header memory.h, i386 layout; xenmem_add_to_physmap_one() of xen/arch/x86/mm.c.
 * @module
 */

import { checkTarget } from "../domid.ts";
import { ERRNO } from "./errno.ts";
import type { GrantTable } from "../grants/grant_table.ts";
import type { GuestCall } from "./guest_pointer.ts";
import type { Reservation } from "./reservation.ts";
import type { SharedInfo } from "../shared_info.ts";
import { GFN_LIMIT, type XenFrames } from "../xen_frames.ts";

/** Whose page is placed. */
export const XENMAPSPACE = {
  SHARED_INFO: 0,
  GRANT_TABLE: 1,
  GMFN: 2,
  GMFN_RANGE: 3,
  GMFN_FOREIGN: 4,
} as const;

/** Offsets of xen_add_to_physmap. */
export const XEN_ADD_TO_PHYSMAP = {
  DOMID: 0,
  SIZE_OF_RANGE: 2,
  SPACE: 4,
  IDX: 8,
  GPFN: 12,
  SIZE: 16,
} as const;

/** Offsets of xen_add_to_physmap_batch. */
export const XEN_ADD_TO_PHYSMAP_BATCH = {
  DOMID: 0,
  SPACE: 2,
  SIZE_OF_BATCH: 4,
  FOREIGN_DOMID: 6,
  IDXS: 8,
  GPFNS: 12,
  ERRS: 16,
  SIZE: 20,
} as const;

/** Offsets of xen_remove_from_physmap. */
export const XEN_REMOVE_FROM_PHYSMAP = { DOMID: 0, GPFN: 4, SIZE: 8 } as const;

/** What these commands work on. */
export interface PhysmapTargets {
  readonly domid: number;
  readonly frames: XenFrames;
  readonly shared: SharedInfo;
  readonly grants: GrantTable;
  readonly reservation: Reservation;
}

/** XENMEM_add_to_physmap. */
export function addToPhysmap(targets: PhysmapTargets, call: GuestCall): number {
  const { fields } = call;
  const { DOMID, SIZE_OF_RANGE, SPACE, IDX, GPFN, SIZE } = XEN_ADD_TO_PHYSMAP;
  if (!call.load(call.second, SIZE)) return -ERRNO.EFAULT;
  const space = fields.getUint32(SPACE, true);
  if (space === XENMAPSPACE.GMFN_FOREIGN) return -ERRNO.ENOSYS; // is for batches
  const denied = checkTarget(fields.getUint16(DOMID, true), targets.domid);
  if (denied !== 0) return denied;
  const [index, gfn] = [fields.getUint32(IDX, true), fields.getUint32(GPFN, true)];
  if (space !== XENMAPSPACE.GMFN_RANGE) return place(targets, space, index, gfn);
  const count = fields.getUint16(SIZE_OF_RANGE, true);
  for (let i = 0; i < count; i++) {
    const result = place(targets, XENMAPSPACE.GMFN, index + i, gfn + i);
    if (result !== 0) return result;
  }
  return 0;
}

/** XENMEM_add_to_physmap_batch: each entry has an error number of its own. */
export function addToPhysmapBatch(targets: PhysmapTargets, call: GuestCall): number {
  const { fields } = call;
  const { DOMID, SPACE, SIZE_OF_BATCH, FOREIGN_DOMID, IDXS, GPFNS, ERRS, SIZE } =
    XEN_ADD_TO_PHYSMAP_BATCH;
  if (!call.load(call.second, SIZE)) return -ERRNO.EFAULT;
  const space = fields.getUint16(SPACE, true);
  if (space === XENMAPSPACE.GMFN_RANGE) return -ERRNO.EOPNOTSUPP; // a batch of batches
  const denied = checkTarget(fields.getUint16(DOMID, true), targets.domid);
  if (denied !== 0) return denied;
  // A guest reaches no page of another domain but by grants.
  const foreign = space === XENMAPSPACE.GMFN_FOREIGN
    ? checkTarget(fields.getUint16(FOREIGN_DOMID, true), targets.domid)
    : 0;
  const count = fields.getUint16(SIZE_OF_BATCH, true);
  const [indexes, gfns, errors] = [IDXS, GPFNS, ERRS].map((at) => fields.getUint32(at, true));
  for (let i = 0; i < count; i++) {
    if (!call.load(indexes! + 4 * i, 4) || !call.load(gfns! + 4 * i, 4, 4)) return -ERRNO.EFAULT;
    const [index, gfn] = [fields.getUint32(0, true), fields.getUint32(4, true)];
    fields.setInt32(0, foreign || place(targets, space, index, gfn), true);
    if (!call.store(errors! + 4 * i, 4)) return -ERRNO.EFAULT;
  }
  return 0;
}

/** XENMEM_remove_from_physmap. Under a page of Xen's the guest's own RAM has stayed. */
export function removeFromPhysmap(targets: PhysmapTargets, call: GuestCall): number {
  const { DOMID, GPFN, SIZE } = XEN_REMOVE_FROM_PHYSMAP;
  if (!call.load(call.second, SIZE)) return -ERRNO.EFAULT;
  const denied = checkTarget(call.fields.getUint16(DOMID, true), targets.domid);
  if (denied !== 0) return denied;
  const gfn = call.fields.getUint32(GPFN, true);
  return targets.frames.remove(gfn) || targets.reservation.remove(gfn) ? 0 : -ERRNO.ENOENT;
}

function place(targets: PhysmapTargets, space: number, index: number, gfn: number): number {
  const { frames, reservation, shared } = targets;
  if (gfn >= GFN_LIMIT) return -ERRNO.EINVAL;
  const frame = frameOf(targets, space, index);
  if (frame === undefined) return -ERRNO.EINVAL;
  // What is there has to go, and a page of another domain's goes by its handle alone.
  if (frames.isForeign(gfn)) return -ERRNO.ENXIO;
  if (space === XENMAPSPACE.GMFN) return reservation.move(index, gfn) ? 0 : -ERRNO.EINVAL;
  if (space === XENMAPSPACE.SHARED_INFO) shared.writeClocks();
  frames.place(frame, gfn);
  return 0;
}

function frameOf(targets: PhysmapTargets, space: number, index: number): Uint8Array | undefined {
  switch (space) {
    case XENMAPSPACE.SHARED_INFO:
      return index === 0 ? targets.shared.frame : undefined;
    case XENMAPSPACE.GRANT_TABLE:
      return targets.grants.frames.at(index);
    case XENMAPSPACE.GMFN:
      return targets.reservation.page(index);
    default:
      return undefined;
  }
}
