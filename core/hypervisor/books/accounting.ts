/**
 * Counters of the vCPU: exits by reason and by port, interrupts, guest errors.
 *
 * Counting is on the path of every exit: typed arrays, no keys, no allocation.
 * @module
 */

import { hex } from "../../bits.ts";
import type { ExitReason, GuestErrors, Ns, VmExit } from "../../types.ts";
import { EXIT } from "../../types.ts";
import { EXIT_NAMES, EXIT_REASON_COUNT } from "../exits.ts";
import { RecentExits } from "./recent_exits.ts";

const { IO_INSTRUCTION } = EXIT;

const PORT_COUNT = 0x10000;
/** Guest errors that a crash dump shows. */
const RECENT_ERRORS = 8;

/** Exits so far. Keys are sorted and only name what happened. */
export interface ExitCounts {
  readonly total: number;
  /** By name of `EXIT`. */
  readonly byReason: Readonly<Record<string, number>>;
  /** By `"0x1f7:in"`, `"0x1f0:out"`. */
  readonly byPort: Readonly<Record<string, number>>;
}

/** One guest error: who answered, and what the guest had attempted. */
export interface GuestErrorNote {
  readonly source: string;
  readonly text: string;
}

/** All that is counted at the exits of one vCPU. */
export class Accounting implements GuestErrors {
  readonly #reasons = new Float64Array(EXIT_REASON_COUNT);
  readonly #portsIn = new Float64Array(PORT_COUNT);
  readonly #portsOut = new Float64Array(PORT_COUNT);
  readonly #recent = new RecentExits();
  readonly #errors: GuestErrorNote[] = [];
  /** A double from the start, as the time of `VirtualClock`. */
  #instructions = NaN;
  #portItems = 0;
  #ioreqs = 0;
  #interrupts = 0;
  #guestErrors = 0;

  constructor() {
    this.#instructions = 0;
  }

  get instructions(): number {
    return this.#instructions;
  }
  /** Items moved by port accesses. */
  get portItems(): number {
    return this.#portItems;
  }
  get ioreqs(): number {
    return this.#ioreqs;
  }
  /** Interrupts and upcalls injected. */
  get interrupts(): number {
    return this.#interrupts;
  }
  get guestErrors(): number {
    return this.#guestErrors;
  }
  /** The last few guest errors, oldest first. */
  get recentErrors(): readonly GuestErrorNote[] {
    return this.#errors;
  }

  retire(instructions: number): void {
    this.#instructions += instructions;
  }

  /** Counts one exit, before it is served. */
  exit(exit: VmExit): void {
    this.#count(exit.reason);
    this.#recent.push(exit);
  }

  /**
   * Counts an exit that no instruction made.
   * @param rip linear address of the next instruction
   */
  eventExit(reason: ExitReason, rip: number, at: Ns): void {
    this.#count(reason);
    this.#recent.event(reason, rip, at);
  }

  /** The last exit has been served, and answered with this value. */
  answered(value: number): void {
    this.#recent.answer(value);
  }

  /**
   * The last exit, a port read that the device model has answered, was repeated.
   * @param spent time from `from` to each of the last few, as `VcpuHost.repeated` has it
   */
  repeated(port: number, times: number, from: Ns, spent: Int32Array): void {
    this.#reasons[IO_INSTRUCTION]! += times;
    this.#portsIn[port]! += times;
    this.#portItems += times;
    this.#ioreqs += times;
    this.#recent.repeat(times, from, spent);
  }

  #count(reason: number): void {
    this.#reasons[reason]!++;
  }

  /** A port access that was an exit. */
  port(port: number, write: boolean, items: number): void {
    const ports = write ? this.#portsOut : this.#portsIn;
    ports[port]!++;
    this.#portItems += items;
  }

  ioreq(): void {
    this.#ioreqs++;
  }

  interrupt(): void {
    this.#interrupts++;
  }

  guestError(source: string, text: string): void {
    this.#guestErrors++;
    if (this.#errors.length === RECENT_ERRORS) this.#errors.shift();
    this.#errors.push({ source, text });
  }

  exitCounts(): ExitCounts {
    const byReason = sortedRecord(EXIT_NAMES, this.#reasons);
    const byPort: Record<string, number> = {};
    for (let port = 0; port < PORT_COUNT; port++) {
      if (this.#portsIn[port]! > 0) byPort[portKey(port, "in")] = this.#portsIn[port]!;
      if (this.#portsOut[port]! > 0) byPort[portKey(port, "out")] = this.#portsOut[port]!;
    }
    const total = this.#reasons.reduce((sum, count) => sum + count, 0);
    return { total, byReason, byPort };
  }

  /** The last few exits, one line each, oldest first. */
  recentExits(): string[] {
    return this.#recent.lines();
  }
}

function portKey(port: number, direction: "in" | "out"): string {
  return `0x${hex(port, port > 0xfff ? 4 : 3)}:${direction}`;
}

function sortedRecord(
  names: readonly (string | undefined)[],
  counts: Float64Array,
): Record<string, number> {
  const happened = names.flatMap((name, i) => name && counts[i]! > 0 ? [[name, counts[i]!]] : []);
  return Object.fromEntries((happened as [string, number][]).sort(([a], [b]) => a < b ? -1 : 1));
}
