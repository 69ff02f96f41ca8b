/**
 * A VGA: its registers (ports 3B0h-3DFh), its memory and its text screen. It stands in text mode 3
 * from power-on, as a video BIOS leaves it, so that a kernel finds a screen without one. There are no
 * modes beyond those of IBM's VGA, and nothing is drawn in its graphics modes.
 * Source: IBM PS/2 Hardware Interface Technical Reference, video subsystem.
 * @module
 */

import { allOnes } from "../core/bits.ts";
import type { Clock, Ns, PortDevice } from "../core/types.ts";
import { ByteDevice } from "./bus.ts";
import { GRAPHICS, VgaMemory } from "./vga_memory.ts";
import { CRTC, type TextScreen, textScreen } from "./vga_text.ts";

/** Ports from 3C0h on. */
export const VGA_PORTS = 16;
/** Ports from 3B4h or 3D4h on. */
export const VGA_CRTC_PORTS = 7;

/** Offsets from 3C0h. */
const PORT = {
  ATTRIBUTE: 0x0,
  ATTRIBUTE_DATA: 0x1,
  /** Written: miscellaneous output. Read: input status 0. */
  MISCELLANEOUS: 0x2,
  ENABLE: 0x3,
  SEQUENCER: 0x4,
  SEQUENCER_DATA: 0x5,
  DAC_MASK: 0x6,
  /** Written: index to read from. Read: state. */
  DAC_READ: 0x7,
  DAC_WRITE: 0x8,
  DAC_DATA: 0x9,
  FEATURE: 0xa,
  MISCELLANEOUS_READ: 0xc,
  GRAPHICS: 0xe,
  GRAPHICS_DATA: 0xf,
} as const;

/** Offsets from 3B4h or 3D4h. */
const CRTC_PORT = { INDEX: 0, DATA: 1, STATUS: 6 } as const;

/** Bits that can be written, by register. */
const WRITABLE = {
  ATTRIBUTE: [...new Array(16).fill(0x3f), 0xef, 0xff, 0x3f, 0x0f, 0x0f],
  SEQUENCER: [0x03, 0x3d, 0x0f, 0x3f, 0x0e],
  GRAPHICS: [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff],
  // deno-fmt-ignore
  CRTC: [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0x7f, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xef, 0xff,
  ],
} as const;

/** The registers in mode 3: 80 columns, 25 rows of 16 lines, color. */
const MODE_3 = {
  MISCELLANEOUS: 0x67,
  // deno-fmt-ignore
  ATTRIBUTE: [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f,
    0x0c, 0x00, 0x0f, 0x08, 0x00,
  ],
  SEQUENCER: [0x03, 0x00, 0x03, 0x00, 0x02],
  GRAPHICS: [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff],
  // deno-fmt-ignore
  CRTC: [
    0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
    0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
  ],
} as const;

const MISCELLANEOUS_COLOR = 0x01;
/** Input status 0: the switch sense of a color display. */
const SWITCH_SENSE = 0x10;
const ENABLED = 0x01;
const ATTRIBUTE_INDEX = 0x1f;
const ATTRIBUTE_SOURCE = 0x20;
const GRAPHICS_MODE = 0x01;
const CRTC_PROTECT = 0x80;
const PROTECTED_REGISTERS = 8;
/** The one bit of a protected register that can be written: line compare. */
const OVERFLOW_WRITABLE = 0x10;

const DAC_BYTES = 768;
const DAC_WRITABLE = 0x3f;
const DAC_READING = 0x03;

const STATUS_BLANK = 0x01;
const STATUS_RETRACE = 0x08;
/** 720×400 at 70 Hz, whatever mode is set: 28.322 MHz, 900 dots a line, 449 lines. */
const LINE: Ns = 31_777;
const LINES = 449;
const VISIBLE_LINES = 400;
const LINE_VISIBLE: Ns = 25_422;
const RETRACE = { first: 412, end: 414 } as const;

/** Registers behind an index port and a data port. */
class IndexedRegisters {
  readonly values: Uint8Array;
  readonly #writable: readonly number[];
  index: number = 0;

  constructor(values: readonly number[], writable: readonly number[]) {
    this.values = Uint8Array.from(values);
    this.#writable = writable;
  }

  /** The register that the index names; there are none behind the last. */
  get current(): number {
    return this.values[this.index] ?? 0;
  }

  set current(value: number) {
    this.values[this.index] = value & (this.#writable[this.index] ?? 0);
  }
}

/** The card. Its own ports are those from 3C0h on. */
export class Vga extends ByteDevice {
  /** Ports 3D4h-3DAh. */
  readonly colorPorts: PortDevice;
  /** Ports 3B4h-3BAh. */
  readonly monoPorts: PortDevice;
  /** The window at A0000h. */
  readonly memory: VgaMemory;
  readonly #clock: Clock;
  readonly #attribute = new IndexedRegisters(MODE_3.ATTRIBUTE, WRITABLE.ATTRIBUTE);
  readonly #sequencer = new IndexedRegisters(MODE_3.SEQUENCER, WRITABLE.SEQUENCER);
  readonly #graphics = new IndexedRegisters(MODE_3.GRAPHICS, WRITABLE.GRAPHICS);
  readonly #crtc = new IndexedRegisters(MODE_3.CRTC, WRITABLE.CRTC);
  #miscellaneous: number = MODE_3.MISCELLANEOUS;
  /** The palette is the display's: bit 5 of the attribute index. */
  #attributeSource = ATTRIBUTE_SOURCE;
  /** The next write to the attribute controller is data. */
  #attributeTakesData = false;
  readonly #dac: Uint8Array = new Uint8Array(DAC_BYTES);
  #dacMask = 0xff;
  #dacState = 0;
  /** Next byte of the DAC. */
  #dacAt = 0;
  #registerWrites = 0;

  constructor(clock: Clock) {
    super(VGA_PORTS);
    this.#clock = clock;
    this.memory = new VgaMemory(this.#sequencer.values, this.#graphics.values);
    this.colorPorts = new CrtcPorts(this, MISCELLANEOUS_COLOR);
    this.monoPorts = new CrtcPorts(this, 0);
  }

  /** Grows with every write: what has been read of the screen stands as long as this does. */
  get changes(): number {
    return this.#registerWrites + this.memory.writes;
  }

  /** What is shown; `undefined` in a graphics mode. */
  screen(): TextScreen | undefined {
    const graphics = this.#graphics.values[GRAPHICS.MISCELLANEOUS]! & GRAPHICS_MODE;
    return graphics !== 0 ? undefined : textScreen(this.#crtc.values, this.memory);
  }

  override readByte(offset: number): number {
    switch (offset) {
      case PORT.ATTRIBUTE:
        return this.#attribute.index | this.#attributeSource;
      case PORT.ATTRIBUTE_DATA:
        return this.#attribute.current;
      case PORT.MISCELLANEOUS:
        return SWITCH_SENSE;
      case PORT.ENABLE:
        return ENABLED;
      case PORT.SEQUENCER:
        return this.#sequencer.index;
      case PORT.SEQUENCER_DATA:
        return this.#sequencer.current;
      case PORT.DAC_MASK:
        return this.#dacMask;
      case PORT.DAC_READ:
        return this.#dacState;
      case PORT.DAC_WRITE:
        return Math.floor(this.#dacAt / 3);
      case PORT.DAC_DATA:
        return this.#readDac();
      case PORT.FEATURE:
        return 0;
      case PORT.MISCELLANEOUS_READ:
        return this.#miscellaneous;
      case PORT.GRAPHICS:
        return this.#graphics.index;
      case PORT.GRAPHICS_DATA:
        return this.#graphics.current;
      default:
        return allOnes(1);
    }
  }

  override writeByte(offset: number, value: number): void {
    this.#registerWrites++;
    switch (offset) {
      case PORT.ATTRIBUTE:
        this.#writeAttribute(value);
        break;
      case PORT.MISCELLANEOUS:
        this.#miscellaneous = value;
        break;
      case PORT.SEQUENCER:
        this.#sequencer.index = value;
        break;
      case PORT.SEQUENCER_DATA:
        this.#sequencer.current = value;
        break;
      case PORT.DAC_MASK:
        this.#dacMask = value;
        break;
      case PORT.DAC_READ:
      case PORT.DAC_WRITE:
        this.#dacState = offset === PORT.DAC_READ ? DAC_READING : 0;
        this.#dacAt = value * 3;
        break;
      case PORT.DAC_DATA:
        this.#dac[this.#dacAt] = value & DAC_WRITABLE;
        this.#dacAt = (this.#dacAt + 1) % DAC_BYTES;
        break;
      case PORT.GRAPHICS:
        this.#graphics.index = value;
        break;
      case PORT.GRAPHICS_DATA:
        this.#graphics.current = value;
        break;
    }
  }

  /** Reads the CRT controller's ports while they are at this address, all ones while not. */
  readCrtc(offset: number, color: number): number {
    if ((this.#miscellaneous & MISCELLANEOUS_COLOR) !== color) return allOnes(1);
    if (offset === CRTC_PORT.INDEX) return this.#crtc.index;
    if (offset === CRTC_PORT.DATA) return this.#crtc.current;
    if (offset !== CRTC_PORT.STATUS) return allOnes(1);
    this.#attributeTakesData = false;
    return this.#displayStatus();
  }

  /** Writes the CRT controller's ports while they are at this address. */
  writeCrtc(offset: number, color: number, value: number): void {
    if ((this.#miscellaneous & MISCELLANEOUS_COLOR) !== color) return;
    this.#registerWrites++;
    if (offset === CRTC_PORT.INDEX) this.#crtc.index = value;
    else if (offset === CRTC_PORT.DATA) this.#writeCrtcData(value);
  }

  #writeCrtcData(value: number): void {
    const crtc = this.#crtc;
    const isProtected = crtc.index < PROTECTED_REGISTERS &&
      (crtc.values[CRTC.VERTICAL_END]! & CRTC_PROTECT) !== 0;
    if (!isProtected) crtc.current = value;
    else if (crtc.index === CRTC.OVERFLOW) {
      crtc.current = crtc.current & ~OVERFLOW_WRITABLE | value & OVERFLOW_WRITABLE;
    }
  }

  /** Index and data take turns; a read of the display status starts over. */
  #writeAttribute(value: number): void {
    const attribute = this.#attribute;
    if (this.#attributeTakesData) attribute.current = value;
    else {
      attribute.index = value & ATTRIBUTE_INDEX;
      this.#attributeSource = value & ATTRIBUTE_SOURCE;
    }
    this.#attributeTakesData = !this.#attributeTakesData;
  }

  #readDac(): number {
    const value = this.#dac[this.#dacAt]!;
    this.#dacAt = (this.#dacAt + 1) % DAC_BYTES;
    return value;
  }

  /** Where the beam is. */
  #displayStatus(): number {
    const { now } = this.#clock;
    const line = Math.floor(now / LINE) % LINES;
    const blank = line >= VISIBLE_LINES || now % LINE >= LINE_VISIBLE;
    const retrace = line >= RETRACE.first && line < RETRACE.end;
    return (blank ? STATUS_BLANK : 0) | (retrace ? STATUS_RETRACE : 0);
  }
}

/** The CRT controller and the display status, at one of their two addresses. */
class CrtcPorts extends ByteDevice {
  readonly #vga: Vga;
  readonly #color: number;

  constructor(vga: Vga, color: number) {
    super(VGA_CRTC_PORTS);
    this.#vga = vga;
    this.#color = color;
  }

  override readByte(offset: number): number {
    return this.#vga.readCrtc(offset, this.#color);
  }

  override writeByte(offset: number, value: number): void {
    this.#vga.writeCrtc(offset, this.#color, value);
  }
}
