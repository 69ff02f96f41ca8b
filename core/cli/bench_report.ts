/**
 * What a host of the benchmark, one emulator in a process of its own, measures and prints.
 *
 * It takes the time itself, because a mark that came through a pipe would come later than the work it
 * marks. CPU time is that of all threads: V8 compiles and collects garbage in threads of its own.
 * @module
 */

import process from "node:process";
import type { Machine } from "../machine/machine.ts";
import type { Measurement } from "./bench_marks.ts";

/** One run of one guest; the host prints it as a line of JSON. */
export interface HostReport {
  readonly measurements: readonly Measurement[];
  /** Memory of the process, with the guest at its end. */
  readonly rssBytes: number;
  /** Why the guest did not come to its end. */
  readonly failure?: string;
  /** The command that installs what the emulator needs to run at all. */
  readonly missing?: string;
}

/** Who has followed a guest's marks. */
export interface Marks {
  readonly measurements: readonly Measurement[];
  /** What else the guest had to say. */
  readonly messages: readonly string[];
  /** The guest has come to its end. */
  readonly done: boolean;
}

/** RAM of the guests. Their heap ends below it. */
export const RAM_BYTES: number = 64 << 20;

/** RAM of Linux. */
export const LINUX_RAM_BYTES: number = 256 << 20;

/** CPU time that all threads of this process have used. */
export function cpuNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

/** Runs a machine of ours until its guest has come to its end, and prints what was measured. */
export async function reportRun(machine: Machine, marks: Marks): Promise<void> {
  try {
    const { message, reason } = await machine.run({ interrupted: () => marks.done });
    printReport(marks, message ?? `it ended with ${reason}`);
  } finally {
    machine.close();
  }
}

/**
 * Prints what this process has measured.
 * @param end how the run ended, in case the guest had not come to its end
 */
export function printReport(marks: Marks, end: string): void {
  const { measurements, messages, done } = marks;
  const failure = done ? {} : { failure: [...messages, end].join("; ") };
  print({ measurements, rssBytes: process.memoryUsage().rss, ...failure });
}

/** Prints that the emulator cannot run before a command has installed what it needs. */
export function printMissing(command: string): void {
  print({ measurements: [], rssBytes: 0, missing: command });
}

function print(report: HostReport): void {
  console.log(JSON.stringify(report));
}
