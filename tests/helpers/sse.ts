/**
 * A CPU that executes MMX and SSE instructions one by one, and an independent judge of rounding.
 * @module
 */

import { Cpu } from "../../core/cpu/cpu.ts";
import type { Profile } from "../../core/cpu/cpuid.ts";
import { AT, CR0, CR4, RAM_BASE } from "../../core/cpu/state.ts";
import { ExitLog } from "./cpu.ts";
import { unhex } from "./oracle.ts";
import { plainFrames } from "./frames.ts";

const RAM_BYTES = 0x20000, CODE = 0x1000;
/** Present and writable. */
const MAPPED = 3;
const DIRECTORY = 0x10000, TABLE = 0x11000;

class Stop {}

/** Flat 32-bit code in ring 0, every page mapped one to one. */
export class SseBench {
  readonly cpu: Cpu;
  readonly ram: DataView;

  constructor(profile: Profile = "pentium4") {
    this.cpu = new Cpu(RAM_BYTES, { profile });
    this.ram = new DataView(this.cpu.ram.buffer, this.cpu.ram.base, RAM_BYTES);
    this.cpu.connect(
      new ExitLog(),
      plainFrames((gfn) => gfn < RAM_BYTES >> 12 ? RAM_BASE + gfn * 4096 : -1),
    );
    this.cpu.reset({ mode: "protected32", eip: CODE, regs: [0, 0, 0, 0, 0, 0, 0, 0] });
    this.ram.setUint32(DIRECTORY, TABLE | MAPPED, true);
    for (let page = 0; page < RAM_BYTES >> 12; page++) this.mapPage(page, MAPPED);
    const { state } = this.cpu;
    state.set(AT.CR, CR0.PE | CR0.PG | CR0.WP | CR0.NE);
    state.set(AT.CR + 12, DIRECTORY);
    state.set(AT.CR + 16, CR4.OSFXSR | CR4.OSXMMEXCPT);
    this.cpu.flushTlb();
  }

  /** @param rights of the page-table entry */
  mapPage(page: number, rights: number): void {
    this.ram.setUint32(TABLE + page * 4, page << 12 | rights, true);
    this.cpu.flushTlb();
  }

  /** Puts one instruction (hexadecimal) where {@link step} executes it. */
  load(code: string): void {
    unhex(code.replaceAll(" ", "")).forEach((byte, n) => this.ram.setUint8(CODE + n, byte));
    this.cpu.invalidateCode(this.cpu.ram.base + CODE, 16);
  }

  /** Executes the instruction; returns the vector of its exception, -1 for none. */
  step(): number {
    let seen = -1;
    this.cpu.onException = (vector) => {
      seen = vector;
      throw new Stop();
    };
    this.cpu.state.eip = CODE;
    try {
      this.cpu.step();
    } catch (error) {
      if (!(error instanceof Stop)) throw error;
    }
    return seen;
  }

  /** Executes an instruction. */
  execute(code: string): number {
    this.load(code);
    return this.step();
  }

  /** Where an XMM register begins in the memory that `cpu.state.view` shows. */
  xmm(n: number): number {
    return AT.XMM + n * 16;
  }
}

// ---- rounding ----------------------------------------------------------------------------------

/** A format by its fraction bits and the encoding of infinity. */
export interface FloatLayout {
  readonly fractionBits: number;
  readonly infinity: bigint;
}

/** Single and double precision. */
export const LAYOUTS: Readonly<Record<32 | 64, FloatLayout>> = {
  32: { fractionBits: 23, infinity: 0x7f80_0000n },
  64: { fractionBits: 52, infinity: 0x7ff0_0000_0000_0000n },
};

/** A quotient of integers, not negative. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** The finite number an encoding without sign stands for; for infinity, the next power of two. */
export function rationalOf({ fractionBits, infinity }: FloatLayout, encoding: bigint): Rational {
  const one = 1n << BigInt(fractionBits);
  const exponent = encoding / one;
  const significand = encoding % one + (exponent === 0n ? 0n : one);
  // The smallest denormal is 2 to the power of this, negated.
  const scale = infinity / one / 2n - 1n + BigInt(fractionBits);
  const shift = exponent === 0n ? 0n : exponent - 1n;
  return { numerator: significand << shift, denominator: 1n << scale };
}

/** What rounding gives: an encoding without sign, and the flags PE, UE and OE of MXCSR. */
export interface Rounded {
  readonly encoding: bigint;
  readonly flags: number;
}

const OE = 8, UE = 16, PE = 32;

/**
 * Rounds a positive number by looking for its neighbours among the encodings, whose order is the
 * order of the numbers.
 * @param compare sign of the number minus a rational
 * @param mode bits 13 and 14 of MXCSR
 */
export function roundBySearch(
  layout: FloatLayout,
  compare: Compare,
  negative: boolean,
  mode: number,
): Rounded {
  let low = 0n, high = layout.infinity;
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (compare(rationalOf(layout, middle)) >= 0) low = middle;
    else high = middle;
  }
  const beyond = compare(rationalOf(layout, high)) >= 0;
  const direction = directionOf(negative, mode);
  const encoding = beyond
    ? layout.infinity - (direction === "toward" ? 1n : 0n)
    : choose(layout, compare, low, direction);
  const exact = !beyond && compare(rationalOf(layout, low)) === 0;
  const overflow = beyond || encoding === layout.infinity;
  const isBelowNormal = low < 1n << BigInt(layout.fractionBits);
  const tiny = isBelowNormal && !reachesNormal(layout, compare, direction);
  const flags = (exact ? 0 : PE) | (overflow ? OE : 0) | (tiny && !exact ? UE : 0);
  return { encoding, flags };
}

/** Which way a magnitude is rounded: to the nearest, away from zero or toward zero. */
type Direction = "nearest" | "away" | "toward";

function directionOf(negative: boolean, mode: number): Direction {
  if (mode === 0) return "nearest";
  return mode === (negative ? 1 : 2) ? "away" : "toward";
}

type Compare = (to: Rational) => number;

function halfway(a: Rational, b: Rational): Rational {
  return {
    numerator: a.numerator * b.denominator + b.numerator * a.denominator,
    denominator: 2n * a.denominator * b.denominator,
  };
}

/** The neighbour below or the one above. */
function choose(layout: FloatLayout, compare: Compare, low: bigint, direction: Direction): bigint {
  const below = rationalOf(layout, low), above = rationalOf(layout, low + 1n);
  if (compare(below) === 0 || direction === "toward") return low;
  if (direction === "away") return low + 1n;
  const side = compare(halfway(below, above));
  return side > 0 || side === 0 && low % 2n === 1n ? low + 1n : low;
}

/** Below the smallest normal number, but rounded with any exponent it is that number. */
function reachesNormal(layout: FloatLayout, compare: Compare, direction: Direction): boolean {
  const first = 1n << BigInt(layout.fractionBits);
  const normal = rationalOf(layout, first);
  // With any exponent the next smaller number lies half as far away as the largest denormal.
  const smaller = halfway(rationalOf(layout, first - 1n), normal);
  if (direction === "nearest") return compare(halfway(smaller, normal)) >= 0;
  return direction === "away" && compare(smaller) > 0;
}
