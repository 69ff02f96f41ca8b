/**
 * What `run` and `compare` share: presets by name, one machine run to its end with the user's Ctrl-C
 * heard, and the host's files out of reach meanwhile.
 * @module
 */

import { EXIT_CODE, UsageError } from "../errors.ts";
import type { MachineConfig } from "../machine/config.ts";
import { costPresets, cpuPresets, mediaPresets } from "../machine/storage.ts";
import type { CommonOptions } from "./common_args.ts";
import { NO_PROGRESS, openProgress, type Progress } from "./progress.ts";

/** The presets that the user named. */
export function choosePresets(
  options: CommonOptions,
): Required<Pick<MachineConfig, "cpu" | "cost">> & {
  readonly media: MachineConfig["disks"][number]["media"];
} {
  return {
    cpu: choose("--cpu", cpuPresets(), options.cpu).name,
    cost: choose("--cost", costPresets(), options.cost),
    media: choose("--media", mediaPresets(), options.media),
  };
}

function choose<T>(option: string, presets: Readonly<Record<string, T>>, name: string): T {
  const preset = Object.hasOwn(presets, name) ? presets[name] : undefined;
  if (preset !== undefined) return preset;
  throw new UsageError(
    `Cannot find ${option} "${name}": there is none`,
    `${option} takes ${Object.keys(presets).join(", ")}; ${option} help describes them`,
  );
}

/** The limits that the user set, as a machine takes them. */
export function limits(options: CommonOptions): Pick<MachineConfig, "maxInsns" | "maxTime"> {
  const { maxInsns, maxTime } = options;
  return {
    ...(maxInsns === undefined ? {} : { maxInsns }),
    ...(maxTime === undefined ? {} : { maxTime }),
  };
}

/**
 * Gives up the permissions to open files. Images are open by now and stay usable; whatever a guest
 * makes of the emulator, it reaches no other file. Where the user has a monitor, whose commands name
 * files, the permissions stay.
 */
export function dropFileAccess(names: readonly ("read" | "write")[]): void {
  for (const name of names) Deno.permissions.revokeSync({ name });
}

/** Opens a progress line where there is a terminal that can redraw it and nothing else writes to. */
export async function chooseProgress(
  options: CommonOptions,
  free: boolean,
  total: number | undefined,
): Promise<Progress> {
  const wanted = options.progress && !options.quiet && free;
  const canRedraw = Deno.stderr.isTerminal() && Deno.env.get("TERM") !== "dumb";
  return wanted && canRedraw ? await openProgress(total) : NO_PROGRESS;
}

/**
 * Hears Ctrl-C, Ctrl-\, SIGTERM and the end of the terminal: the first asks the run to stop, the
 * second ends the process.
 */
export class StopSignals {
  #requested = false;
  readonly #listener: () => void = () => {
    if (this.#requested) Deno.exit(EXIT_CODE.INTERRUPTED);
    this.#requested = true;
  };

  constructor() {
    for (const signal of SIGNALS) Deno.addSignalListener(signal, this.#listener);
  }

  /** The user wants the run to stop. */
  get requested(): boolean {
    return this.#requested;
  }

  /** Leaves the signals to the system again. */
  [Symbol.dispose](): void {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, this.#listener);
  }
}

const SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"];
