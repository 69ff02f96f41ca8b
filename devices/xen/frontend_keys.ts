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

/** A disk has at most so many rings, as many as Linux uses. */
export const MAX_QUEUES = 4;

/** One of a frontend's rings. */
export interface QueueKeys {
  /** Grants of the ring's pages, in order. */
  readonly ringRefs: readonly number[];
  readonly evtchnPort: number;
}

/** What a frontend in state Initialised has written. */
export interface FrontendKeys {
  readonly layout: BlkifLayout;
  readonly queues: readonly QueueKeys[];
  readonly persistent: boolean;
}

/** Value of a key, `undefined` where there is none. */
type Keys = (key: string) => string | undefined;

/** @returns the frontend's keys, or what is wrong with them */
export function readFrontend(keys: Keys): FrontendKeys | string {
  const protocol = keys("protocol");
  const layout = protocol === undefined ? I386 : LAYOUTS.get(protocol);
  if (layout === undefined) return `unknown protocol ${JSON.stringify(protocol)}`;
  const queues = readQueues(keys);
  if (typeof queues === "string") return queues;
  return { layout, queues, persistent: keys("feature-persistent") === "1" };
}

/** A single ring has its keys beside the others; of several, each has a directory. */
function readQueues(keys: Keys): readonly QueueKeys[] | string {
  const pages = readPageCount(keys);
  if (typeof pages === "string") return pages;
  const text = keys("multi-queue-num-queues") ?? "1";
  const count = parseU32(text) ?? 0;
  if (count < 1 || count > MAX_QUEUES) {
    return `multi-queue-num-queues is ${JSON.stringify(text)}, not 1 to ${MAX_QUEUES}`;
  }
  const queues: QueueKeys[] = [];
  for (let i = 0; i < count; i++) {
    const queue = readQueue(keys, count === 1 ? "" : `queue-${i}/`, pages);
    if (typeof queue === "string") return queue;
    queues.push(queue);
  }
  return queues;
}

function readQueue(keys: Keys, directory: string, pages: number): QueueKeys | string {
  const ringRefs = readRingRefs((key) => keys(`${directory}${key}`), pages);
  if (typeof ringRefs === "string") return `${directory}${ringRefs}`;
  const evtchnPort = parseU32(keys(`${directory}event-channel`));
  if (evtchnPort === undefined) return `${directory}event-channel is not a number`;
  return { ringRefs, evtchnPort };
}

/** One page is `ring-ref`; of several, and by some frontends of one, each has its number. */
function readRingRefs(keys: Keys, pages: number): readonly number[] | string {
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
