/**
 * The 256 KiB of a VGA: four planes that the CPU sees through a window of 128 KiB at A0000h, by way
 * of the graphics controller. In text modes even addresses are plane 0, characters, and odd ones
 * plane 1, attributes.
 * Source: IBM PS/2 Hardware Interface Technical Reference, video subsystem (memory maps, sequencer,
 * graphics controller).
 * @module
 */

import { allOnes } from "../core/bits.ts";
import type { AccessSize, MmioDevice } from "../core/types.ts";

/** Bytes of the window. */
export const VGA_WINDOW_BYTES = 0x20000;

/** Bytes of the four planes. */
export const VGA_MEMORY_BYTES = 0x40000;

/** Registers of the sequencer. */
export const SEQUENCER = { MAP_MASK: 2, MEMORY_MODE: 4 } as const;
/** Registers of the graphics controller. */
export const GRAPHICS = {
  SET_RESET: 0,
  ENABLE_SET_RESET: 1,
  COLOR_COMPARE: 2,
  ROTATE: 3,
  READ_MAP: 4,
  MODE: 5,
  MISCELLANEOUS: 6,
  COLOR_CARE: 7,
  BIT_MASK: 8,
} as const;

const MEMORY_SEQUENTIAL = 0x04;
const MEMORY_CHAIN4 = 0x08;
const MODE_WRITE = 0x03;
const MODE_READ_COMPARE = 0x08;
const MODE_READ_ODD_EVEN = 0x10;
const ROTATE_COUNT = 0x07;

/** First address in the window and size of each memory map, by bits 3:2 of the miscellaneous register. */
const MAPS: readonly (readonly [first: number, bytes: number])[] = [
  [0x00000, 0x20000],
  [0x00000, 0x10000],
  [0x10000, 0x08000],
  [0x18000, 0x08000],
];
const PLANE_BYTES = 0x10000;
const EVERY_BYTE = 0x01010101;

/** A byte of ones for each plane in a set of four. */
const PLANES: readonly number[] = Array.from(
  { length: 16 },
  (_, set) => [0, 1, 2, 3].reduce((bytes, p) => set >> p & 1 ? bytes | 0xff << (8 * p) : bytes, 0),
);

/** The planes and the CPU's way to them. */
export class VgaMemory implements MmioDevice {
  /** One word for each address: plane 0 in bits 7:0, plane 3 in bits 31:24. */
  readonly #words: Int32Array = new Int32Array(PLANE_BYTES);
  /** The same memory without the graphics controller, four planes to an address. */
  readonly linear: MmioDevice = new LinearMemory(this, this.#words);
  readonly #sequencer: Uint8Array;
  readonly #graphics: Uint8Array;
  /** What the last read found in all planes. */
  #latch = 0;
  /** Writes so far. */
  writes: number = 0;

  /** @param sequencer, graphics the registers, as they stand */
  constructor(sequencer: Uint8Array, graphics: Uint8Array) {
    this.#sequencer = sequencer;
    this.#graphics = graphics;
  }

  /** Four planes of one address, as the display sees them. */
  wordAt(address: number): number {
    return this.#words[address & (PLANE_BYTES - 1)]!;
  }

  readMmio(offset: number, size: AccessSize): number {
    if (size === 1) return this.#read(offset);
    let value = 0;
    for (let lane = 0; lane < size; lane++) value |= this.#read(offset + lane) << (8 * lane);
    return value >>> 0;
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    this.writes++;
    for (let lane = 0; lane < size; lane++) {
      this.#write(offset + lane, (value >>> (8 * lane)) & 0xff);
    }
  }

  /** Where in the planes an address of the window leads; -1 outside the memory map. */
  #locate(offset: number): number {
    const [first, bytes] = MAPS[this.#graphics[GRAPHICS.MISCELLANEOUS]! >> 2 & 3]!;
    const at = offset - first;
    return at >= 0 && at < bytes ? at & (PLANE_BYTES - 1) : -1;
  }

  #read(offset: number): number {
    const at = this.#locate(offset);
    if (at < 0) return allOnes(1);
    const graphics = this.#graphics;
    const mode = graphics[GRAPHICS.MODE]!;
    const map = graphics[GRAPHICS.READ_MAP]!;
    let address = at;
    let plane = map & 3;
    if ((this.#sequencer[SEQUENCER.MEMORY_MODE]! & MEMORY_CHAIN4) !== 0) {
      address = at & ~3;
      plane = at & 3;
    } else if ((mode & MODE_READ_ODD_EVEN) !== 0) {
      address = at & ~1;
      plane = (map & 2) | (at & 1);
    }
    this.#latch = this.#words[address]!;
    if ((mode & MODE_READ_COMPARE) !== 0) return this.#compare();
    return this.#latch >>> (8 * plane) & 0xff;
  }

  /** A bit for each of eight pixels: its color, in the planes that matter, is the one sought. */
  #compare(): number {
    const graphics = this.#graphics;
    const differs = (this.#latch ^ PLANES[graphics[GRAPHICS.COLOR_COMPARE]!]!) &
      PLANES[graphics[GRAPHICS.COLOR_CARE]!]!;
    const folded = differs | differs >>> 16;
    return ~(folded | folded >>> 8) & 0xff;
  }

  #write(offset: number, byte: number): void {
    const at = this.#locate(offset);
    if (at < 0) return;
    const memoryMode = this.#sequencer[SEQUENCER.MEMORY_MODE]!;
    let address = at;
    let enabled = this.#sequencer[SEQUENCER.MAP_MASK]!;
    if ((memoryMode & MEMORY_CHAIN4) !== 0) {
      address = at & ~3;
      enabled &= 1 << (at & 3);
    } else if ((memoryMode & MEMORY_SEQUENTIAL) === 0) {
      address = at & ~1;
      enabled &= 0b0101 << (at & 1);
    }
    const planes = PLANES[enabled]!;
    this.#words[address] = this.#words[address]! & ~planes | this.#combine(byte) & planes;
  }

  /** What the graphics controller sends to the planes for a byte of the CPU. */
  #combine(byte: number): number {
    const graphics = this.#graphics;
    const setReset = PLANES[graphics[GRAPHICS.SET_RESET]!]!;
    const bits = graphics[GRAPHICS.BIT_MASK]!;
    switch (graphics[GRAPHICS.MODE]! & MODE_WRITE) {
      case 0: {
        const enabled = PLANES[graphics[GRAPHICS.ENABLE_SET_RESET]!]!;
        const data = this.#rotate(byte) * EVERY_BYTE;
        return this.#mask(data & ~enabled | setReset & enabled, bits);
      }
      case 1:
        return this.#latch;
      case 2:
        return this.#mask(PLANES[byte & 0xf]!, bits);
      default:
        return this.#mask(setReset, bits & this.#rotate(byte));
    }
  }

  #rotate(byte: number): number {
    const count = this.#graphics[GRAPHICS.ROTATE]! & ROTATE_COUNT;
    return (byte >> count | byte << (8 - count)) & 0xff;
  }

  /** The logical unit, for the bits of each plane that are enabled; the others keep the latch. */
  #mask(data: number, bits: number): number {
    const latch = this.#latch;
    const mask = bits * EVERY_BYTE;
    return this.#combineWithLatch(data) & mask | latch & ~mask;
  }

  #combineWithLatch(data: number): number {
    switch (this.#graphics[GRAPHICS.ROTATE]! >> 3) {
      case 1:
        return data & this.#latch;
      case 2:
        return data | this.#latch;
      case 3:
        return data ^ this.#latch;
      default:
        return data;
    }
  }
}

/** Loads and stores as in RAM. */
class LinearMemory implements MmioDevice {
  readonly #memory: VgaMemory;
  readonly #bytes: Uint8Array;

  constructor(memory: VgaMemory, words: Int32Array) {
    this.#memory = memory;
    this.#bytes = new Uint8Array(words.buffer);
  }

  readMmio(offset: number, size: AccessSize): number {
    let value = 0;
    for (let lane = 0; lane < size; lane++) value |= this.#bytes[offset + lane]! << (8 * lane);
    return value >>> 0;
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    this.#memory.writes++;
    for (let lane = 0; lane < size; lane++) this.#bytes[offset + lane] = value >>> (8 * lane);
  }
}
