/**
 * Errors that leave the emulator, each with the exit code it means. Guest mistakes are not errors:
 * they get their architectural answer.
 * @module
 */

/** Exit codes of the command line. */
export const EXIT_CODE = {
  POWER_OFF: 0,
  GUEST_CRASH: 1,
  IMAGE_ERROR: 1,
  USAGE: 2,
  INTERNAL: 70,
  LIMIT: 124,
  INTERRUPTED: 130,
} as const;

/** The user asked for something that cannot be done. */
export class UsageError extends Error {
  /** Tells it apart where `instanceof` cannot. */
  override readonly name = "UsageError";
  /** Exit code of the process. */
  readonly exitCode: number = EXIT_CODE.USAGE;
  /** A working example or the nearest valid choice. */
  readonly hint: string | undefined;
  /**
   * Says what is wrong and how to do it right.
   * @param message what was attempted and why it fails, no final period
   * @param hint a working example or the nearest valid choice
   */
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** A disk image or its host file cannot be used. */
export class ImageError extends Error {
  /** Tells it apart where `instanceof` cannot. */
  override readonly name = "ImageError";
  /** Exit code of the process. */
  readonly exitCode: number = EXIT_CODE.IMAGE_ERROR;
  /** What would help. */
  readonly hint: string | undefined;
  /**
   * Says what is wrong with the file.
   * @param message what was attempted, the state, the wanted state, no final period
   */
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** The guest came to an end that is none: triple fault, HLT for ever. */
export class GuestPanic extends Error {
  /** Tells it apart where `instanceof` cannot. */
  override readonly name = "GuestPanic";
  /** Exit code of the process. */
  readonly exitCode: number = EXIT_CODE.GUEST_CRASH;
}

/** A bug of ours. Never swallowed, never logged and continued. */
export class InternalError extends Error {
  /** Tells it apart where `instanceof` cannot. */
  override readonly name = "InternalError";
  /** Exit code of the process. */
  readonly exitCode: number = EXIT_CODE.INTERNAL;
}
