/**
 * The command line. Long options are accepted with one dash, as QEMU spells them, and with two.
 * @module
 */

import { Command, CommanderError } from "commander";
import { UsageError } from "../errors.ts";
import { TOOL, VERSION } from "../version.ts";
import { Listing, type ListRequest } from "./common_args.ts";
import { compareCommand, type CompareOptions } from "./compare_args.ts";
import { runCommand, type RunOptions } from "./run_args.ts";

/** Help or version, ready to print. */
export interface TextRequest {
  readonly command: "text";
  readonly text: string;
}

/** What the user asked for. */
export type Invocation = RunOptions | CompareOptions | ListRequest | TextRequest;

/**
 * Reads the arguments after the program name.
 * @throws {UsageError} with a hint, when they make no sense
 */
export function parseArgs(args: readonly string[]): Invocation {
  let invocation: Invocation | undefined;
  const outputs: string[] = [];
  const program = new Command(TOOL)
    .description(
      "Watches a guest kernel reach its disk, over emulated IDE and over Xen's blkfront.",
    )
    .version(VERSION, "--version")
    .helpCommand(false)
    .addCommand(runCommand((options) => invocation = options), { isDefault: true })
    .addCommand(compareCommand((options) => invocation = options));
  for (const command of [program, ...program.commands]) prepare(command, outputs);
  try {
    program.parse(rewriteDashes(args, program), { from: "user" });
  } catch (error) {
    if (error instanceof Listing) return { command: "list", what: error.what };
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw toUsageError(error);
    return { command: "text", text: outputs.join("") };
  }
  return invocation ?? { command: "text", text: program.helpInformation() };
}

/** Errors are thrown, help is collected, and colours are left to the caller. */
function prepare(command: Command, outputs: string[]): void {
  command.helpOption("-h, --help", "show this help").exitOverride().configureOutput({
    writeOut: (text) => outputs.push(text),
    writeErr: () => {},
    getOutHelpWidth: () => 100,
    getErrHelpWidth: () => 100,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  if (command.name() !== TOOL) command.version(VERSION, "--version", "show the version");
}

/**
 * `-append x` becomes `--append x`; values of options, single letters and all after `--` stay. An
 * option that may have a value has the one behind its `=`: `--disasm guest.bin` names a guest.
 */
function rewriteDashes(args: readonly string[], program: Command): string[] {
  const options = [program, ...program.commands].flatMap((command) => command.options);
  const takesValue = new Set(
    options.filter(({ required }) => required).flatMap(({ short, long }) => [short, long])
      .filter((name) => name !== undefined),
  );
  const mayTakeValue = new Set(options.filter(({ optional }) => optional).map(({ long }) => long));
  const result: string[] = [];
  let plain = false;
  for (const arg of args) {
    const isValue: boolean = plain || takesValue.has(result.at(-1) ?? "");
    const long = !isValue && /^-[a-z][a-z-]+(=.*)?$/s.test(arg) ? `-${arg}` : arg;
    result.push(!isValue && mayTakeValue.has(long) ? `${long}=` : long);
    plain ||= !isValue && arg === "--";
  }
  return result;
}

function toUsageError(error: CommanderError): UsageError {
  const [, message = error.message, suggestion] =
    /^(?:error: )?([^\n]*)(?:\n\((.*)\))?/s.exec(error.message) ?? [];
  const hint = suggestion ?? `deno task run --help and deno task compare --help list what there is`;
  return new UsageError(message.replace(/\.$/, ""), hint);
}
