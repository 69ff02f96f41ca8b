/**
 * A PS/2 keyboard with 101 keys: its commands, its three sets of scan codes and its buffer of
 * sixteen bytes. Whoever types says which keys; nobody holds one down long enough to repeat.
 * Source: IBM PS/2 Hardware Interface Technical Reference, keyboard (commands, sets, buffer).
 * @module
 */

import { EXTENDED, KEYS, SET1_BY_SET2 } from "./keyboard_keys.ts";
import { ACK, Ps2Device, RESEND, SELF_TEST_PASSED } from "./ps2_device.ts";

const COMMAND = {
  SET_LEDS: 0xed,
  ECHO: 0xee,
  SCAN_CODE_SET: 0xf0,
  READ_ID: 0xf2,
  SET_RATE: 0xf3,
  ENABLE: 0xf4,
  DEFAULT_DISABLE: 0xf5,
  SET_DEFAULT: 0xf6,
  /** All keys of set 3: repeating, with release, without, both. */
  ALL_KEYS_FIRST: 0xf7,
  ALL_KEYS_LAST: 0xfa,
  RESEND: 0xfe,
  RESET: 0xff,
} as const;

const ID: readonly number[] = [0xab, 0x83];
const SCAN_CODE_SETS = 3;
const DEFAULT_SET = 2;

const EXTENDED_PREFIX = 0xe0;
const BREAK_PREFIX = 0xf0;
const BREAK = 0x80;

const BUFFER_BYTES = 16;
/** What stands in the buffer for keys that did not fit. */
const OVERRUN: readonly [number, number, number] = [0xff, 0x00, 0x00];

/** The keyboard, at its end of the cable. */
export class Keyboard extends Ps2Device {
  #set = DEFAULT_SET;
  #scanning = true;
  /** Called when {@link isIdle} may have become true. */
  onIdle: () => void = () => {};

  /** It looks at its keys, and all that was typed has been taken. */
  get isIdle(): boolean {
    return this.#scanning && this.waitingReports === 0;
  }

  /**
   * Presses keys in their order, then releases them in the opposite one.
   * @param names of {@link KEYS}: modifiers first
   */
  type(names: readonly string[]): void {
    for (const name of names) this.#move(name, false);
    for (const name of names.toReversed()) this.#move(name, true);
  }

  override takeOutput(): number {
    const byte = super.takeOutput();
    this.onIdle();
    return byte;
  }

  protected override execute(command: number): "parameter" | undefined {
    switch (command) {
      case COMMAND.ECHO:
        this.answer(COMMAND.ECHO);
        return undefined;
      case COMMAND.RESEND:
        this.answerAgain();
        return undefined;
      case COMMAND.SET_LEDS:
      case COMMAND.SCAN_CODE_SET:
      case COMMAND.SET_RATE:
        this.answer(ACK);
        return "parameter";
      case COMMAND.READ_ID:
        this.answer(ACK, ...ID);
        return undefined;
      case COMMAND.ENABLE:
        this.dropReports();
        this.#scan(true);
        this.answer(ACK);
        return undefined;
      case COMMAND.DEFAULT_DISABLE:
      case COMMAND.SET_DEFAULT:
        this.#setDefaults(command === COMMAND.SET_DEFAULT);
        this.answer(ACK);
        return undefined;
      case COMMAND.RESET:
        this.#setDefaults(true);
        this.answer(ACK, SELF_TEST_PASSED);
        return undefined;
    }
    // What keys do when held makes no difference while none is.
    const known = command >= COMMAND.ALL_KEYS_FIRST && command <= COMMAND.ALL_KEYS_LAST;
    this.answer(known ? ACK : RESEND);
    return undefined;
  }

  protected override executeWith(command: number, parameter: number): void {
    if (command !== COMMAND.SCAN_CODE_SET) this.answer(ACK);
    else if (parameter === 0) this.answer(ACK, this.#set);
    else this.#selectSet(parameter);
  }

  #setDefaults(scanning: boolean): void {
    this.dropReports();
    this.#set = DEFAULT_SET;
    this.#scan(scanning);
  }

  #scan(scanning: boolean): void {
    this.#scanning = scanning;
    this.onIdle();
  }

  #selectSet(set: number): void {
    if (set > SCAN_CODE_SETS) this.answer(RESEND);
    else {
      this.dropReports();
      this.#set = set;
      this.answer(ACK);
    }
  }

  #move(name: string, released: boolean): void {
    if (!this.#scanning) return;
    const codes = this.#codesOf(name, released);
    const free = BUFFER_BYTES - this.waitingReports;
    if (codes.length <= free) this.report(codes);
    else if (free >= 0) this.report([OVERRUN[this.#set - 1]!]);
  }

  #codesOf(name: string, released: boolean): number[] {
    const { set2, set3 } = KEYS.get(name)!;
    if (this.#set === 3) return released ? [BREAK_PREFIX, set3] : [set3];
    const prefix = (set2 & EXTENDED) !== 0 ? [EXTENDED_PREFIX] : [];
    const code = set2 & 0xff;
    if (this.#set === 1) return [...prefix, SET1_BY_SET2[code]! | (released ? BREAK : 0)];
    return released ? [...prefix, BREAK_PREFIX, code] : [...prefix, code];
  }
}
