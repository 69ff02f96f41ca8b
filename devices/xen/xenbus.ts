/**
 * What every XenBus driver shares: the states, and numbers from a store that the other side writes.
 * Source: xen/include/public/io/xenbus.h.
 * @module
 */

/** State of one end of a split device, kept as decimal text in its `state` key. */
export const XENBUS_STATE = {
  UNKNOWN: 0,
  INITIALISING: 1,
  INIT_WAIT: 2,
  INITIALISED: 3,
  CONNECTED: 4,
  CLOSING: 5,
  CLOSED: 6,
} as const;

/** A value of {@link XENBUS_STATE}. */
export type XenbusState = typeof XENBUS_STATE[keyof typeof XENBUS_STATE];

/** Reads a decimal u32; `undefined` when the key is absent or holds anything else. */
export function parseU32(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= 0xffffffff ? value : undefined;
}
