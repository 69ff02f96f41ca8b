/**
 * A keyboard controller with its devices, spoken to through its ports as a driver does.
 * @module
 */

import { VirtualClock } from "../../core/clock.ts";
import { IoPortBus } from "../../devices/bus.ts";
import { I8042 } from "../../devices/i8042.ts";
import { Keyboard } from "../../devices/keyboard.ts";
import { Typist } from "../../devices/keyboard_typist.ts";
import { Mouse } from "../../devices/mouse.ts";
import { RecordingLine, runUntil } from "./pc_devices.ts";

const [DATA, COMMAND] = [0x60, 0x64];

/** The controller on a board of its own. */
export class Ps2Board {
  readonly clock: VirtualClock = new VirtualClock();
  readonly keyboard: Keyboard = new Keyboard();
  readonly typist: Typist = new Typist(this.clock, this.keyboard);
  readonly keyboardIrq: RecordingLine = new RecordingLine();
  readonly mouseIrq: RecordingLine = new RecordingLine();
  readonly a20: RecordingLine = new RecordingLine();
  resets: number = 0;
  readonly #ports: IoPortBus = new IoPortBus();

  constructor() {
    const { keyboard, keyboardIrq, mouseIrq, a20 } = this;
    const mouse = new Mouse();
    const onReset = () => this.resets++;
    const controller = new I8042({ keyboard, mouse, keyboardIrq, mouseIrq, a20, onReset });
    this.#ports.map("data", DATA, 1, controller.dataPort);
    this.#ports.map("command", COMMAND, 1, controller.commandPort);
  }

  /** The status register. */
  status(): number {
    return this.#ports.read(COMMAND, 1);
  }

  /** The data register. */
  read(): number {
    return this.#ports.read(DATA, 1);
  }

  /** Everything that waits to be read. */
  drain(): number[] {
    const bytes = [];
    while ((this.status() & 1) !== 0) bytes.push(this.read());
    return bytes;
  }

  /** Gives the controller a command and its data. */
  send(command: number, ...data: readonly number[]): void {
    this.#ports.write(COMMAND, 1, command);
    for (const byte of data) this.#ports.write(DATA, 1, byte);
  }

  /** As {@link send}; returns what comes back. */
  command(command: number, ...data: readonly number[]): number[] {
    this.send(command, ...data);
    return this.drain();
  }

  /** Sends bytes to the keyboard; returns what comes back. */
  toKeyboard(...bytes: readonly number[]): number[] {
    return bytes.flatMap((byte) => {
      this.#ports.write(DATA, 1, byte);
      return this.drain();
    });
  }

  /** Sends bytes to the mouse; returns what comes back. */
  toMouse(...bytes: readonly number[]): number[] {
    return bytes.flatMap((byte) => this.command(0xd4, byte));
  }

  /** The host's terminal sends something; returns the scan codes of it all. */
  type(text: string): number[] {
    return [...new TextEncoder().encode(text)].flatMap((byte) => {
      this.typist.receive(byte);
      return this.drain();
    });
  }

  /** Lets time pass. */
  run(ns: number): void {
    runUntil(this.clock, this.clock.now + ns);
  }
}
