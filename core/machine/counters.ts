/**
 * What the parts of a machine have counted, as one record.
 * @module
 */

import type { Assembly } from "./assembly.ts";
import type { Counters } from "./config.ts";
import { NO_STATS } from "./xen_totals.ts";

/** Sums since power-on, of everything that has a counter of its own. */
export function countersOf(
  { clock, books, dom0, accounting, domains }: Assembly,
): Omit<Counters, "restarts" | "hostErrors"> {
  const { instructions, portItems, ioreqs, interrupts, guestErrors } = accounting;
  const { hypercalls, grants, events } = domains?.stats() ?? NO_STATS;
  return {
    elapsedNs: clock.now,
    instructions,
    books: books.snapshot(),
    dom0Books: dom0.snapshot(),
    exits: accounting.exitCounts(),
    portItems,
    ioreqs,
    hypercalls,
    events: {
      sent: events.sentByGuest + events.sentByDom0,
      suppressed: domains?.suppressedEvents ?? 0,
    },
    grants,
    interrupts,
    guestErrors,
    refusals: domains?.refusals ?? {},
  };
}
