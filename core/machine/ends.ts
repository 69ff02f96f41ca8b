/**
 * The ways in which a run ends, and what each tells the user and the shell.
 * @module
 */

import { EXIT_CODE } from "../errors.ts";
import type { Ns } from "../types.ts";
import type { RunResult } from "./config.ts";

/** An end, without what was counted. */
export type End = Omit<RunResult, "counters" | "exits">;

/**
 * By the debug exit port: as QEMU's isa-debug-exit, never 0, so that it cannot be taken for
 * power-off.
 * @param value what was written there
 */
export function guestExit(value: number): End {
  return { reason: "guest-exit", code: ((value << 1) | 1) & 0xff };
}

/** The guest is off. @param message why, if it has not just switched itself off */
export function powerOff(message?: string): End {
  const end = { reason: "power-off", code: EXIT_CODE.POWER_OFF } as const;
  return message === undefined ? end : { ...end, message };
}

/** The guest has come to no good. @param dump several lines about it */
export function crash(cause: string, dump: string): End {
  const message = `Guest crashed: ${cause}`;
  return { reason: "guest-crash", code: EXIT_CODE.GUEST_CRASH, message, dump };
}

/** The user's limit of instructions. */
export function instructionLimit(instructions: number, limit: number): End {
  const noun = instructions === 1 ? "instruction" : "instructions";
  return limited(`Stopped after ${instructions} ${noun}: the limit is ${limit}`);
}

/** The user's limit of virtual time. */
export function timeLimit(now: Ns, limit: Ns): End {
  return limited(`Stopped at ${seconds(now)} of virtual time: the limit is ${seconds(limit)}`);
}

/** To the nanosecond, without an exponent. */
function seconds(ns: Ns): string {
  return `${(ns / 1e9).toFixed(9).replace(/\.?0+$/, "")} s`;
}

function limited(message: string): End {
  return { reason: "limit", code: EXIT_CODE.LIMIT, message };
}

/** By the user. */
export const INTERRUPTED: End = { reason: "interrupted", code: EXIT_CODE.INTERRUPTED };

/** A run that the host has failed is no success, whatever the guest made of it. */
export function withHostErrors(end: End, hostErrors: number): End {
  if (hostErrors === 0 || end.reason === "limit" || end.reason === "interrupted") return end;
  const failures = hostErrors === 1 ? "a disk request" : `${hostErrors} disk requests`;
  const guests = end.reason === "guest-exit" ? `; the guest's exit code is ${end.code}` : "";
  const message = `The host failed to serve ${failures}${guests}`;
  return { message, ...end, code: EXIT_CODE.IMAGE_ERROR };
}
