/**
 * Keyboard services of the built-in BIOS: INT 09h turns scan codes of set 1 into keys, INT 16h hands
 * them out. What arrives on COM1 is typed as well: a boot sector's console is the serial port, and
 * its user sits there.
 * Source: IBM PS/2 and Personal Computer BIOS Interface Technical Reference, INT 16h and the BIOS
 * data area.
 * @module
 */

import { KEYS, SET1_BY_SET2, SHIFTED } from "../../devices/keyboard_keys.ts";
import { LSR, LSR_DR } from "../../devices/uart.ts";
import type { PortSpace } from "../hypervisor/port_access.ts";
import type { GuestMemory } from "../types.ts";
import type { BiosFrame } from "./bios_frame.ts";
import { PORT } from "./address_map.ts";

/** Places in the BIOS data area. */
const BDA = { BASE: 0x400, SHIFT_FLAGS: 0x417, HEAD: 0x41a, TAIL: 0x41c, START: 0x480, END: 0x482 };
/** The buffer of sixteen words, as offsets in the data area. One of them stays free. */
const BUFFER = { START: 0x1e, END: 0x3e } as const;

/** Bits of the shift flags. */
const FLAG = { SHIFTS: 0x03, CONTROL: 0x04, ALT: 0x08 } as const;
/** By scan code. */
const FLAG_OF_KEY: ReadonlyMap<number, number> = new Map([
  [0x36, 0x01],
  [0x2a, 0x02],
  [0x1d, FLAG.CONTROL],
  [0x38, FLAG.ALT],
]);

const RELEASED = 0x80;
const EXTENDED_PREFIX = 0xe0;
const CONTROL_CODES = 0x1f;
/** Characters of keys that are not named by theirs. */
const CHARACTER_OF_KEY: ReadonlyMap<string, number> = new Map([
  ["Enter", 0x0d],
  ["Tab", 0x09],
  ["Backspace", 0x08],
  ["Escape", 0x1b],
]);

const FLOATING = 0xff;
const DEL = 0x7f;

/** What a key types: without and with Shift. */
interface Characters {
  readonly plain: number;
  readonly shifted: number;
}

const CHARACTERS: ReadonlyMap<number, Characters> = charactersByScanCode();
const SCAN_CODES: ReadonlyMap<number, number> = new Map(
  [...CHARACTERS].flatMap(([scanCode, { plain, shifted }]) => [
    [shifted, scanCode],
    [plain, scanCode],
  ]),
);

/** The keyboard as the BIOS sees it. */
export class BiosKeyboard {
  readonly #memory: GuestMemory;
  readonly #ports: PortSpace;

  constructor(memory: GuestMemory, ports: PortSpace) {
    this.#memory = memory;
    this.#ports = ports;
    memory.write16(BDA.HEAD, BUFFER.START);
    memory.write16(BDA.TAIL, BUFFER.START);
    memory.write16(BDA.START, BUFFER.START);
    memory.write16(BDA.END, BUFFER.END);
  }

  /** INT 09h, but for the end of the interrupt. */
  interrupt(): void {
    const byte = this.#ports.read(PORT.KEYBOARD_DATA, 1);
    if (byte === EXTENDED_PREFIX) return;
    const scanCode = byte & ~RELEASED;
    const flag = FLAG_OF_KEY.get(scanCode);
    if (flag !== undefined) this.#setFlag(flag, byte === scanCode);
    else if (byte === scanCode) this.#put(scanCode << 8 | this.#characterOf(scanCode));
  }

  /**
   * INT 16h.
   * @returns true when the caller wants a key and there is none
   */
  serve(frame: BiosFrame): boolean {
    this.#receive();
    const key = this.#next();
    switch (frame.ah) {
      case 0x00:
      case 0x10:
        if (key === undefined) return true;
        frame.ax = key;
        this.#drop();
        return false;
      case 0x01:
      case 0x11:
        frame.zero = key === undefined;
        if (key !== undefined) frame.ax = key;
        return false;
      case 0x02:
        frame.al = this.#shiftFlags();
        return false;
      case 0x05:
        frame.al = this.#put(frame.cx) ? 0 : 1;
        return false;
      case 0x12:
        frame.ax = leftKeys(this.#shiftFlags()) << 8 | this.#shiftFlags();
        return false;
    }
    return false;
  }

  #shiftFlags(): number {
    return this.#memory.read8(BDA.SHIFT_FLAGS);
  }

  #setFlag(flag: number, pressed: boolean): void {
    const flags = this.#shiftFlags();
    this.#memory.write8(BDA.SHIFT_FLAGS, pressed ? flags | flag : flags & ~flag);
  }

  /** 0 for a key that has none, as with Alt. */
  #characterOf(scanCode: number): number {
    const flags = this.#shiftFlags();
    const characters = CHARACTERS.get(scanCode);
    if (characters === undefined || (flags & FLAG.ALT) !== 0) return 0;
    if ((flags & FLAG.CONTROL) !== 0) return characters.plain & CONTROL_CODES;
    return (flags & FLAG.SHIFTS) !== 0 ? characters.shifted : characters.plain;
  }

  /** Everything that waits on COM1. */
  #receive(): void {
    for (;;) {
      const status = this.#ports.read(PORT.COM1 + LSR, 1);
      if (status === FLOATING || (status & LSR_DR) === 0) return;
      const byte = this.#ports.read(PORT.COM1, 1);
      const character = byte === DEL ? CHARACTER_OF_KEY.get("Backspace")! : byte;
      this.#put((SCAN_CODES.get(character) ?? 0) << 8 | character);
    }
  }

  /** @returns false when the key does not fit; it is lost then */
  #put(key: number): boolean {
    const tail = this.#memory.read16(BDA.TAIL);
    const after = this.#after(tail);
    if (after === this.#memory.read16(BDA.HEAD)) return false;
    this.#memory.write16(BDA.BASE + tail, key);
    this.#memory.write16(BDA.TAIL, after);
    return true;
  }

  #next(): number | undefined {
    const head = this.#memory.read16(BDA.HEAD);
    const isEmpty = head === this.#memory.read16(BDA.TAIL);
    return isEmpty ? undefined : this.#memory.read16(BDA.BASE + head);
  }

  #drop(): void {
    this.#memory.write16(BDA.HEAD, this.#after(this.#memory.read16(BDA.HEAD)));
  }

  #after(offset: number): number {
    const next = offset + 2;
    return next >= this.#memory.read16(BDA.END) ? this.#memory.read16(BDA.START) : next;
  }
}

/** What AH tells of shift flags: Control and Alt, the left ones, whichever is held. */
function leftKeys(flags: number): number {
  return ((flags & FLAG.CONTROL) !== 0 ? 0x01 : 0) | ((flags & FLAG.ALT) !== 0 ? 0x02 : 0);
}

function charactersByScanCode(): Map<number, Characters> {
  const shiftedOf = new Map([...SHIFTED].map(([character, key]) => [key, character]));
  const rows = new Map<number, Characters>();
  for (const [name, { set2 }] of KEYS) {
    const plain = CHARACTER_OF_KEY.get(name) ??
      (name.length === 1 ? name.charCodeAt(0) : undefined);
    if (plain === undefined) continue;
    const shifted = shiftedOf.get(name)?.charCodeAt(0) ?? plain;
    rows.set(SET1_BY_SET2[set2]!, { plain, shifted });
  }
  return rows;
}
