/**
 * Entry point of the command line: `main.ts [-C FOLDER] [run|compare] ...`.
 *
 * `-C` sets the folder that file names are relative to, as in make and git: `deno task` starts
 * everything in the project's folder and passes the user's own.
 *
 * It starts with the right to open any file, because users name images anywhere, and gives it up
 * before the first guest instruction (`session.ts`).
 * @module
 */

import { EXIT_CODE, GuestPanic, ImageError, UsageError } from "../errors.ts";
import { parseArgs } from "./args.ts";
import { processStreams, type Streams, writeError, writeText } from "./output.ts";

/**
 * Runs one command.
 * @param args what follows the program's name
 * @returns the exit code
 */
export async function main(args: readonly string[], streams: Streams): Promise<number> {
  try {
    return await dispatch(args, streams);
  } catch (error) {
    // The reader of our output has left: nobody is there to be told.
    if (error instanceof Deno.errors.BrokenPipe) return EXIT_CODE.INTERRUPTED;
    return report(error, streams);
  }
}

async function dispatch(args: readonly string[], streams: Streams): Promise<number> {
  const invocation = parseArgs(enterFolder(args));
  switch (invocation.command) {
    case "run":
      return await (await import("./run.ts")).runCommand(invocation, streams);
    case "compare":
      return await (await import("./compare.ts")).compareCommand(invocation, streams);
    case "list":
      writeText(streams.stdout, await (await import("./list.ts")).listText(invocation.what));
      return EXIT_CODE.POWER_OFF;
    case "text":
      writeText(streams.stdout, invocation.text);
      return EXIT_CODE.POWER_OFF;
  }
}

function enterFolder(args: readonly string[]): readonly string[] {
  const [flag, folder] = args;
  if (flag !== "-C" || folder === undefined) return args;
  try {
    Deno.chdir(folder);
  } catch (error) {
    throw new UsageError(`Cannot enter folder "${folder}": ${textOf(error)}`);
  }
  return args.slice(2);
}

/** The user's and the host's mistakes in a line and a hint; ours with everything there is. */
function report(error: unknown, streams: Streams): number {
  if (error instanceof UsageError || error instanceof ImageError) {
    writeError(streams, error.message, error.hint);
    return error.exitCode;
  }
  if (error instanceof GuestPanic) {
    writeError(streams, error.message);
    return error.exitCode;
  }
  writeError(
    streams,
    `Internal error: ${textOf(error)}`,
    "this is a bug of ours, please report it",
  );
  if (error instanceof Error && error.stack !== undefined) {
    writeText(streams.stderr, `${error.stack}\n`);
  }
  return EXIT_CODE.INTERNAL;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

if (import.meta.main) {
  Deno.exit(await main(Deno.args, processStreams()));
}
