/**
 * The 8042: controller of keyboard and mouse (ports 0x60 and 0x64), one of the gates of A20, and
 * the oldest way to reset a PC.
 *
 * What a device or the controller has to say waits until the one output buffer is free. Scan codes
 * of set 2 are translated to set 1 while the command byte says so. The controller takes no time:
 * its input buffer is never full.
 * Source: IBM PS/2 Hardware Interface Technical Reference, keyboard and auxiliary device controller;
 * values at power-on as in QEMU's `pc` machine, where status bit 3 is set for data too.
 * @module
 */

import type { InterruptLine, PortDevice } from "../core/types.ts";
import { ByteDevice } from "./bus.ts";
import { SET1_BY_SET2 } from "./keyboard_keys.ts";
import type { Ps2Peer } from "./ps2_device.ts";

const STATUS_OUTPUT_FULL = 0x01;
const STATUS_SYSTEM = 0x04;
const STATUS_COMMAND = 0x08;
const STATUS_UNLOCKED = 0x10;
const STATUS_MOUSE_OUTPUT = 0x20;

const MODE_KEYBOARD_IRQ = 0x01;
const MODE_MOUSE_IRQ = 0x02;
const MODE_KEYBOARD_OFF = 0x10;
const MODE_MOUSE_OFF = 0x20;
const MODE_TRANSLATE = 0x40;

const OUTPUT_RUN = 0x01;
const OUTPUT_A20 = 0x02;
const OUTPUT_KEYBOARD_FULL = 0x10;
const OUTPUT_MOUSE_FULL = 0x20;
/** Clock and data of both cables, and the unused pins. */
const OUTPUT_IDLE = 0xcc;

/** No keyboard lock, as the input port shows it. */
const INPUT_PORT = 0x80;

const COMMAND = {
  READ_MODE: 0x20,
  WRITE_MODE: 0x60,
  MOUSE_OFF: 0xa7,
  MOUSE_ON: 0xa8,
  TEST_MOUSE: 0xa9,
  SELF_TEST: 0xaa,
  TEST_KEYBOARD: 0xab,
  KEYBOARD_OFF: 0xad,
  KEYBOARD_ON: 0xae,
  READ_INPUT_PORT: 0xc0,
  READ_OUTPUT_PORT: 0xd0,
  WRITE_OUTPUT_PORT: 0xd1,
  LOOP_TO_KEYBOARD: 0xd2,
  LOOP_TO_MOUSE: 0xd3,
  TO_MOUSE: 0xd4,
  A20_OFF: 0xdd,
  A20_ON: 0xdf,
  /** From here on: pulses the output port's low bits that are 0 in the command. */
  PULSE: 0xf0,
} as const;

const SELF_TEST_PASSED = 0x55;
const CABLE_GOOD = 0x00;

/** The prefix of a release in set 2; translated into bit 7 of the code that follows. */
const BREAK_PREFIX = 0xf0;
const BREAK = 0x80;

/** Whose byte it is. */
type Source = "keyboard" | "mouse";

/** What the controller is wired to. */
export interface I8042Wiring {
  readonly keyboard: Ps2Peer;
  readonly mouse: Ps2Peer;
  readonly keyboardIrq: InterruptLine;
  readonly mouseIrq: InterruptLine;
  /** Asserted lets address line 20 through. */
  readonly a20: InterruptLine;
  /** Software has asked for a reset of the machine. */
  readonly onReset: () => void;
}

/** The controller. */
export class I8042 {
  /** Port 0x60. */
  readonly dataPort: PortDevice;
  /** Port 0x64. */
  readonly commandPort: PortDevice;
  readonly #wiring: I8042Wiring;
  #status = STATUS_COMMAND | STATUS_UNLOCKED;
  #mode = MODE_KEYBOARD_IRQ | MODE_MOUSE_IRQ;
  #outputPort = OUTPUT_RUN | OUTPUT_A20 | OUTPUT_IDLE;
  /** The output buffer: the byte on port 0x60, and whose it is while nobody has read it. */
  #output = 0;
  #outputSource: Source | undefined;
  /** What the controller itself wants to say when the output buffer is free. */
  #answer: { readonly byte: number; readonly source: Source } | undefined;
  /** The command whose data comes next. */
  #command: number | undefined;
  /** A {@link BREAK_PREFIX} came last. */
  #releasing = false;

  constructor(wiring: I8042Wiring) {
    this.#wiring = wiring;
    this.dataPort = new RegisterPort(() => this.#readData(), (byte) => this.#writeData(byte));
    this.commandPort = new RegisterPort(() => this.#readStatus(), (byte) => this.#execute(byte));
    wiring.keyboard.onOutput = () => this.#update();
    wiring.mouse.onOutput = () => this.#update();
  }

  #readStatus(): number {
    const source = this.#outputSource;
    return this.#status | (source === undefined ? 0 : STATUS_OUTPUT_FULL) |
      (source === "mouse" ? STATUS_MOUSE_OUTPUT : 0);
  }

  /** An empty buffer shows its last byte again. */
  #readData(): number {
    const byte = this.#output;
    this.#outputSource = undefined;
    this.#driveInterrupts();
    this.#update();
    return byte;
  }

  #writeData(byte: number): void {
    const command = this.#command;
    this.#command = undefined;
    if (command === undefined) this.#sendToKeyboard(byte);
    else this.#executeWith(command, byte);
    this.#update();
  }

  /** Speaking to a device opens its cable. */
  #sendToKeyboard(byte: number): void {
    this.#mode &= ~MODE_KEYBOARD_OFF;
    this.#releasing = false;
    this.#wiring.keyboard.receive(byte);
  }

  #executeWith(command: number, byte: number): void {
    switch (command) {
      case COMMAND.WRITE_MODE:
        this.#mode = byte;
        break;
      case COMMAND.WRITE_OUTPUT_PORT:
        this.#writeOutputPort(byte);
        break;
      case COMMAND.LOOP_TO_KEYBOARD:
        this.#say(byte, "keyboard");
        break;
      case COMMAND.LOOP_TO_MOUSE:
        this.#say(byte, "mouse");
        break;
      case COMMAND.TO_MOUSE:
        this.#mode &= ~MODE_MOUSE_OFF;
        this.#wiring.mouse.receive(byte);
        break;
    }
  }

  #execute(command: number): void {
    this.#command = undefined;
    switch (command) {
      case COMMAND.READ_MODE:
        this.#say(this.#mode);
        break;
      case COMMAND.WRITE_MODE:
      case COMMAND.WRITE_OUTPUT_PORT:
      case COMMAND.LOOP_TO_KEYBOARD:
      case COMMAND.LOOP_TO_MOUSE:
      case COMMAND.TO_MOUSE:
        this.#command = command;
        break;
      case COMMAND.MOUSE_OFF:
        this.#mode |= MODE_MOUSE_OFF;
        break;
      case COMMAND.MOUSE_ON:
        this.#mode &= ~MODE_MOUSE_OFF;
        break;
      case COMMAND.KEYBOARD_OFF:
        this.#mode |= MODE_KEYBOARD_OFF;
        break;
      case COMMAND.KEYBOARD_ON:
        this.#mode &= ~MODE_KEYBOARD_OFF;
        break;
      case COMMAND.SELF_TEST:
        this.#status |= STATUS_SYSTEM;
        this.#say(SELF_TEST_PASSED);
        break;
      case COMMAND.TEST_MOUSE:
      case COMMAND.TEST_KEYBOARD:
        this.#say(CABLE_GOOD);
        break;
      case COMMAND.READ_INPUT_PORT:
        this.#say(INPUT_PORT);
        break;
      case COMMAND.READ_OUTPUT_PORT:
        this.#say(this.#readOutputPort());
        break;
      case COMMAND.A20_OFF:
        this.#writeOutputPort(this.#outputPort & ~OUTPUT_A20);
        break;
      case COMMAND.A20_ON:
        this.#writeOutputPort(this.#outputPort | OUTPUT_A20);
        break;
      default:
        if (command >= COMMAND.PULSE && (command & OUTPUT_RUN) === 0) this.#wiring.onReset();
    }
    this.#update();
  }

  #readOutputPort(): number {
    const full = this.#outputSource === "keyboard"
      ? OUTPUT_KEYBOARD_FULL
      : this.#outputSource === "mouse"
      ? OUTPUT_MOUSE_FULL
      : 0;
    return this.#outputPort | full;
  }

  #writeOutputPort(value: number): void {
    this.#outputPort = value & ~(OUTPUT_KEYBOARD_FULL | OUTPUT_MOUSE_FULL);
    this.#wiring.a20.set((value & OUTPUT_A20) !== 0);
    if ((value & OUTPUT_RUN) === 0) this.#wiring.onReset();
  }

  /** A later answer replaces one that nobody has waited for. */
  #say(byte: number, source: Source = "keyboard"): void {
    this.#answer = { byte, source };
  }

  /** Fills a free output buffer from whoever has something to say. */
  #update(): void {
    const { keyboard, mouse } = this.#wiring;
    while (this.#outputSource === undefined) {
      if (this.#answer !== undefined) {
        const { byte, source } = this.#answer;
        this.#answer = undefined;
        this.#put(byte, source);
      } else if (keyboard.hasOutput && (this.#mode & MODE_KEYBOARD_OFF) === 0) {
        this.#putTranslated(keyboard.takeOutput());
      } else if (mouse.hasOutput && (this.#mode & MODE_MOUSE_OFF) === 0) {
        this.#put(mouse.takeOutput(), "mouse");
      } else break;
    }
    this.#driveInterrupts();
  }

  #putTranslated(byte: number): void {
    if ((this.#mode & MODE_TRANSLATE) === 0) this.#put(byte, "keyboard");
    else if (byte === BREAK_PREFIX) this.#releasing = true;
    else {
      this.#put(SET1_BY_SET2[byte]! | (this.#releasing ? BREAK : 0), "keyboard");
      this.#releasing = false;
    }
  }

  #put(byte: number, source: Source): void {
    this.#output = byte;
    this.#outputSource = source;
  }

  #driveInterrupts(): void {
    const { keyboardIrq, mouseIrq } = this.#wiring;
    const source = this.#outputSource;
    keyboardIrq.set(source === "keyboard" && (this.#mode & MODE_KEYBOARD_IRQ) !== 0);
    mouseIrq.set(source === "mouse" && (this.#mode & MODE_MOUSE_IRQ) !== 0);
  }
}

/** One of the two ports. */
class RegisterPort extends ByteDevice {
  readonly #read: () => number;
  readonly #write: (byte: number) => void;

  constructor(read: () => number, write: (byte: number) => void) {
    super(1);
    this.#read = read;
    this.#write = write;
  }

  override readByte(): number {
    return this.#read();
  }

  override writeByte(_offset: number, value: number): void {
    this.#write(value);
  }
}
