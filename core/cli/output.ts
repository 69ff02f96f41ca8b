/**
 * What goes to the terminal or the pipe.
 * @module
 */

import { styleText } from "node:util";
import { UsageError } from "../errors.ts";
import { tryLock } from "../machine/storage.ts";
import { TOOL } from "../version.ts";
import { hostReason, isInput, onHost } from "./files.ts";
import { type KeySource, standardInput } from "./terminal.ts";

/** A synchronous byte stream such as `Deno.stdout`. */
export interface ByteStream {
  writeSync(bytes: Uint8Array): number;
}

/** The streams of a command. */
export interface Streams {
  /** Nobody types without it. */
  readonly stdin?: KeySource;
  readonly stdout: ByteStream;
  readonly stderr: ByteStream;
  /** Standard error shows colours. */
  readonly colour: boolean;
}

const encoder = new TextEncoder();

/**
 * Writes all of it, however often the stream must be asked.
 * @throws {UsageError} when the host refuses, as a full disk does
 */
export function writeAll(stream: ByteStream, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe || error instanceof UsageError) throw error;
    throw new UsageError(`Cannot write the output: ${hostReason(error)}`);
  }
}

/**
 * Makes a file, emptied, that output goes to as long as the process runs.
 * @param what as in "Cannot write x", for the message when the host refuses, now or later
 * @throws {UsageError} when the host refuses, or something else uses the file: {@link IN_USE}
 */
export function createFile(what: string, path: string): ByteStream {
  const file = onHost(what, () => openEmptied(path));
  if (file === undefined) throw new UsageError(`${what}: ${IN_USE}`, "a name that is not taken");
  return { writeSync: (bytes) => onHost(what, () => file.writeSync(bytes)) };
}

/** Why a file cannot be had. */
export const IN_USE = "something else uses that file, as input, disk image or output";

/** Opens a file to write to, made or emptied. @returns nothing when it is in use */
export function openEmptied(path: string): Deno.FsFile | undefined {
  const file = Deno.openSync(path, { write: true, create: true });
  const info = file.statSync();
  if (!info.isFile) return file;
  if (isInput(info) || !tryLock(file, true)) {
    file.close();
    return undefined;
  }
  file.truncateSync();
  return file;
}

/** Writes a text as UTF-8. */
export function writeText(stream: ByteStream, text: string): void {
  writeAll(stream, encoder.encode(text));
}

/** One line that says what failed, and one that says what would work. */
export function writeError(streams: Streams, message: string, hint?: string): void {
  const label = (name: string, style: "red" | "cyan") =>
    streams.colour ? styleText(style, name, { validateStream: false }) : name;
  writeText(streams.stderr, `${label(`${TOOL}:`, "red")} ${message}\n`);
  if (hint !== undefined) writeText(streams.stderr, `${label("hint:", "cyan")} ${hint}\n`);
}

/** The streams of this process. */
export function processStreams(): Streams {
  const { stdout, stderr } = Deno;
  const colour = !Deno.noColor && stderr.isTerminal() && Deno.env.get("TERM") !== "dumb";
  return { stdin: standardInput(), stdout, stderr, colour };
}

/** Collects the bytes of a serial port and writes them in runs. */
export class SerialSink {
  readonly #stream: ByteStream;
  #buffer: Uint8Array = new Uint8Array(4096);
  #length = 0;

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** Keeps one byte until the next {@link flush}. */
  push(byte: number): void {
    if (this.#length === this.#buffer.length) {
      const larger = new Uint8Array(this.#length * 2);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    this.#buffer[this.#length++] = byte;
  }

  /** Writes what has come in. */
  flush(): void {
    if (this.#length === 0) return;
    const length = this.#length;
    this.#length = 0;
    writeAll(this.#stream, this.#buffer.subarray(0, length));
  }
}
