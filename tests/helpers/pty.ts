/**
 * The command line on a terminal of its own, as a user has it: util-linux's `script` makes the
 * terminal, xterm's engine says what is on its screen.
 * @module
 */

import xterm from "@xterm/headless";
import { guestPath, trapringArguments } from "./process.ts";

export { guestPath };

const COLUMNS = 80;
const ROWS = 25;
/** Longest wait for what a test expects to see, unless it says otherwise. */
const PATIENCE_MS = 20_000;

/** There is no `script`, or no right to start it. */
export const ptyMissing: boolean = !hasScript();

function hasScript(): boolean {
  const names = ["read", "write", "run", "env"] as const;
  if (names.some((name) => Deno.permissions.querySync({ name }).state !== "granted")) return false;
  try {
    return Deno.statSync("/usr/bin/script").isFile && Deno.statSync("/usr/bin/stty").isFile;
  } catch {
    return false;
  }
}

/** How it ended. */
export interface PtyEnd {
  readonly code: number;
  /** Everything that came on the terminal. */
  readonly text: string;
  /** The terminal's modes are what they were before. */
  readonly restored: boolean;
}

/** One run on a terminal. */
export class PtyRun {
  readonly #folder: string;
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array>;
  readonly #screen = new xterm.Terminal({ cols: COLUMNS, rows: ROWS, allowProposedApi: true });
  readonly #read: Promise<void>;
  #text = "";
  #wake: () => void = () => {};

  /** @param place the folder where it runs, and where notes about it are kept; kind of terminal */
  constructor(place: string | { folder: string; term: string }, ...args: string[]) {
    const { folder, term } = typeof place === "string" ? { folder: place, term: "xterm" } : place;
    this.#folder = folder;
    const quoted = [Deno.execPath(), ...trapringArguments(args)].map((arg) => `'${arg}'`).join(" ");
    const lines = [
      `stty rows ${ROWS} cols ${COLUMNS}`,
      "trap : INT",
      "stty -g > before",
      `sh -c 'echo $$ > pid; exec "$@"' sh ${quoted}`,
      "code=$?",
      "stty -g > after",
      "exit $code",
    ];
    Deno.writeTextFileSync(`${folder}/run.sh`, `${lines.join("\n")}\n`);
    this.#child = new Deno.Command("/usr/bin/script", {
      args: ["-qefc", "sh run.sh", "/dev/null"],
      cwd: folder,
      env: { NO_COLOR: "1", TERM: term },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#keys = this.#child.stdin.getWriter();
    this.#read = this.#readAll();
  }

  /** Hits keys. */
  async type(text: string): Promise<void> {
    await this.#keys.write(new TextEncoder().encode(text));
  }

  /** Waits until that has come on the terminal, after what was waited for before. */
  async until(text: string, patienceMs: number = PATIENCE_MS): Promise<void> {
    await this.#waitFor(() => this.#text.includes(text), text, patienceMs);
    this.#text = this.#text.slice(this.#text.indexOf(text) + text.length);
  }

  /** Waits until a row of the screen is that. */
  async untilRow(row: number, text: string): Promise<void> {
    await this.#waitFor(() => this.row(row) === text, `"${text}" in row ${row}`, PATIENCE_MS);
  }

  /** A row of the screen as the user sees it. */
  row(row: number): string {
    return this.#screen.buffer.active.getLine(row)!.translateToString(true);
  }

  /** Which of the terminal's two screens is shown. */
  get buffer(): "normal" | "alternate" {
    return this.#screen.buffer.active.type;
  }

  /** Sends a signal to trapring itself. */
  kill(signal: Deno.Signal): void {
    Deno.kill(Number(Deno.readTextFileSync(`${this.#folder}/pid`)), signal);
  }

  /** Waits for the end. */
  async end(): Promise<PtyEnd> {
    const { code } = await this.#child.status;
    await this.#read;
    await this.#keys.close().catch(() => {});
    const [before, after] = ["before", "after"].map((name) =>
      Deno.readTextFileSync(`${this.#folder}/${name}`)
    );
    return { code, text: this.#text, restored: before === after };
  }

  async #readAll(): Promise<void> {
    for await (const chunk of this.#child.stdout) {
      await new Promise<void>((resolve) => this.#screen.write(chunk, resolve));
      this.#text += new TextDecoder().decode(chunk);
      this.#wake();
    }
    this.#wake();
  }

  async #waitFor(condition: () => boolean, what: string, patienceMs: number): Promise<void> {
    const endsAt = performance.now() + patienceMs;
    while (!condition()) {
      const left = endsAt - performance.now();
      if (left <= 0) throw new Error(`Waited in vain for ${what}; there is: ${this.#text}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

/**
 * A test on a terminal, in a folder that goes away afterwards; ignored where there is no terminal, or
 * something else is missing.
 */
export function ptyTest(
  name: string,
  fn: (folder: string) => Promise<void>,
  ignore: boolean = false,
): void {
  Deno.test({
    name,
    ignore: ignore || ptyMissing,
    async fn() {
      const folder = await Deno.makeTempDir();
      try {
        await fn(folder);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
