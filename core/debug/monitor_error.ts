/**
 * A command of the monitor that makes no sense.
 * @module
 */

/** Its message is what the user reads, in QEMU's words where QEMU has some. */
export class MonitorError extends Error {
  override readonly name = "MonitorError";
}
