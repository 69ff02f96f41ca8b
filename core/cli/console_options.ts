/**
 * Where the guest's console goes: `-serial`, `-monitor`, `-display`, `-nographic`, as QEMU spells
 * them, and `-xenconsole`. There is one terminal: standard input and output.
 * @module
 */

import type { Command } from "commander";
import { UsageError } from "../errors.ts";

/** What shares the terminal, and what goes elsewhere. */
export interface ConsoleOptions {
  /** COM1: the terminal, nothing, or a file that gets what the guest sends. */
  readonly serial: "terminal" | "none" | { readonly file: string };
  /** hvc0: with COM1 where that is, the terminal, nothing, or a file that gets what it prints. */
  readonly xenConsole: "serial" | "terminal" | "none" | { readonly file: string };
  /** The monitor is on the terminal. */
  readonly monitor: boolean;
  /** The VGA's text screen is on the terminal. */
  readonly screen: boolean;
  /** Ctrl-A is a command to us and Ctrl-C a key for the guest; else Ctrl-C ends the run. */
  readonly escapes: boolean;
  /** What has the keys at the start. */
  readonly front: "screen" | "serial" | "monitor";
  /** The user named the monitor, rather than getting it with everything else. */
  readonly monitorWanted: boolean;
}

type Flags = Readonly<Record<string, unknown>>;

const SERIAL_HINT = "-serial mon:stdio shares the terminal with the monitor, Ctrl-A c switches";

/** Adds the options to a command. */
export function addConsoleOptions(command: Command): void {
  command
    .option("--serial <where>", "COM1: mon:stdio (unless given), stdio, none, file:FILE")
    .option(
      "--xenconsole <where>",
      "a Xen guest's hvc0: with COM1 (unless given), stdio, none, file:F",
    )
    .option(
      "--monitor <where>",
      "the monitor alone: stdio, none; its commands may open files as long as the guest runs",
    )
    .option("--display <what>", "the VGA: none (unless given), text (live in the terminal)")
    .option("--nographic", "-serial mon:stdio -display none; a BIOS's screen is there too");
}

/**
 * Makes one plan of them.
 * @throws {UsageError} when they name something that there is not, or the terminal twice
 */
export function consoleOptions(flags: Flags): ConsoleOptions {
  const serialTo = flags.serial as string | undefined;
  const monitorTo = choose("-monitor", flags.monitor, ["stdio", "none", "null"]);
  const display = choose("-display", flags.display, ["none", "text"]);
  const screen = display === "text" && flags.nographic !== true;
  const wantsMonitor = monitorTo === "stdio" || serialTo === "mon:stdio";
  if (serialTo === "stdio" && monitorTo === "stdio") {
    throw new UsageError("Cannot connect both -serial and -monitor to stdio alone", SERIAL_HINT);
  }
  const serial = serialTarget(serialTo);
  const monitor = wantsMonitor || (serialTo === undefined && monitorTo === undefined);
  const xenConsole = xenConsoleTarget(flags.xenconsole as string | undefined);
  const hasLine = serial === "terminal" || xenConsole === "terminal";
  const shared = Number(hasLine) + Number(monitor) + Number(screen) > 1;
  return {
    serial,
    xenConsole,
    monitor,
    screen,
    escapes: shared || screen,
    front: screen ? "screen" : monitorTo === "stdio" ? "monitor" : "serial",
    monitorWanted: wantsMonitor,
  };
}

function choose(option: string, value: unknown, known: readonly string[]): string | undefined {
  if (value === undefined || known.includes(value as string)) return value as string | undefined;
  const hint = `${option} takes ${known.filter((name) => name !== "null").join(" or ")}`;
  throw new UsageError(`Cannot use ${option} "${value}": there is no such thing here`, hint);
}

function serialTarget(where: string = "mon:stdio"): ConsoleOptions["serial"] {
  const target = elsewhere(where);
  if (target !== undefined) return target;
  if (where === "stdio" || where === "mon:stdio") return "terminal";
  throw new UsageError(
    `Cannot connect -serial to "${where}": wanted mon:stdio, stdio, none, or file:FILE`,
    SERIAL_HINT,
  );
}

function xenConsoleTarget(where: string | undefined): ConsoleOptions["xenConsole"] {
  if (where === undefined) return "serial";
  if (where === "stdio") return "terminal";
  const target = elsewhere(where);
  if (target !== undefined) return target;
  throw new UsageError(
    `Cannot connect -xenconsole to "${where}": wanted stdio, none, or file:FILE`,
    "without it hvc0 is where COM1 is",
  );
}

/** Not on the terminal. */
function elsewhere(where: string): "none" | { readonly file: string } | undefined {
  const [, file] = /^file:(.+)$/s.exec(where) ?? [];
  if (file !== undefined) return { file };
  return where === "none" || where === "null" ? "none" : undefined;
}
