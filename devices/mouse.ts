/**
 * A PS/2 mouse with two buttons that nobody moves: it answers its commands, and its packets, when
 * asked for, say that nothing has happened.
 * Source: IBM PS/2 Hardware Interface Technical Reference, mouse (commands, status, data packet).
 * @module
 */

import { ACK, Ps2Device, RESEND, SELF_TEST_PASSED } from "./ps2_device.ts";

const COMMAND = {
  RESET_SCALING: 0xe6,
  SET_SCALING: 0xe7,
  SET_RESOLUTION: 0xe8,
  READ_STATUS: 0xe9,
  SET_STREAM: 0xea,
  READ_DATA: 0xeb,
  RESET_WRAP: 0xec,
  SET_WRAP: 0xee,
  SET_REMOTE: 0xf0,
  READ_ID: 0xf2,
  SET_RATE: 0xf3,
  ENABLE: 0xf4,
  DISABLE: 0xf5,
  SET_DEFAULT: 0xf6,
  RESEND: 0xfe,
  RESET: 0xff,
} as const;

const STATUS_SCALING = 0x10;
const STATUS_ENABLED = 0x20;
const STATUS_REMOTE = 0x40;

/** Of a mouse without a wheel. */
const ID = 0x00;
/** Neither button, no movement; bit 3 is always set. */
const STILL: readonly number[] = [0x08, 0x00, 0x00];
/** Counts a millimetre: 4, as a power of two. */
const DEFAULT_RESOLUTION = 2;
const DEFAULT_RATE = 100;

/** The mouse, at its end of the cable. */
export class Mouse extends Ps2Device {
  /** Bits of the first status byte. */
  #status = 0;
  #resolution = DEFAULT_RESOLUTION;
  #rate = DEFAULT_RATE;
  /** Every byte but two commands comes back. */
  #wrap = false;

  protected override execute(command: number): "parameter" | undefined {
    if (this.#wrap && command !== COMMAND.RESET && command !== COMMAND.RESET_WRAP) {
      this.answer(command);
      return undefined;
    }
    switch (command) {
      case COMMAND.RESEND:
        this.answerAgain();
        return undefined;
      case COMMAND.SET_RESOLUTION:
      case COMMAND.SET_RATE:
        this.answer(ACK);
        return "parameter";
      case COMMAND.READ_STATUS:
        this.answer(ACK, this.#status, this.#resolution, this.#rate);
        return undefined;
      case COMMAND.READ_DATA:
        this.answer(ACK, ...STILL);
        return undefined;
      case COMMAND.READ_ID:
        this.answer(ACK, ID);
        return undefined;
      case COMMAND.RESET:
        this.#setDefaults();
        this.answer(ACK, SELF_TEST_PASSED, ID);
        return undefined;
      default:
        this.answer(this.#setMode(command) ? ACK : RESEND);
        return undefined;
    }
  }

  protected override executeWith(command: number, parameter: number): void {
    if (command === COMMAND.SET_RATE) this.#rate = parameter;
    else this.#resolution = parameter;
    this.answer(ACK);
  }

  /** Commands that answer nothing but their acknowledge. */
  #setMode(command: number): boolean {
    switch (command) {
      case COMMAND.SET_SCALING:
        this.#status |= STATUS_SCALING;
        return true;
      case COMMAND.RESET_SCALING:
        this.#status &= ~STATUS_SCALING;
        return true;
      case COMMAND.SET_REMOTE:
        this.#status |= STATUS_REMOTE;
        return true;
      case COMMAND.SET_STREAM:
        this.#status &= ~STATUS_REMOTE;
        return true;
      case COMMAND.ENABLE:
        this.#status |= STATUS_ENABLED;
        return true;
      case COMMAND.DISABLE:
        this.#status &= ~STATUS_ENABLED;
        return true;
      case COMMAND.SET_WRAP:
      case COMMAND.RESET_WRAP:
        this.#wrap = command === COMMAND.SET_WRAP;
        return true;
      case COMMAND.SET_DEFAULT:
        this.#setDefaults();
        return true;
    }
    return false;
  }

  #setDefaults(): void {
    this.#status = 0;
    this.#resolution = DEFAULT_RESOLUTION;
    this.#rate = DEFAULT_RATE;
    this.#wrap = false;
  }
}
