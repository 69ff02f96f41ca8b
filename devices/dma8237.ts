/**
 * The two 8237A DMA controllers and their page registers, without a device that would ask them for a
 * transfer: what software programs can be read back, and that is all that happens.
 *
 * | offset | read | written |
 * |---|---|---|
 * | 0-7 | current address and count of channels 0-3, low byte first | base and current, likewise |
 * | 8 | status: requests, ends (never) | command |
 * | 9 | | request |
 * | A | | mask of one channel |
 * | B | | mode |
 * | C | | next byte is the low one |
 * | D | temporary register (empty) | master clear |
 * | E | | clear all masks |
 * | F | all masks | all masks |
 *
 * Source: Intel 8237A datasheet (231466); Intel 82371SB datasheet, §2.4 (page registers, reading the
 * masks).
 * @module
 */

import { ByteDevice } from "./bus.ts";

const REGISTERS = 16;
const CHANNELS = 4;
const ALL_CHANNELS = 0x0f;

const REG = {
  STATUS: 0x8,
  REQUEST: 0x9,
  SINGLE_MASK: 0xa,
  FIRST_BYTE: 0xc,
  MASTER_CLEAR: 0xd,
  CLEAR_MASK: 0xe,
  ALL_MASKS: 0xf,
} as const;

/** Of the request and the single mask register: which channel, and set instead of clear. */
const CHANNEL = 0x03;
const SET = 0x04;
/** Of the status register: first of the bits for requests. */
const REQUESTS_SHIFT = 4;

/** Bytes of ports that page registers take: channel 2 is the first. */
export const DMA_PAGE_PORTS = 15;

/** One controller. */
export class Dma8237 extends ByteDevice {
  /** Ports between two registers, as a power of two: the controller of words is wired to A1-A4. */
  readonly #shift: number;
  /** Address and count of each channel. */
  readonly #values: Uint16Array = new Uint16Array(2 * CHANNELS);
  /** The next access to a 16-bit register is to its high byte. */
  #highByte = false;
  #mask = ALL_CHANNELS;
  #requests = 0;

  /** @param shift 0: a register at every port, 1: at every second */
  constructor(shift: 0 | 1) {
    super(REGISTERS << shift);
    this.#shift = shift;
  }

  override readByte(offset: number): number {
    const register = offset >> this.#shift;
    if (register < REG.STATUS) return this.#values[register]! >> this.#nextByte() & 0xff;
    if (register === REG.STATUS) return this.#requests << REQUESTS_SHIFT;
    return register === REG.ALL_MASKS ? this.#mask : 0;
  }

  override writeByte(offset: number, value: number): void {
    const register = offset >> this.#shift;
    if (register < REG.STATUS) this.#writeValue(register, value);
    else this.#control(register, value);
  }

  #writeValue(register: number, value: number): void {
    const at = this.#nextByte();
    this.#values[register] = this.#values[register]! & ~(0xff << at) | value << at;
  }

  /** Command and mode concern transfers alone. */
  #control(register: number, value: number): void {
    switch (register) {
      case REG.REQUEST:
        this.#requests = withChannel(this.#requests, value);
        break;
      case REG.SINGLE_MASK:
        this.#mask = withChannel(this.#mask, value);
        break;
      case REG.FIRST_BYTE:
        this.#highByte = false;
        break;
      case REG.MASTER_CLEAR:
        this.#highByte = false;
        this.#requests = 0;
        this.#mask = ALL_CHANNELS;
        break;
      case REG.CLEAR_MASK:
        this.#mask = 0;
        break;
      case REG.ALL_MASKS:
        this.#mask = value & ALL_CHANNELS;
        break;
    }
  }

  /** Bit number of the byte whose turn it is. */
  #nextByte(): number {
    const at = this.#highByte ? 8 : 0;
    this.#highByte = !this.#highByte;
    return at;
  }
}

/** Address bits above those of the controllers: latches, some of no channel at all. */
export class DmaPages extends ByteDevice {
  readonly #pages: Uint8Array = new Uint8Array(DMA_PAGE_PORTS);

  constructor() {
    super(DMA_PAGE_PORTS);
  }

  override readByte(offset: number): number {
    return this.#pages[offset]!;
  }

  override writeByte(offset: number, value: number): void {
    this.#pages[offset] = value;
  }
}

/** A bit for each channel, with the one changed that a register's value names. */
function withChannel(bits: number, value: number): number {
  const bit = 1 << (value & CHANNEL);
  return (value & SET) !== 0 ? bits | bit : bits & ~bit;
}
