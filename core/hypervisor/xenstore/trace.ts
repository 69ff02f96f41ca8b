/**
 * Messages between a guest and xenstored, as the daemon's own trace has them.
 * Source: trace file of xenstored 4.17 (`xenstored --trace-file`).
 * @module
 */

import type { Ns } from "../../types.ts";
import { XS, XS_OPERATIONS } from "./wire.ts";

/** Direction of a message, seen from the daemon. */
export type StoreDirection = "IN" | "OUT";

/** Hears of every message: a request when it is whole, a reply or an event when it is due. */
export type StoreObserver = (direction: StoreDirection, type: number, payload: string) => void;

const ANSWERS: Readonly<Record<number, string>> = {
  [XS.WATCH_EVENT]: "WATCH_EVENT",
  [XS.ERROR]: "ERROR",
};
const NS_PER_US = 1000;
const US_DIGITS = 6;

/** One line: seconds of virtual time and the domain stand where the daemon has date and address. */
export function traceLine(
  at: Ns,
  domid: number,
  ...[direction, type, payload]: Parameters<StoreObserver>
): string {
  const name = XS_OPERATIONS[type]?.name ?? ANSWERS[type] ?? "**UNKNOWN**";
  const us = String(Math.floor(at / NS_PER_US)).padStart(US_DIGITS + 1, "0");
  const seconds = `${us.slice(0, -US_DIGITS)}.${us.slice(-US_DIGITS)}`;
  const text = payload.replaceAll("\0", " ").replace(/[^ -~]/g, "?");
  return `${direction} d${domid} ${seconds} ${name} (${text})`;
}
