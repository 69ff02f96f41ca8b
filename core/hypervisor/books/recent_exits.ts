/**
 * The last few VM exits, for crash dumps. Written on the path of every exit: records that are
 * reused, no allocation; text is made when somebody asks.
 * @module
 */

import { hex } from "../../bits.ts";
import type { AccessSize, ExitReason, Ns, VmExit } from "../../types.ts";
import { EXIT } from "../../types.ts";
import { EXIT_NAMES, ioQualification } from "../exits.ts";

/** Exits that are remembered, a power of two. */
const RECENT_EXITS = 16;

const SIZE_NAMES: Readonly<Record<AccessSize, string>> = { 1: "byte", 2: "word", 4: "dword" };

/** What is kept of an exit. */
type RecentExit = Omit<VmExit, "descending" | "retired" | "steady">;

function blank(): RecentExit {
  return {
    reason: EXIT.HLT,
    at: NaN,
    rip: 0,
    write: false,
    size: 1,
    port: 0,
    gpa: 0,
    count: 1,
    string: false,
    immediate: false,
    value: 0,
  };
}

const SLOT_MASK = RECENT_EXITS - 1;

/** A ring of {@link RECENT_EXITS} exits. */
export class RecentExits {
  readonly #ring: readonly RecentExit[] = Array.from({ length: RECENT_EXITS }, blank);
  #exits = 0;
  #last: RecentExit = this.#ring[0]!;

  /** Remembers an exit that no instruction made. */
  event(reason: ExitReason, rip: number, at: Ns): void {
    const to = this.#next();
    to.reason = reason;
    to.rip = rip;
    to.at = at;
  }

  /** Remembers an exit as it comes in. */
  push(exit: RecentExit): void {
    const to = this.#next();
    to.reason = exit.reason;
    to.at = exit.at;
    to.rip = exit.rip;
    to.write = exit.write;
    to.size = exit.size;
    to.port = exit.port;
    to.gpa = exit.gpa;
    to.count = exit.count;
    to.string = exit.string;
    to.immediate = exit.immediate;
    to.value = exit.value;
  }

  /**
   * The last exit once more, and again.
   * @param spent time from `from` to each of the last few, as `VcpuHost.repeated` has it
   */
  repeat(times: number, from: Ns, spent: Int32Array): void {
    const last = this.#last;
    for (let n = Math.max(0, times - RECENT_EXITS); n < times; n++) {
      this.push(last);
      this.#last.at = from + spent[n % spent.length]!;
    }
  }

  /** The value that the last exit was answered with. */
  answer(value: number): void {
    this.#last.value = value;
  }

  /**
   * One line an exit, oldest first: `HLT at 00007c3e, 1200 ns`, and behind it what was accessed.
   */
  lines(): string[] {
    const count = Math.min(this.#exits, RECENT_EXITS);
    return Array.from({ length: count }, (_, n) => lineOf(this.#slot(this.#exits - count + n)));
  }

  #next(): RecentExit {
    return this.#last = this.#ring[this.#exits++ & SLOT_MASK]!;
  }

  #slot(exit: number): RecentExit {
    return this.#ring[exit & SLOT_MASK]!;
  }
}

function lineOf(exit: RecentExit): string {
  const access = accessOf(exit);
  return `${EXIT_NAMES[exit.reason]} at ${hex(exit.rip)}, ${exit.at} ns${access && `: ${access}`}`;
}

function accessOf(exit: RecentExit): string {
  switch (exit.reason) {
    case EXIT.IO_INSTRUCTION:
      return `${portAccess(exit)}, qualification ${hex(ioQualification(exit))}`;
    case EXIT.EPT_VIOLATION:
      return `${exit.write ? "write" : "read"} gpa ${hex(exit.gpa)}, ${datum(exit)}`;
    case EXIT.CPUID:
      return `leaf ${hex(exit.port)}`;
    case EXIT.MSR_READ:
    case EXIT.MSR_WRITE:
      return `msr ${hex(exit.port)}`;
  }
  return "";
}

function portAccess(exit: RecentExit): string {
  const { write, port, string, count, size, gpa } = exit;
  const where = `${write ? "out" : "in"} port ${hex(port, 3)}`;
  if (!string) return `${where}, ${datum(exit)}`;
  return `${where}, ${count} x ${SIZE_NAMES[size]} at gpa ${hex(gpa)}`;
}

/** `byte 50`. */
function datum({ size, value }: RecentExit): string {
  return `${SIZE_NAMES[size]} ${hex(value, size * 2)}`;
}
