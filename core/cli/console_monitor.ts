/**
 * The monitor on the user's terminal: a prompt, lines that are edited, answers.
 * @module
 */

import { ImageError, UsageError } from "../errors.ts";
import { CLEAR_TO_END, LineEditor } from "../debug/line_editor.ts";
import { Monitor, type MonitorHost, type Topic } from "../debug/monitor.ts";
import type { Machine } from "../machine/machine.ts";
import { formatBooks } from "../report/books.ts";
import { formatExits, formatRequests } from "../report/exits.ts";
import type { RunExits } from "../report/run.ts";
import type { BlockBackend } from "../types.ts";
import { TOOL, VERSION } from "../version.ts";
import type { Channel } from "./console_mux.ts";
import { hostReason } from "./files.ts";
import type { OpenDrive, OpenVbd } from "./open_drives.ts";
import { IN_USE, openEmptied, writeText } from "./output.ts";

const NO_FILES = "without a terminal it takes -monitor stdio or -serial mon:stdio to write files";

/** What `info block` says of a drive behind its name: `a.img (2048 sectors, snapshot)`. */
function driveText({ file, snapshot, backend, backendType, blockSize }: OpenDrive): string {
  const notes = [
    `${backend.sectorCount} sectors`,
    ...backend.readOnly ? ["read-only"] : [],
    ...snapshot ? ["snapshot"] : [],
    ...backendType === undefined ? [] : [`backend ${backendType}`],
    ...blockSize === undefined ? [] : [`blocks of ${blockSize.logical}`],
  ];
  return `${file} (${notes.join(", ")})`;
}

/** A monitor's hold on the run. */
export interface MonitorParts {
  readonly machine: Machine;
  /** Those that the machine starts with. */
  readonly drives: readonly OpenDrive[];
  /** Opens the image of a disk specification. */
  readonly openVbd: (spec: string) => OpenVbd;
  write(text: string): void;
  setPaused(paused: boolean): void;
  readonly isPaused: () => boolean;
  quit(): void;
}

/** The monitor, when it has the keys. */
export class MonitorChannel implements Channel {
  readonly name = "monitor";
  readonly #write: (text: string) => void;
  readonly #editor: LineEditor;
  readonly #monitor: Monitor;
  #greeted = false;
  #inFront = false;
  #hasQuit = false;

  constructor(parts: MonitorParts) {
    this.#write = parts.write;
    this.#monitor = new Monitor(monitorHost(parts, () => this.#quit(parts)));
    this.#editor = new LineEditor({
      prompt: `(${TOOL}) `,
      write: parts.write,
      line: (text) => this.#answer(text),
      complete: (line) => this.#monitor.complete(line),
    });
  }

  input(bytes: Uint8Array): void {
    this.#editor.input(bytes);
  }

  show(inFront: boolean): void {
    this.#write("\n");
    this.#inFront = inFront;
    if (!inFront) return;
    if (!this.#greeted) {
      this.#write(`${TOOL} ${VERSION} monitor - type 'help' for more information\n`);
    }
    this.#greeted = true;
    this.#editor.show();
  }

  /** Tells what came of a command some time ago, above the line that is being typed. */
  tell(line: string): void {
    this.#write(`${this.#inFront ? "\r" : ""}${line}${this.#inFront ? CLEAR_TO_END : ""}\n`);
    if (this.#inFront && !this.#hasQuit) this.#editor.show();
  }

  #answer(text: string): void {
    const lines = this.#monitor.execute(text);
    this.#write(lines.map((line) => `${line}\n`).join(""));
    if (!this.#hasQuit) this.#editor.show();
  }

  #quit({ quit }: MonitorParts): void {
    this.#hasQuit = true;
    quit();
  }
}

function monitorHost(parts: MonitorParts, quit: () => void): MonitorHost {
  const { machine } = parts;
  const texts = new Map(parts.drives.map((drive) => [drive.backend, driveText(drive)]));
  return {
    inspector: machine.inspector,
    topics: topics(parts, texts),
    attach: (spec) =>
      refusal(() => {
        const drive = attach(parts, spec);
        texts.set(drive.backend, driveText(drive));
      }),
    stop: () => parts.setPaused(true),
    cont: () => parts.setPaused(false),
    quit,
    toolstack: (command) => refusal(() => machine.toolstack(command)),
    screen: () => machine.screen()?.lines,
    writeFile: (path, text) => writeFile(path, text),
  };
}

function topics(
  { machine, isPaused }: MonitorParts,
  texts: ReadonlyMap<BlockBackend, string>,
): Readonly<Record<string, Topic>> {
  const text = (lines: string) => lines.trimEnd().split("\n");
  return {
    block: {
      help: "show the block devices",
      lines: () => machine.drives.map(({ name, backend }) => `${name}: ${texts.get(backend)}`),
    },
    books: {
      help: "show what virtual time was spent on",
      lines: () => text(formatBooks(machine.counters())),
    },
    exits: {
      help: "show VM exits by reason, device and disk request",
      lines: () => text(exitTables({ ...machine.exits(), functions: null })),
    },
    status: {
      help: "show the current VM status (running|paused)",
      lines: () => [`VM status: ${isPaused() ? "paused" : "running"}`],
    },
  };
}

function exitTables(exits: RunExits): string {
  return `${formatExits(exits)}\n${formatRequests(exits)}`;
}

/** The image is the machine's if that takes it. */
function attach({ machine, openVbd }: MonitorParts, spec: string): OpenDrive {
  const { drive, disk } = openVbd(spec);
  try {
    machine.toolstack({ verb: "block-attach", disk });
    return drive;
  } catch (error) {
    disk.backend.close();
    throw error;
  }
}

/** @returns why it cannot be done, and what can */
function refusal(action: () => void): string[] {
  try {
    action();
    return [];
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof ImageError)) throw error;
    return [error.message, ...error.hint === undefined ? [] : [`(${error.hint})`]];
  }
}

function writeFile(path: string, text: string): void {
  try {
    using file = openEmptied(path);
    if (file === undefined) throw new Error(IN_USE);
    writeText(file, text);
  } catch (error) {
    const isTakenAway = error instanceof Deno.errors.NotCapable &&
      Deno.permissions.querySync({ name: "write" }).state !== "granted";
    throw new Error(isTakenAway ? NO_FILES : hostReason(error), { cause: error });
  }
}
