/**
 * The file of `--requests`: disk requests one by one, as JSON lines behind a line that says of which
 * run.
 * @module
 */

import type { RequestRecord } from "../machine/exit_report.ts";
import type { RunHeader } from "../report/run.ts";
import { type ByteStream, writeText } from "./output.ts";

/** Lines that are kept back, to be written together. */
const LINES = 256;

/** Writes JSON lines. */
export class RequestsFile {
  readonly #stream: ByteStream;
  #lines: string[] = [];

  constructor(stream: ByteStream, header: RunHeader) {
    this.#stream = stream;
    this.#push(header);
  }

  /** Takes a request that is over. */
  add(request: RequestRecord): void {
    this.#push(request);
    if (this.#lines.length >= LINES) this.flush();
  }

  /** Writes what has come in. */
  flush(): void {
    if (this.#lines.length === 0) return;
    writeText(this.#stream, this.#lines.join(""));
    this.#lines = [];
  }

  #push(record: unknown): void {
    this.#lines.push(`${JSON.stringify(record)}\n`);
  }
}
