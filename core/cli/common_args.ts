/**
 * Options of every command that boots a guest.
 * @module
 */

import type { Command } from "commander";
import { UsageError } from "../errors.ts";
import { DEFAULT_COST, DEFAULT_CPU, DEFAULT_MEDIA } from "../machine/storage.ts";
import { memory } from "./option_values.ts";
import { parseCount, parseTime } from "./units.ts";

/** What every command that boots a guest knows. */
export interface CommonOptions {
  /** Name of the processor. */
  readonly cpu: string;
  /** Name of the cost preset. */
  readonly cost: string;
  /** Name of the media preset. */
  readonly media: string;
  readonly ramBytes: number;
  readonly maxInsns?: number;
  readonly maxTime?: number;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly progress: boolean;
}

/** A preset list or the JSON schema, to be printed instead of a run. */
export interface ListRequest {
  readonly command: "list";
  readonly what: "cpu" | "cost" | "media" | "schema" | "run-schema";
}

/** Values of options, by name, as commander has them. */
export type Flags = Readonly<Record<string, unknown>>;

/** Those of the options that the user has given, as they were written. */
export function given<Name extends string>(
  flags: Flags,
  ...names: readonly Name[]
): { readonly [Each in Name]?: string } {
  const entries = names.flatMap((name) => flags[name] === undefined ? [] : [[name, flags[name]]]);
  return Object.fromEntries(entries);
}

/** MiB of guests that are not told how much. */
export const DEFAULT_RAM = "32";
/** What a user may want who names no guest. */
export const GUEST_HINT = "deno task run guests/bin/hello.bin boots a bundled one";

/** Unwinds commander when an option asks for a list. */
export class Listing extends Error {
  /** Which. */
  readonly what: ListRequest["what"];

  constructor(what: ListRequest["what"]) {
    super(what);
    this.what = what;
  }
}

/** Gives a command the options. @param ram its default of `-m` */
export function addCommon(command: Command, ram: string): void {
  command
    .option("-m <size>", `guest memory in MiB, or with unit K, M, G (default: ${ram})`)
    .option("--cpu <processor>", "what CPUID reports; help lists them", DEFAULT_CPU)
    .option("--cost <preset>", "prices of the hypervisor; help lists them", DEFAULT_COST)
    .option("--media <preset>", "latency of the disk; help lists them", DEFAULT_MEDIA)
    .option("--max-insns <n>", "stop after that many instructions, code 124")
    .option("--max-time <time>", "stop at that virtual time (5s, 100ms), code 124")
    .option("--json", "one JSON object on standard output, all else on standard error")
    .option("--quiet", "no tables")
    .option("--no-progress", "no progress display on a terminal");
  for (const what of ["cpu", "cost", "media"] as const) {
    command.on(`option:${what}`, (name: string) => {
      if (name === "help") throw new Listing(what);
    });
  }
}

/** What they say. @param ram unless `-m` is given */
export function common(flags: Flags, ram: string): CommonOptions {
  const { maxInsns, maxTime } = flags;
  return {
    cpu: flags.cpu as string,
    cost: flags.cost as string,
    media: flags.media as string,
    ramBytes: memory((flags.m ?? ram) as string),
    ...(maxInsns === undefined ? {} : { maxInsns: parseCount("--max-insns", `${maxInsns}`) }),
    ...(maxTime === undefined ? {} : { maxTime: parseTime("--max-time", `${maxTime}`) }),
    json: flags.json === true,
    quiet: flags.quiet === true,
    progress: flags.progress as boolean,
  };
}

/** The guest may stand alone or behind `-kernel`. */
export function oneGuest(guest: string | undefined, kernel: string | undefined): string {
  const named = kernel ?? guest;
  if (named === undefined) {
    const message = "missing required argument 'guest'";
    throw new UsageError(message, `${GUEST_HINT}, -hda disk.img what is on a disk`);
  }
  if (guest === undefined || kernel === undefined) return named;
  throw new UsageError(`Cannot run both "${guest}" and -kernel "${kernel}"`, "name one guest");
}
