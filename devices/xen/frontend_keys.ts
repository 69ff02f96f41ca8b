/**
 * The keys of a frontend that has made its ring. The guest writes them; each is checked.
 * Source: xen/include/public/io/blkif.h, with the reactions of Linux 6.1.
 * @module
 */

import type { BlkifLayout } from "./blkif.ts";
import { I386, LAYOUTS } from "./blkif.ts";
import { parseU32 } from "./xenbus.ts";

/** A ring has at most 2 to this power of pages: what Linux offers, 16 pages. */
export const MAX_RING_PAGE_ORDER = 4;

/** What a frontend in state Initialised has written. */
export interface FrontendKeys {
  readonly layout: BlkifLayout;
  /** Grants of the ring's pages, in order. */
  readonly ringRefs: readonly number[];
  readonly evtchnPort: number;
  readonly persistent: boolean;
}

/** Value of a key, `undefined` where there is none. */
type Keys = (key: string) => string | undefined;

/** @returns the frontend's keys, or what is wrong with them */
export function readFrontend(keys: Keys): FrontendKeys | string {
  const protocol = keys("protocol");
  const layout = protocol === undefined ? I386 : LAYOUTS.get(protocol);
  if (layout === undefined) return `unknown protocol ${JSON.stringify(protocol)}`;
  const queues = keys("multi-queue-num-queues") ?? "1";
  if (parseU32(queues) !== 1) return `multi-queue-num-queues is ${JSON.stringify(queues)}, not 1`;
  const ringRefs = readRingRefs(keys);
  if (typeof ringRefs === "string") return ringRefs;
  const evtchnPort = parseU32(keys("event-channel"));
  if (evtchnPort === undefined) return "event-channel is not a number";
  return { layout, ringRefs, evtchnPort, persistent: keys("feature-persistent") === "1" };
}

/** One page is `ring-ref`; of several, and by some frontends of one, each has its number. */
function readRingRefs(keys: Keys): readonly number[] | string {
  const pages = readPageCount(keys);
  if (typeof pages === "string") return pages;
  const refs: number[] = [];
  for (let i = 0; i < pages; i++) {
    const name = `ring-ref${i}`;
    const ref = parseU32(pages === 1 ? keys("ring-ref") ?? keys(name) : keys(name));
    if (ref === undefined) return `${pages === 1 ? "ring-ref" : name} is not a number`;
    refs.push(ref);
  }
  return refs;
}

/** From `ring-page-order`, or from `num-ring-pages` as frontends called it before. */
function readPageCount(keys: Keys): number | string {
  const orderText = keys("ring-page-order");
  if (orderText !== undefined) {
    const order = parseU32(orderText);
    if (order !== undefined && order <= MAX_RING_PAGE_ORDER) return 2 ** order;
    return `ring-page-order is ${JSON.stringify(orderText)}, not 0 to ${MAX_RING_PAGE_ORDER}`;
  }
  const text = keys("num-ring-pages") ?? "1";
  const pages = parseU32(text);
  for (let order = 0; order <= MAX_RING_PAGE_ORDER; order++) {
    if (pages === 2 ** order) return pages;
  }
  const most = 2 ** MAX_RING_PAGE_ORDER;
  return `num-ring-pages is ${JSON.stringify(text)}, not a power of two up to ${most}`;
}
