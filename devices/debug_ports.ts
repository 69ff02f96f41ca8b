/**
 * Ports for people who watch a guest: debug console 0xE9 (Bochs, QEMU `isa-debugcon`), exit port
 * 0xF4 (QEMU `isa-debug-exit`) and POST code 0x80 (a DMA page register that drives the code
 * display).
 * @module
 */

import { allOnes } from "../core/bits.ts";
import type { AccessSize, PortDevice } from "../core/types.ts";

/** Byte sink on port 0xe9, as in Bochs and QEMU. Reads return 0xe9 so that guests can probe it. */
export class DebugConsole implements PortDevice {
  readonly #sink: (byte: number) => void;

  constructor(sink: (byte: number) => void) {
    this.#sink = sink;
  }

  readPort(): number {
    return 0xe9;
  }

  writePort(_offset: number, _size: AccessSize, value: number): void {
    this.#sink(value & 0xff);
  }
}

/** Ends the run: whatever is written becomes the guest's exit value. Reads float. */
export class DebugExit implements PortDevice {
  readonly #onExit: (value: number) => void;

  /** @param onExit gets the value as written; the shell sees `(value << 1) | 1` */
  constructor(onExit: (value: number) => void) {
    this.#onExit = onExit;
  }

  readPort(_offset: number, size: AccessSize): number {
    return allOnes(size);
  }

  writePort(_offset: number, _size: AccessSize, value: number): void {
    this.#onExit(value);
  }
}

/** Latches the POST code and tells of each one. Guests also write it just to wait. */
export class PostPort implements PortDevice {
  readonly #onMark: (value: number) => void;
  #code = 0;

  constructor(onMark: (value: number) => void) {
    this.#onMark = onMark;
  }

  readPort(_offset: number, size: AccessSize): number {
    return ((allOnes(size) & ~0xff) | this.#code) >>> 0;
  }

  writePort(_offset: number, _size: AccessSize, value: number): void {
    this.#code = value & 0xff;
    this.#onMark(this.#code);
  }
}
