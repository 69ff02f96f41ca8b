/**
 * Someone at the keyboard of the machine who types what a terminal of the host sends: characters,
 * control codes, and the sequences that xterm sends for keys without a character.
 *
 * | bytes | keys |
 * |---|---|
 * | a printable character of ASCII | its key, with Shift where a US layout needs it |
 * | CR or LF, HT, BS or DEL | Enter, Tab, Backspace |
 * | any other control code | Control with the key of the character 40h above |
 * | ESC [ … , ESC O … | cursor, editing and function keys, with modifiers |
 * | ESC and another byte | Alt with the key of that byte |
 * | ESC alone | Escape |
 *
 * Bytes of UTF-8 beyond ASCII have no key.
 * Source: ECMA-48 (control sequences); XTerm Control Sequences, "PC-Style Function Keys".
 * @module
 */

import type { Clock, Ns, Timer } from "../core/types.ts";
import type { Keyboard } from "./keyboard.ts";
import { KEYS, SHIFTED } from "./keyboard_keys.ts";

const ESC = 0x1b;
const SPACE = 0x20;
const DEL = 0x7f;
/** A terminal sends the bytes of a sequence together: what comes later does not belong to it. */
const SEQUENCE_ENDS_AFTER: Ns = 25_000_000;

/** Control codes that have a key of their own. */
const CONTROL_KEYS: ReadonlyMap<number, string> = new Map([
  [0x08, "Backspace"],
  [0x09, "Tab"],
  [0x0a, "Enter"],
  [0x0d, "Enter"],
  [DEL, "Backspace"],
]);

/** By the last character of `ESC [` and `ESC O` sequences. */
const KEY_BY_LETTER: ReadonlyMap<string, string> = new Map([
  ["A", "Up"],
  ["B", "Down"],
  ["C", "Right"],
  ["D", "Left"],
  ["F", "End"],
  ["H", "Home"],
  ["P", "F1"],
  ["Q", "F2"],
  ["R", "F3"],
  ["S", "F4"],
]);

/** By the number in `ESC [ number ~`. */
const KEY_BY_NUMBER: ReadonlyMap<number, string> = new Map([
  [1, "Home"],
  [2, "Insert"],
  [3, "Delete"],
  [4, "End"],
  [5, "PageUp"],
  [6, "PageDown"],
  [7, "Home"],
  [8, "End"],
  [11, "F1"],
  [12, "F2"],
  [13, "F3"],
  [14, "F4"],
  [15, "F5"],
  [17, "F6"],
  [18, "F7"],
  [19, "F8"],
  [20, "F9"],
  [21, "F10"],
  [23, "F11"],
  [24, "F12"],
]);

/** By bit of the modifier parameter, which is 1 more than their sum. */
const MODIFIERS: readonly string[] = ["Shift", "Alt", "Control"];

/** The typist. Takes bytes as fast as the keyboard takes keys. */
export class Typist {
  readonly #keyboard: Keyboard;
  readonly #escape: Timer;
  /** A sequence that has begun, from its ESC on. */
  #sequence = "";

  constructor(clock: Clock, keyboard: Keyboard) {
    this.#keyboard = keyboard;
    this.#escape = clock.timer("escape key", () => this.#endSequence());
  }

  /** The keys of the last byte have been taken. */
  get hasRoom(): boolean {
    return this.#keyboard.isIdle;
  }

  /** Called when {@link hasRoom} may have become true. */
  set onRoom(callback: () => void) {
    this.#keyboard.onIdle = callback;
  }

  /** One byte from the terminal. */
  receive(byte: number): void {
    this.#escape.cancel();
    if (byte === ESC) this.#beginSequence();
    else if (this.#sequence === "") this.#keyboard.type(keysOf(byte));
    else this.#continueSequence(byte);
  }

  #beginSequence(): void {
    if (this.#sequence !== "") this.#keyboard.type(keysOfSequence(this.#sequence));
    this.#sequence = "\x1b";
    this.#escape.armAfter(SEQUENCE_ENDS_AFTER);
  }

  #continueSequence(byte: number): void {
    this.#sequence += String.fromCharCode(byte);
    if (isOpen(this.#sequence)) this.#escape.armAfter(SEQUENCE_ENDS_AFTER);
    else this.#endSequence();
  }

  #endSequence(): void {
    this.#keyboard.type(keysOfSequence(this.#sequence));
    this.#sequence = "";
  }
}

/** Bytes may follow that belong to the sequence. Its first is ESC. */
function isOpen(sequence: string): boolean {
  return /^(O|\[[ -?]*)$/.test(sequence.slice(1));
}

function keysOfSequence(sequence: string): readonly string[] {
  if (sequence === "\x1b") return ["Escape"];
  if (sequence.length === 2) return ["Alt", ...keysOf(sequence.charCodeAt(1))];
  if (sequence === "\x1b[Z") return ["Shift", "Tab"];
  const [, number, modifiers, last] = /^[O[](\d*);?(\d*)(.)$/.exec(sequence.slice(1)) ?? [];
  const key = last === "~" ? KEY_BY_NUMBER.get(Number(number)) : KEY_BY_LETTER.get(last ?? "");
  if (key === undefined) return [];
  const held = modifiers ? Number(modifiers) - 1 : 0;
  return [...MODIFIERS.filter((_, bit) => (held >> bit & 1) !== 0), key];
}

/** Keys for one byte outside of a sequence; none when there is no such key. */
function keysOf(byte: number): readonly string[] {
  const control = CONTROL_KEYS.get(byte);
  if (control !== undefined) return [control];
  if (byte < SPACE) return ["Control", ...keysOf(letterOf(byte))];
  const character = String.fromCharCode(byte);
  const shifted = SHIFTED.get(character);
  if (shifted !== undefined) return ["Shift", shifted];
  return KEYS.has(character) ? [character] : [];
}

/** The character that gives a control code with Control held. */
function letterOf(byte: number): number {
  const isLetter = byte >= 1 && byte <= 26;
  return byte | (isLetter ? 0x60 : 0x40);
}
