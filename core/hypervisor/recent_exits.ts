/**
 * The last few VM exits, for crash dumps. Written on the path of every exit: typed arrays, no
 * allocation; text is made when somebody asks.
 * @module
 */

import { hex } from "../bits.ts";
import type { Ns, VmExit } from "../types.ts";
import { EXIT } from "../types.ts";
import { EXIT_NAMES, ioQualification } from "./exits.ts";

/** Exits that are remembered. */
export const RECENT_EXITS = 16;

const SIZE_NAMES: Readonly<Record<number, string>> = { 1: "byte", 2: "word", 4: "dword" };

const FLAGS = { WRITE: 1, STRING: 2 } as const;

/** A ring of {@link RECENT_EXITS} exits. */
export class RecentExits {
  readonly #reasons = new Uint8Array(RECENT_EXITS);
  readonly #at = new Float64Array(RECENT_EXITS);
  readonly #rips = new Uint32Array(RECENT_EXITS);
  readonly #flags = new Uint8Array(RECENT_EXITS);
  readonly #sizes = new Uint8Array(RECENT_EXITS);
  readonly #counts = new Uint32Array(RECENT_EXITS);
  /** Port, MSR number or CPUID leaf. */
  readonly #ports = new Uint32Array(RECENT_EXITS);
  readonly #gpas = new Float64Array(RECENT_EXITS);
  readonly #values = new Uint32Array(RECENT_EXITS);
  readonly #qualifications = new Uint32Array(RECENT_EXITS);
  #exits = 0;

  /** Remembers an exit that no instruction made. */
  event(reason: number, rip: number, at: Ns): void {
    const slot = this.#exits++ % RECENT_EXITS;
    this.#reasons[slot] = reason;
    this.#rips[slot] = rip;
    this.#at[slot] = at;
  }

  /** Remembers an exit as it comes in. */
  push(exit: VmExit): void {
    const slot = this.#exits % RECENT_EXITS;
    this.event(exit.reason, exit.rip, exit.at);
    this.#flags[slot] = (exit.write ? FLAGS.WRITE : 0) | (exit.string ? FLAGS.STRING : 0);
    this.#sizes[slot] = exit.size;
    this.#counts[slot] = exit.count;
    this.#ports[slot] = exit.port;
    this.#gpas[slot] = exit.gpa;
    this.#values[slot] = exit.value;
    this.#qualifications[slot] = exit.reason === EXIT.IO_INSTRUCTION ? ioQualification(exit) : 0;
  }

  /** The value that the last exit was answered with. */
  answer(value: number): void {
    this.#values[(this.#exits - 1) % RECENT_EXITS] = value;
  }

  /** One line an exit, oldest first: `HLT at 00007c3e, 1200 ns`, and behind it what was accessed. */
  lines(): string[] {
    const count = Math.min(this.#exits, RECENT_EXITS);
    return Array.from({ length: count }, (_, n) => this.#line(this.#exits - count + n));
  }

  #line(exit: number): string {
    const slot = exit % RECENT_EXITS;
    const name = EXIT_NAMES[this.#reasons[slot]!];
    const access = this.#access(slot);
    return `${name} at ${hex(this.#rips[slot]!)}, ${this.#at[slot]} ns${access && `: ${access}`}`;
  }

  #access(slot: number): string {
    const port = this.#ports[slot]!;
    switch (this.#reasons[slot]) {
      case EXIT.IO_INSTRUCTION:
        return `${this.#io(slot)}, qualification ${hex(this.#qualifications[slot]!)}`;
      case EXIT.EPT_VIOLATION: {
        const direction = this.#flags[slot]! & FLAGS.WRITE ? "write" : "read";
        return `${direction} gpa ${hex(this.#gpas[slot]!)}, ${this.#datum(slot)}`;
      }
      case EXIT.CPUID:
        return `leaf ${hex(port)}`;
      case EXIT.MSR_READ:
      case EXIT.MSR_WRITE:
        return `msr ${hex(port)}`;
    }
    return "";
  }

  #io(slot: number): string {
    const flags = this.#flags[slot]!;
    const where = `${flags & FLAGS.WRITE ? "out" : "in"} port ${hex(this.#ports[slot]!, 3)}`;
    if (!(flags & FLAGS.STRING)) return `${where}, ${this.#datum(slot)}`;
    const items = `${this.#counts[slot]} x ${SIZE_NAMES[this.#sizes[slot]!]}`;
    return `${where}, ${items} at gpa ${hex(this.#gpas[slot]!)}`;
  }

  /** `byte 50`. */
  #datum(slot: number): string {
    const size = this.#sizes[slot]!;
    return `${SIZE_NAMES[size]} ${hex(this.#values[slot]!, size * 2)}`;
  }
}
