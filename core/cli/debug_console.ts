/**
 * `-debugcon`: where the bytes go that a guest writes to the debug consoles at ports E9 and 402.
 * @module
 */

import { createFile, SerialSink } from "./output.ts";

/** Takes the bytes of the serial port. */
interface ByteSink {
  push(byte: number): void;
}

/** Takes the bytes of both ports. */
export interface DebugOutput {
  /** A byte of port E9. */
  onDebugByte(byte: number): void;
  /** A byte of port 402, where a BIOS writes its log. */
  onFirmwareByte(byte: number): void;
  /** Writes what has come in, unless that is the serial port's business. */
  flush(): void;
}

/**
 * Opens the place.
 * @param where `stdio`, `null` or `file:F`; unless given, what port E9 prints joins the serial port's
 * output and the BIOS's log is dropped
 */
export function openDebugOutput(where: string | undefined, serial: ByteSink): DebugOutput {
  if (where === undefined) return to((byte) => serial.push(byte), drop);
  if (where === "null") return to(drop, drop);
  if (where === "stdio") return to((byte) => serial.push(byte), (byte) => serial.push(byte));
  const file = createFile(`Cannot write -debugcon ${where}`, where.slice("file:".length));
  const sink = new SerialSink(file);
  const push = (byte: number): void => sink.push(byte);
  return to(push, push, () => sink.flush());
}

function to(
  onDebugByte: (byte: number) => void,
  onFirmwareByte: (byte: number) => void,
  flush: () => void = () => {},
): DebugOutput {
  return { onDebugByte, onFirmwareByte, flush };
}

function drop(): void {}
