/**
 * Command lines of the benchmark.
 * @module
 */

import { Command, CommanderError } from "commander";
import { UsageError } from "../errors.ts";

/** A command that throws what is wrong and asks the environment nothing. */
export function benchCommandLine(name: string): Command {
  return new Command(name).allowExcessArguments(false).exitOverride().configureOutput({
    writeOut: () => {},
    writeErr: () => {},
    getOutHelpWidth: () => 100,
    getErrHelpWidth: () => 100,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
}

/**
 * Reads arguments.
 * @returns the help text, if that is what the user asked for
 * @throws {UsageError} when they make no sense
 */
export function parseBenchLine(
  command: Command,
  args: readonly string[],
  hint: string,
): string | undefined {
  try {
    command.parse([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return command.helpInformation();
    throw new UsageError(error.message.replace(/^error: /, ""), hint);
  }
}
