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

import { EXIT_CODE, UsageError } from "../errors.ts";
import { parseArgs } from "./args.ts";
import { reportFailure } from "./failure.ts";
import { hostReason } from "./files.ts";
import { processStreams, type Streams, writeText } from "./output.ts";

/**
 * Runs one command.
 * @param args what follows the program's name
 * @returns the exit code
 */
export async function main(args: readonly string[], streams: Streams): Promise<number> {
  try {
    return await dispatch(args, streams);
  } catch (error) {
    return reportFailure(error, streams);
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
    throw new UsageError(`Cannot enter folder "${folder}": ${hostReason(error)}`);
  }
  return args.slice(2);
}

if (import.meta.main) {
  Deno.exit(await main(Deno.args, processStreams()));
}
