/**
 * How a command ends that threw: one line and a hint for the mistakes of users and hosts, everything
 * there is for ours.
 * @module
 */

import { EXIT_CODE, GuestPanic, ImageError, UsageError } from "../errors.ts";
import { type Streams, writeError, writeText } from "./output.ts";

/**
 * Tells the user what went wrong, where there is still somebody to tell.
 * @param error what was thrown
 * @returns the exit code
 */
export function reportFailure(error: unknown, streams: Streams): number {
  // The reader of our output has left.
  if (error instanceof Deno.errors.BrokenPipe) return EXIT_CODE.INTERRUPTED;
  const known = error instanceof UsageError || error instanceof ImageError ||
      error instanceof GuestPanic
    ? error
    : undefined;
  try {
    if (known) writeError(streams, known.message, "hint" in known ? known.hint : undefined);
    else writeBug(streams, error);
  } catch {
    // Standard error takes nothing either: the code says it.
  }
  return known?.exitCode ?? EXIT_CODE.INTERNAL;
}

function writeBug(streams: Streams, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  writeError(streams, `Internal error: ${text}`, "this is a bug of ours, please report it");
  if (error instanceof Error && error.stack !== undefined) {
    writeText(streams.stderr, `${error.stack}\n`);
  }
}
