/**
 * The keys of a frontend that has made its ring. The guest writes them; each is checked.
 * Source: xen/include/public/io/blkif.h, with the reactions of Linux 6.1.
 * @module
 */

import type { BlkifLayout } from "./blkif.ts";
import { I386, LAYOUTS } from "./blkif.ts";
import { parseU32 } from "./xenbus.ts";

/** What a backend offers to its frontends. */
export interface BlkbackOffers {
  /** Grants stay mapped from one request to the next. */
  readonly persistent: boolean;
  /** Requests have up to 256 segments. */
  readonly indirect: boolean;
  /** A ring has at most so many, a power of two. */
  readonly ringPages: number;
  /** A disk has at most so many rings. */
  readonly queues: number;
}

/** Rings of 16 pages are what Linux offers, and four queues what it uses. */
export const ALL_OFFERS: BlkbackOffers = {
  persistent: true,
  indirect: true,
  ringPages: 16,
  queues: 4,
};

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
export function readFrontend(keys: Keys, offers: BlkbackOffers): FrontendKeys | string {
  const protocol = keys("protocol");
  const layout = protocol === undefined ? I386 : LAYOUTS.get(protocol);
  if (layout === undefined) return `unknown protocol ${JSON.stringify(protocol)}`;
  const queues = readQueues(keys, offers);
  if (typeof queues === "string") return queues;
  const persistent = offers.persistent && keys("feature-persistent") === "1";
  return { layout, queues, persistent };
}

/** A single ring has its keys beside the others; of several, each has a directory. */
function readQueues(keys: Keys, offers: BlkbackOffers): readonly QueueKeys[] | string {
  const pages = readPageCount(keys, offers.ringPages);
  if (typeof pages === "string") return pages;
  const text = keys("multi-queue-num-queues") ?? "1";
  const count = parseU32(text) ?? 0;
  if (count < 1 || count > offers.queues) {
    return `multi-queue-num-queues is ${JSON.stringify(text)}, not 1 to ${offers.queues}`;
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
function readPageCount(keys: Keys, most: number): number | string {
  const maxOrder = Math.log2(most);
  const orderText = keys("ring-page-order");
  if (orderText !== undefined) {
    const order = parseU32(orderText);
    if (order !== undefined && order <= maxOrder) return 2 ** order;
    return `ring-page-order is ${JSON.stringify(orderText)}, not 0 to ${maxOrder}`;
  }
  const text = keys("num-ring-pages") ?? "1";
  const pages = parseU32(text);
  for (let order = 0; order <= maxOrder; order++) {
    if (pages === 2 ** order) return pages;
  }
  return `num-ring-pages is ${JSON.stringify(text)}, not a power of two up to ${most}`;
}
