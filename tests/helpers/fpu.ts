/**
 * A CPU that executes x87 instructions one by one, and an independent judge of rounding.
 * @module
 */

import fc from "fast-check";
import { AT, type CpuState } from "../../core/cpu/state.ts";
import { SseBench } from "./sse.ts";

const SLOT = 16, EMPTY_TAGS = 0xffff;
const TOP_LEAD = 1n << 63n;

/** An extended number as it lies in a register. */
export interface Extended80 {
  readonly se: number;
  readonly bits: bigint;
}

/** One x87, all of its state to be set and seen. */
export class FpuBench {
  readonly machine: SseBench;
  readonly state: CpuState;

  constructor() {
    this.machine = new SseBench();
    this.state = this.machine.cpu.state;
    this.reset();
  }

  /** Empty, all exceptions masked unless `control` says otherwise. */
  reset(control: number = 0x37f): void {
    this.state.words.fill(0, AT.FPU_REGS >> 2, AT.FPU_TEMP >> 2);
    this.state.set(AT.FPU_CONTROL, control);
    this.state.set(AT.FPU_TAGS, EMPTY_TAGS);
  }

  get status(): number {
    return this.state.get(AT.FPU_STATUS);
  }

  #address(n: number): number {
    return AT.FPU_REGS + ((this.status >> 11) + n & 7) * SLOT;
  }

  /** ST(n). */
  st(n: number): Extended80 {
    const at = this.#address(n);
    const { view } = this.state;
    return { bits: view.getBigUint64(at, true), se: view.getUint16(at + 8, true) };
  }

  /** Fills ST(n). */
  setSt(n: number, { se, bits }: Extended80): void {
    const at = this.#address(n);
    this.state.view.setBigUint64(at, bits, true);
    this.state.view.setUint16(at + 8, se, true);
    const tags = this.state.get(AT.FPU_TAGS);
    this.state.set(AT.FPU_TAGS, tags & ~(3 << ((at - AT.FPU_REGS) / SLOT) * 2));
  }

  /** Executes one instruction (hexadecimal); returns the vector of its exception, -1 for none. */
  execute(code: string): number {
    this.machine.load(code);
    return this.machine.step();
  }

  /** All the x87 state that a guest can see, as numbers. */
  visible(): number[] {
    return [...this.state.words.subarray(AT.FPU_REGS >> 2, AT.MXCSR >> 2)];
  }
}

/** A nearest double's value, for comparisons with `Math`. */
export function toDouble({ se, bits }: Extended80): number {
  const magnitude = Number(bits) * 2 ** ((se & 0x7fff) - 0x3fff - 63);
  return se & 0x8000 ? -magnitude : magnitude;
}

/** A double as an extended number; not for denormals. */
export function fromDouble(value: number): Extended80 {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const raw = view.getBigUint64(0);
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  if (value === 0) return { se: sign, bits: 0n };
  const exponent = Number(raw >> 52n & 0x7ffn) - 1023 + 0x3fff;
  return { se: sign | exponent, bits: TOP_LEAD | raw << 11n & (TOP_LEAD - 1n) };
}

// ---- generators ------------------------------------------------------------------------------------

const significands = fc.oneof(
  fc.bigInt({ min: 0n, max: TOP_LEAD - 1n }),
  fc.integer({ min: 0, max: 62 }).map((n) => 1n << BigInt(n)),
  fc.integer({ min: 0, max: 62 }).map((n) => TOP_LEAD - (1n << BigInt(n))),
).map((fraction) => TOP_LEAD | fraction);

/** Normal numbers with exponents between the two, biased. */
export function normals(least: number, greatest: number): fc.Arbitrary<Extended80> {
  const exponents = fc.integer({ min: least, max: greatest });
  return fc.tuple(significands, exponents, fc.boolean()).map(
    ([bits, exponent, negative]) => ({ bits, se: exponent | (negative ? 0x8000 : 0) }),
  );
}

/** Powers of two at which narrower formats and integers end. */
const BORDERS = [
  -1074,
  -1023,
  -1022,
  -150,
  -127,
  -126,
  14,
  15,
  30,
  31,
  62,
  63,
  127,
  128,
  1023,
  1024,
];

/** Any contents of a register: NaNs, infinities, zeros, denormals and what is not supported, too. */
export const anyRegister: fc.Arbitrary<Extended80> = fc.oneof(
  normals(0x3ff0, 0x4010),
  normals(1, 0x7ffe),
  fc.constantFrom(...BORDERS).chain((power) => normals(0x3fff + power, 0x3fff + power)),
  fc.record({
    se: fc.constantFrom(0, 0x8000, 0x7fff, 0xffff, 1, 0x7ffe, 0x3fff),
    bits: fc.oneof(
      fc.constantFrom(0n, 1n, TOP_LEAD, TOP_LEAD | 1n, TOP_LEAD | 1n << 62n),
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    ),
  }),
);

/** Control words with every rounding and precision, and some exceptions not masked. */
export const controls: fc.Arbitrary<number> = fc.tuple(
  fc.integer({ min: 0, max: 3 }),
  fc.constantFrom(0, 2, 3),
  fc.constantFrom(0x3f, 0x3f, 0),
).map(([rounding, precision, masks]) => rounding << 10 | precision << 8 | 0x40 | masks);

// ---- the judge -----------------------------------------------------------------------------------

/** A positive rational, or the square root of one. */
export interface Exact {
  readonly negative: boolean;
  readonly numerator: bigint;
  readonly denominator: bigint;
  readonly root?: boolean;
}

/** A result with the status bits it raises: PE, UE, OE and C1. */
export interface Rounded extends Extended80 {
  readonly flags: number;
}

const PRECISION: readonly number[] = [24, 0, 53, 64];
const LEAST = -16382, GREATEST = 16383;
const PE = 0x20, UE = 0x10, OE = 8, C1 = 0x200;

/** Sign of the exact magnitude minus `count` × 2^`power`. */
function versus({ numerator, denominator, root }: Exact, count: bigint, power: number): number {
  const squared = root ? 2 : 1;
  let left = numerator;
  let right = (root ? count * count : count) * denominator;
  if (power < 0) left <<= BigInt(-power * squared);
  else right <<= BigInt(power * squared);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Largest count of units 2^`power` that is not above the exact magnitude. */
function floorOf(exact: Exact, power: number): bigint {
  let low = 0n, high = 1n << 65n;
  while (high - low > 1n) {
    const middle = low + high >> 1n;
    if (versus(exact, middle, power) >= 0) low = middle;
    else high = middle;
  }
  return low;
}

function exponentOf(exact: Exact): number {
  const bits = (v: bigint): number => v.toString(2).length;
  const guess = bits(exact.numerator) - bits(exact.denominator);
  let exponent = (exact.root ? guess >> 1 : guess) + 2;
  while (versus(exact, 1n, exponent) < 0) exponent--;
  return exponent;
}

/** Count of units after rounding, and whether it is above the exact value. */
function roundCount(exact: Exact, power: number, rounding: number): [bigint, boolean, boolean] {
  const count = floorOf(exact, power);
  if (versus(exact, count, power) === 0) return [count, false, false];
  const half = versus(exact, 2n * count + 1n, power - 1);
  const up = rounding === 0
    ? half > 0 || (half === 0 && (count & 1n) === 1n)
    : rounding === (exact.negative ? 1 : 2);
  return [up ? count + 1n : count, true, up];
}

/** Rounds by the definition, with all exceptions masked. */
export function roundExactly(exact: Exact, control: number): Rounded {
  const rounding = control >> 10 & 3;
  const precision = PRECISION[control >> 8 & 3]!;
  const sign = exact.negative ? 0x8000 : 0;
  const exponent = exponentOf(exact);
  const [unbounded] = roundCount(exact, exponent - precision + 1, rounding);
  const rounded = exponent + (unbounded === 1n << BigInt(precision) ? 1 : 0);
  const tiny = rounded < LEAST;
  if (rounded > GREATEST) return overflow(sign, rounding, precision);
  const power = (tiny ? LEAST : exponent) - precision + 1;
  const [count, inexact, up] = roundCount(exact, power, rounding);
  let bits = count << BigInt(64 - precision);
  let biased = (tiny ? LEAST : exponent) + 0x3fff;
  if (bits >> 64n) {
    bits >>= 1n;
    biased++;
  }
  if (bits < TOP_LEAD) biased = 0;
  const flags = inexact ? PE | (up ? C1 : 0) | (tiny ? UE : 0) : 0;
  return { se: sign | biased, bits, flags };
}

function overflow(sign: number, rounding: number, precision: number): Rounded {
  const away = rounding === 0 || rounding === (sign ? 1 : 2);
  const largest = (1n << 64n) - (1n << BigInt(64 - precision));
  return away
    ? { se: sign | 0x7fff, bits: TOP_LEAD, flags: OE | PE | C1 }
    : { se: sign | 0x7ffe, bits: largest, flags: OE | PE };
}

/** The value of a finite register as `numerator` × 2^`power`. */
export function valueOf({ se, bits }: Extended80): { numerator: bigint; power: number } {
  const power = Math.max(se & 0x7fff, 1) - 0x3fff - 63;
  return { numerator: se & 0x8000 ? -bits : bits, power };
}
