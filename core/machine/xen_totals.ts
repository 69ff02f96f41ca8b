/**
 * Sums of what several domains have counted.
 * @module
 */

import type { XenStats } from "../hypervisor/xen.ts";

/** Nothing has been counted. */
export const NO_STATS: XenStats = {
  hypercalls: { total: 0, byName: {} },
  grants: { map: 0, unmap: 0, copy: 0 },
  events: { sentByGuest: 0, sentByDom0: 0 },
};

/** One domain's counters and another's, as one record. */
export function addStats(a: XenStats, b: XenStats): XenStats {
  return {
    hypercalls: {
      total: a.hypercalls.total + b.hypercalls.total,
      byName: addByName(a.hypercalls.byName, b.hypercalls.byName),
    },
    grants: {
      map: a.grants.map + b.grants.map,
      unmap: a.grants.unmap + b.grants.unmap,
      copy: a.grants.copy + b.grants.copy,
    },
    events: {
      sentByGuest: a.events.sentByGuest + b.events.sentByGuest,
      sentByDom0: a.events.sentByDom0 + b.events.sentByDom0,
    },
  };
}

/** @returns keys sorted */
function addByName(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): Record<string, number> {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return Object.fromEntries(names.map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]));
}
