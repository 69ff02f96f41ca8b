/**
 * The memory_op hypercall: EBX = command, ECX = pointer. Commands that work on many extents are made
 * again for the rest, with the number of those that are done in EBX, above the command.
 * Source: Xen public header memory.h, i386 layout; results of do_memory_op() in xen/common/memory.c.
 * @module
 */

import {
  addToPhysmap,
  addToPhysmapBatch,
  type PhysmapTargets,
  removeFromPhysmap,
} from "./add_to_physmap.ts";
import { checkTarget } from "../domid.ts";
import { ERRNO } from "./errno.ts";
import type { GuestCall } from "./guest_pointer.ts";

/** Numbers of the operations. */
export const XENMEM = {
  DECREASE_RESERVATION: 1,
  MAXIMUM_RAM_PAGE: 2,
  CURRENT_RESERVATION: 3,
  MAXIMUM_RESERVATION: 4,
  POPULATE_PHYSMAP: 6,
  ADD_TO_PHYSMAP: 7,
  MEMORY_MAP: 9,
  REMOVE_FROM_PHYSMAP: 15,
  ADD_TO_PHYSMAP_BATCH: 23,
} as const;

/** Offsets of xen_memory_reservation. */
export const XEN_MEMORY_RESERVATION = {
  EXTENT_START: 0,
  NR_EXTENTS: 4,
  EXTENT_ORDER: 8,
  MEM_FLAGS: 12,
  DOMID: 16,
  SIZE: 20,
} as const;

/** Offsets of xen_memory_map. */
export const XEN_MEMORY_MAP = { NR_ENTRIES: 0, BUFFER: 4, SIZE: 8 } as const;

/** Offsets of an entry of the memory map, as E820h has it. */
const E820_ENTRY = { ADDR: 0, LENGTH: 8, TYPE: 16, SIZE: 20 } as const;

/** Bits of EBX that are the command (MEMOP_EXTENT_SHIFT). */
const EXTENT_SHIFT = 6;
const COMMAND_MASK = (1 << EXTENT_SHIFT) - 1;

/** Commands that are done at once: there is nothing to go on with. */
const AT_ONCE: readonly number[] = [
  XENMEM.MAXIMUM_RAM_PAGE,
  XENMEM.CURRENT_RESERVATION,
  XENMEM.MAXIMUM_RESERVATION,
  XENMEM.REMOVE_FROM_PHYSMAP,
];

/** Flag of a reservation: pages come when they are touched. A domain cannot have it so for itself. */
const XENMEMF_POPULATE_ON_DEMAND = 1 << 16;

/** Pages after which a call is made again for the rest. */
const PREEMPT_AFTER = 1024;
/** Largest extent of an unprivileged domain: 2 MiB. */
const MAX_ORDER = 9;

/** A range of the memory map. */
export interface MemoryMapEntry {
  readonly base: number;
  readonly length: number;
  /** As E820h numbers them. */
  readonly type: number;
}

/** What memory_op works on. */
export interface MemoryOpTargets extends PhysmapTargets {
  /** What the toolstack says of the domain's memory. */
  readonly memoryMap: readonly MemoryMapEntry[];
}

/** Serves one memory_op. */
export function memoryOp(targets: MemoryOpTargets, call: GuestCall): number {
  const { domid, reservation } = targets;
  const start = call.first >>> EXTENT_SHIFT;
  const command = call.first & COMMAND_MASK;
  if (start !== 0 && AT_ONCE.includes(command)) return -ERRNO.EINVAL;
  switch (command) {
    case XENMEM.DECREASE_RESERVATION:
      return eachExtent(domid, call, start, (gfn, pages) => reservation.decrease(gfn, pages));
    case XENMEM.POPULATE_PHYSMAP:
      return eachExtent(
        domid,
        call,
        start,
        (gfn, pages, flags) =>
          (flags & XENMEMF_POPULATE_ON_DEMAND) === 0 && reservation.populate(gfn, pages),
      );
  }
  switch (call.first) {
    case XENMEM.MAXIMUM_RAM_PAGE:
      return call.second === 0 ? reservation.maximum : -ERRNO.EINVAL;
    case XENMEM.CURRENT_RESERVATION:
      return ofDomain(domid, call, reservation.current);
    case XENMEM.MAXIMUM_RESERVATION:
      return ofDomain(domid, call, reservation.maximum);
    case XENMEM.ADD_TO_PHYSMAP:
      return addToPhysmap(targets, call);
    case XENMEM.MEMORY_MAP:
      return giveMemoryMap(targets, call);
    case XENMEM.REMOVE_FROM_PHYSMAP:
      return removeFromPhysmap(targets, call);
    case XENMEM.ADD_TO_PHYSMAP_BATCH:
      return addToPhysmapBatch(targets, call);
    default:
      return -ERRNO.ENOSYS;
  }
}

function ofDomain(domid: number, call: GuestCall, pages: number): number {
  if (!call.load(call.second, 2)) return -ERRNO.EFAULT;
  return checkTarget(call.fields.getUint16(0, true), domid) || pages;
}

/**
 * Works on the extents of a reservation up to the first that fails.
 * @param start extents that are done
 * @param serve one extent; false ends the call
 * @returns extents done; so too, none, for a reservation of another domain or without sense
 */
function eachExtent(
  domid: number,
  call: GuestCall,
  start: number,
  serve: (gfn: number, pages: number, memFlags: number) => boolean,
): number {
  const { fields } = call;
  const { EXTENT_START, NR_EXTENTS, EXTENT_ORDER, MEM_FLAGS, DOMID, SIZE } = XEN_MEMORY_RESERVATION;
  if (!call.load(call.second, SIZE)) return start;
  if (checkTarget(fields.getUint16(DOMID, true), domid) !== 0) return start;
  const [extents, count] = [
    fields.getUint32(EXTENT_START, true),
    fields.getUint32(NR_EXTENTS, true),
  ];
  const order = fields.getUint32(EXTENT_ORDER, true);
  const memFlags = fields.getUint32(MEM_FLAGS, true);
  if (order > MAX_ORDER || count > 0xffffffff >>> EXTENT_SHIFT || start >= count) return start;
  const pages = 1 << order;
  const now = Math.min(count, start + (PREEMPT_AFTER >> order));
  for (let i = start; i < now; i++) {
    if (!call.load(extents + 4 * i, 4)) return i;
    if (!serve(fields.getUint32(0, true), pages, memFlags)) return i;
  }
  if (now < count) {
    const command = call.first & COMMAND_MASK;
    call.goOn((now << EXTENT_SHIFT | command) >>> 0, call.second, call.third);
  }
  return now;
}

/** As many entries as there is room for; their number says how many there are then. */
function giveMemoryMap({ memoryMap }: MemoryOpTargets, call: GuestCall): number {
  const { fields } = call;
  const { NR_ENTRIES, BUFFER, SIZE } = XEN_MEMORY_MAP;
  if (memoryMap.length === 0) return -ERRNO.ENOSYS;
  if (!call.load(call.second, SIZE)) return -ERRNO.EFAULT;
  const count = Math.min(fields.getUint32(NR_ENTRIES, true), memoryMap.length);
  const buffer = fields.getUint32(BUFFER, true);
  for (let i = 0; i < count; i++) {
    const { base, length, type } = memoryMap[i]!;
    fields.setBigUint64(E820_ENTRY.ADDR, BigInt(base), true);
    fields.setBigUint64(E820_ENTRY.LENGTH, BigInt(length), true);
    fields.setUint32(E820_ENTRY.TYPE, type, true);
    if (!call.store(buffer + i * E820_ENTRY.SIZE, E820_ENTRY.SIZE)) return -ERRNO.EFAULT;
  }
  fields.setUint32(NR_ENTRIES, count, true);
  return call.store(call.second + NR_ENTRIES, 4, NR_ENTRIES) ? 0 : -ERRNO.EFAULT;
}
