/**
 * Arguments of the tools that live beside the tests.
 * @module
 */

import { type Command, CommanderError } from "commander";
import { reportFailure } from "../../core/cli/failure.ts";
import { processStreams, type Streams, writeText } from "../../core/cli/output.ts";
import { UsageError } from "../../core/errors.ts";

/**
 * Reads arguments into a command.
 * @param hint a command that works
 * @returns the help text, if that is what the user asked for
 * @throws {UsageError} when they make no sense
 */
export function parseInto(
  command: Command,
  args: readonly string[],
  hint: string,
): string | undefined {
  let help = "";
  command.exitOverride().configureOutput({
    writeOut: (text) => help += text,
    writeErr: () => {},
    getOutHelpWidth: () => 100,
    getErrHelpWidth: () => 100,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  try {
    command.parse([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return help;
    throw new UsageError(error.message.replace(/^error: /, ""), hint);
  }
  return undefined;
}

/**
 * A whole tool: reads its arguments and does them.
 * @param parse returns the help text, if that is what the user asked for
 * @param run returns the exit code
 * @returns the exit code
 */
export async function runTool<Options extends object>(
  parse: () => Options | string,
  run: (options: Options, print: (line: string) => void) => Promise<number>,
  streams: Streams = processStreams(),
): Promise<number> {
  try {
    const options = parse();
    if (typeof options !== "string") {
      return await run(options, (line) => writeText(streams.stdout, `${line}\n`));
    }
    writeText(streams.stdout, options);
    return 0;
  } catch (error) {
    return reportFailure(error, streams);
  }
}
