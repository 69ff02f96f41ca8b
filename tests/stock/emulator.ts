/**
 * `deno task run` as a child process, watched through its serial port.
 * @module
 */

import { fromFileUrl } from "@std/path";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
/** Real time that a run may take on a busy host. */
const PATIENCE_MS = 240_000;
/** Characters of a run that a failed test shows. */
const TAIL = 3000;

/** How a run ended, and all that it wrote. */
export interface RunEnd {
  readonly code: number;
  /** The guest's serial port. */
  readonly serial: string;
  /** The other stream: tables and messages, or the record that `--json` asked for. */
  readonly report: string;
}

/** One run. */
export class Emulator implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #serial: Promise<string>;
  readonly #report: Promise<string>;
  readonly #patience: ReturnType<typeof setTimeout>;
  #seen = "";
  #awaited: { readonly text: RegExp; readonly found: () => void } | undefined;

  /**
   * Starts it.
   * @param folder where file names start
   */
  constructor(folder: string, args: readonly string[]) {
    const [program, ...given] = taskCommand(folder);
    this.#child = new Deno.Command(program!, {
      args: [...given, ...args],
      cwd: ROOT,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const streams = [this.#child.stdout, this.#child.stderr];
    const [serial, report] = args.includes("--json") ? streams.reverse() : streams;
    this.#serial = this.#watch(serial!);
    this.#report = new Response(report).text();
    this.#patience = setTimeout(() => this.kill(), PATIENCE_MS);
  }

  /**
   * Waits for a text on the serial port.
   * @throws {Error} when the run ends without it
   */
  async until(text: RegExp): Promise<void> {
    const found = new Promise<void>((resolve) => this.#awaited = { text, found: resolve });
    this.#look();
    await Promise.race([found, this.#serial]);
    if (!text.test(this.#seen)) {
      throw new Error(`no ${text} before the end:\n${this.#seen.slice(-TAIL)}`);
    }
  }

  /** Waits for the end of the run. */
  async end(): Promise<RunEnd> {
    const [{ code }, serial, report] = await Promise.all([
      this.#child.status,
      this.#serial,
      this.#report,
    ]);
    clearTimeout(this.#patience);
    return { code, serial, report };
  }

  /** Ends the process without a chance to tidy up. */
  kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.end();
  }

  async #watch(stream: ReadableStream<Uint8Array>): Promise<string> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.#seen += text;
      this.#look();
    }
    return this.#seen;
  }

  #look(): void {
    if (this.#awaited?.text.test(this.#seen)) this.#awaited.found();
  }
}

/** The end of a run's output, for the message of a failed test. */
export function tailOf({ code, serial, report }: RunEnd): string {
  return `code ${code}\n${serial.slice(-TAIL)}\n${report.slice(-TAIL)}`;
}

/** What `deno task run` starts, in this Deno. */
function taskCommand(folder: string): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`));
  const [, ...args] = (tasks.run.command as string).split(" ");
  return [Deno.execPath(), ...args.map((arg) => arg === '"$INIT_CWD"' ? folder : arg)];
}
