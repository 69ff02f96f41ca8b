/**
 * Standard input while a guest runs: a terminal whose keys reach the guest one by one, a file, or a
 * pipe that may close while the guest goes on.
 *
 * A terminal is set back by every way out: the end of the run, an error and a signal end it by
 * {@link HostTerminal}'s disposal (a signal only asks the run to stop); what nobody caught, by the
 * `unload` event. A job that is stopped (SIGTSTP) is given the terminal as its shell left it; on
 * SIGCONT the mode is set again.
 * @module
 */

import { fstatSync } from "node:fs";

/** Where keys come from: `Deno.stdin`, and whether it is a file. */
export interface KeySource {
  /** All of it is there already. */
  readonly isFile: boolean;
  isTerminal(): boolean;
  setRaw(raw: boolean, options?: { cbreak: boolean }): void;
  read(into: Uint8Array): Promise<number | null>;
  readSync(into: Uint8Array): number | null;
}

/** Standard input of this process. */
export function standardInput(): KeySource {
  const { stdin } = Deno;
  return {
    isFile: isFile(),
    isTerminal: () => stdin.isTerminal(),
    setRaw: (raw, options) => stdin.setRaw(raw, options),
    read: (into) => stdin.read(into),
    readSync: (into) => stdin.readSync(into),
  };
}

/** What the terminal is to do with what comes in. */
export interface TerminalUser {
  /** Ctrl-C and Ctrl-Z are signals; else they are keys like any other. */
  readonly signals: boolean;
  /** Takes what has been typed. */
  input(bytes: Uint8Array): void;
  /** More would be taken now. A terminal is always heard. */
  hasRoom(): boolean;
  /** The process ends without having given the terminal back. */
  abandoned(): void;
}

const CHUNK_BYTES = 4096;
/** How long a file or pipe rests that is faster than the guest. */
const REST_MS = 20;

/**
 * One run's hold on standard input. A file is typed as a whole before the guest starts, so that a
 * run depends on nothing but what is in it.
 */
export class HostTerminal {
  readonly #source: KeySource;
  readonly #user: TerminalUser;
  readonly #enter: () => void = () => this.#setRaw(true);
  readonly #abandon: () => void = () => {
    this.#setRaw(false);
    this.#user.abandoned();
  };
  #held = true;
  #open = true;

  /** Takes the terminal. */
  constructor(source: KeySource, user: TerminalUser) {
    this.#source = source;
    this.#user = user;
    if (source.isTerminal()) this.#hold();
  }

  /** Passes on what is typed from now on. */
  listen(): void {
    if (this.#source.isFile) this.#typeFile();
    else this.#readOn();
  }

  /** Something may still come. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** Gives the terminal back as it was. */
  [Symbol.dispose](): void {
    if (!this.#held) return;
    this.#held = false;
    if (!this.#source.isTerminal()) return;
    this.#setRaw(false);
    globalThis.removeEventListener("unload", this.#abandon);
    if (HAS_JOBS) Deno.removeSignalListener("SIGCONT", this.#enter);
  }

  #hold(): void {
    globalThis.addEventListener("unload", this.#abandon);
    if (HAS_JOBS) Deno.addSignalListener("SIGCONT", this.#enter);
    this.#enter();
  }

  #setRaw(raw: boolean): void {
    try {
      this.#source.setRaw(raw, { cbreak: this.#user.signals });
    } catch {
      // The terminal has been closed: there is nothing left to set.
    }
  }

  #typeFile(): void {
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (;;) {
      const length = this.#source.readSync(chunk);
      if (length === null) break;
      this.#user.input(chunk.slice(0, length));
    }
    this.#open = false;
  }

  async #readOn(): Promise<void> {
    const chunk = new Uint8Array(CHUNK_BYTES);
    const isTerminal = this.#source.isTerminal();
    while (this.#held) {
      const length = await this.#source.read(chunk).catch(() => null);
      if (length === null) break;
      if (this.#held) this.#user.input(chunk.slice(0, length));
      while (this.#held && !isTerminal && !this.#user.hasRoom()) await rest();
    }
    this.#open = false;
  }
}

/** Standard input is a file of the host; it may also be closed. */
function isFile(): boolean {
  try {
    return fstatSync(0).isFile();
  } catch {
    return false;
  }
}

const HAS_JOBS = Deno.build.os !== "windows";

function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, REST_MS));
}
