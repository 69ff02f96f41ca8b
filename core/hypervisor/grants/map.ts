/**
 * GNTTABOP_map_grant_ref and unmap_grant_ref: a guest has pages that it is granted appear in its
 * guest-physical space.
 * Source: Xen public header grant_table.h; map_grant_ref() and unmap_common() of
 * xen/common/grant_table.c; create_grant_p2m_mapping(), replace_grant_p2m_mapping() for HVM guests.
 * @module
 */

import { PAGE_SIZE } from "../../types.ts";
import type { Gfn } from "../../types.ts";
import type { GrantCaller } from "./caller.ts";
import { GNTST, type GrantStatus } from "./entry.ts";
import { GNTMAP, GNTTAB_MAP_GRANT_REF, GNTTAB_UNMAP_GRANT_REF } from "./structs.ts";
import type { GrantTable } from "./grant_table.ts";
import type { GuestCall } from "../hypercalls/guest_pointer.ts";
import type { GrantMapping } from "./maptrack.ts";
import { GFN_LIMIT } from "../xen_frames.ts";

/** Mappings of the kinds that an HVM guest cannot have. */
const PV_ONLY = GNTMAP.DEVICE_MAP | GNTMAP.APPLICATION_MAP | GNTMAP.CONTAINS_PTE;

const { OKAY, GENERAL_ERROR, BAD_DOMAIN, BAD_GNTREF, BAD_HANDLE, NO_SPACE } = GNTST;

/** Serves map_grant_ref. */
export function mapGrantRefs(caller: GrantCaller, call: GuestCall): number {
  return caller.forEach(call, GNTTAB_MAP_GRANT_REF, () => mapOne(caller, call.fields), true);
}

/** Serves unmap_grant_ref. The caller's one vCPU has no other to shoot TLB entries down on. */
export function unmapGrantRefs(caller: GrantCaller, call: GuestCall): number {
  return caller.forEach(call, GNTTAB_UNMAP_GRANT_REF, () => {
    const { HOST_ADDR, DEV_BUS_ADDR, HANDLE } = GNTTAB_UNMAP_GRANT_REF;
    const { fields } = call;
    const handle = fields.getUint32(HANDLE, true);
    const busAddress = fields.getBigUint64(DEV_BUS_ADDR, true);
    return unmapOne(caller, handle, fields.getBigUint64(HOST_ADDR, true), busAddress);
  });
}

// ---- map ----------------------------------------------------------------------------------------

function mapOne(caller: GrantCaller, fields: DataView): GrantStatus {
  const { HOST_ADDR, FLAGS, REF, DOM, HANDLE, DEV_BUS_ADDR } = GNTTAB_MAP_GRANT_REF;
  caller.charge(caller.costs.mapNs);
  const flags = fields.getUint32(FLAGS, true);
  const gref = fields.getUint32(REF, true);
  const domid = fields.getUint16(DOM, true);
  if ((flags & (GNTMAP.DEVICE_MAP | GNTMAP.HOST_MAP)) === 0) {
    return caller.refuse(BAD_GNTREF, `cannot map grant ${gref}: neither for host nor for device`);
  }
  if ((flags & PV_ONLY) !== 0) {
    return caller.refuse(GENERAL_ERROR, `cannot map grant ${gref}: flags ${flags} are for PV`);
  }
  const owner = caller.domain(domid);
  if (owner === undefined) return caller.refuse(BAD_DOMAIN, `there is no domain ${domid}`);
  if (!caller.maptrack.hasRoom) return caller.refuse(NO_SPACE, "no maptrack handle is left");
  const readOnly = (flags & GNTMAP.READONLY) !== 0;
  const status = owner.map(gref, caller.domid, readOnly);
  if (status !== OKAY) return caller.refuseGrant(owner, gref, status);
  const gfn = Number(fields.getBigUint64(HOST_ADDR, true) >> 12n);
  const mapping = { domid, gref, flags, gfn };
  if (!show(caller, owner, mapping)) {
    owner.unmap(gref, readOnly);
    return GENERAL_ERROR;
  }
  fields.setUint32(HANDLE, caller.maptrack.add(mapping)!, true);
  fields.setBigUint64(DEV_BUS_ADDR, busAddressOf(owner, gref), true);
  return OKAY;
}

/** Lays the page over `gfn`. A mapping that is there must be unmapped by its handle first. */
function show(caller: GrantCaller, owner: GrantTable, { gref, flags, gfn }: GrantMapping): boolean {
  const { frames } = caller;
  if (gfn >= GFN_LIMIT || (flags & ~GNTMAP.READONLY) !== GNTMAP.HOST_MAP) {
    caller.refuse(GENERAL_ERROR, `cannot map grant ${gref} at frame ${gfn} with flags ${flags}`);
    return false;
  }
  if (frames.grantAt(gfn) !== undefined) {
    caller.crash(`it maps grant ${gref} over another at frame ${gfn}`);
    return false;
  }
  const readOnly = (flags & GNTMAP.READONLY) !== 0;
  frames.mapGrant(gfn, { page: owner.page(gref), readOnly, isForeign: owner !== caller.table });
  return true;
}

/** A machine address says which page it is, and nothing more: pages lie where the host has them. */
function busAddressOf(owner: GrantTable, gref: number): bigint {
  const { byteOffset } = owner.page(gref);
  return BigInt(byteOffset - byteOffset % PAGE_SIZE);
}

// ---- unmap --------------------------------------------------------------------------------------

function unmapOne(
  caller: GrantCaller,
  handle: number,
  hostAddress: bigint,
  busAddress: bigint,
): GrantStatus {
  caller.charge(caller.costs.unmapNs);
  const mapping = caller.maptrack.get(handle);
  if (mapping === undefined) return refuseHandle(caller, handle);
  const owner = caller.domain(mapping.domid)!;
  if (busAddress !== 0n && busAddress !== busAddressOf(owner, mapping.gref)) {
    return caller.refuse(GENERAL_ERROR, `handle ${handle} is not for bus address ${busAddress}`);
  }
  if (hostAddress === 0n) return OKAY;
  const gfn = Number(hostAddress >> 12n);
  if (!hide(caller, gfn, owner.page(mapping.gref))) {
    return caller.refuse(GENERAL_ERROR, `handle ${handle} has no mapping at frame ${gfn}`);
  }
  caller.maptrack.remove(handle);
  owner.unmap(mapping.gref, (mapping.flags & GNTMAP.READONLY) !== 0);
  return OKAY;
}

function refuseHandle(caller: GrantCaller, handle: number): GrantStatus {
  return caller.refuse(BAD_HANDLE, `there is no mapping with handle ${handle}`);
}

/** As Xen does, by the page: any of the places where it is mapped will do. */
function hide(caller: GrantCaller, gfn: Gfn, page: Uint8Array): boolean {
  return caller.frames.grantAt(gfn)?.page === page && caller.frames.remove(gfn);
}
