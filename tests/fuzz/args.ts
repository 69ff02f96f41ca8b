/**
 * Arguments of `deno task fuzz`.
 * @module
 */

import { Command } from "commander";
import { UsageError } from "../../core/errors.ts";
import { parseInto } from "../helpers/command.ts";
import { TARGETS } from "./targets.ts";

/** What the user asked for. */
export interface FuzzOptions {
  readonly target: string;
  /** Of the first case; the following ones count up. `undefined`: by chance. */
  readonly seed: number | undefined;
  /** `undefined`: the one case of the seed. */
  readonly milliseconds: number | undefined;
}

/** A command that works. */
export const HINT = "deno task fuzz cpu|devices|tiers|xen [--seed N] [--time 10s]";

const DEFAULT_TIME = "10s";
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Reads the arguments.
 * @returns the help text, if that is what the user asked for
 * @throws {UsageError} when they make no sense
 */
export function parseFuzzArgs(args: readonly string[]): FuzzOptions | string {
  const names = Object.keys(TARGETS).join(" or ");
  const command = new Command("fuzz")
    .description("Run random cases until one goes wrong or the time is over.")
    .argument("<target>", names)
    .option("--seed <N>", "seed of the first case; alone, repeats that one case")
    .option("--time <T>", `how long, such as 500ms, 10s, 5m (default: ${DEFAULT_TIME})`);
  const help = parseInto(command, args, HINT);
  if (help !== undefined) return help;
  const [target = ""] = command.args;
  if (!Object.hasOwn(TARGETS, target)) {
    throw new UsageError(`Cannot fuzz "${target}": there is ${names}`, HINT);
  }
  const { seed, time } = command.opts<{ seed?: string; time?: string }>();
  const alone = seed !== undefined && time === undefined;
  return {
    target,
    seed: seed === undefined ? undefined : seedOf(seed),
    milliseconds: alone ? undefined : timeOf(time ?? DEFAULT_TIME),
  };
}

function seedOf(text: string): number {
  const seed = Number(text);
  if (!/^\d+$/.test(text) || seed > 0xffffffff) {
    throw new UsageError(`Cannot use --seed "${text}": want 0 to 4294967295`, HINT);
  }
  return seed;
}

function timeOf(text: string): number {
  const [, amount, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  if (amount === undefined) {
    throw new UsageError(`Cannot use --time "${text}": want a number and ms, s, m or h`, HINT);
  }
  return Number(amount) * UNITS[unit]!;
}
