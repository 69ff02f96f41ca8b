/**
 * The x87 as its TypeScript half sees it: registers, status, exceptions, and the generated core
 * that does the arithmetic.
 * @module
 */

import { AT, type CpuState } from "../state.ts";
import {
  BIAS,
  EMPTY,
  type Format,
  MAX_EXPONENT,
  PC_SHIFT,
  RC,
  SIGN,
  SIGN_EXPONENT,
  SLOT,
  SW,
  TEMP,
  WRAP,
} from "./layout.ts";
import { CLASS, classify, type Extended, INDEFINITE, special } from "./number.ts";

type Rounding = (
  at: number,
  sign: number,
  exponent: number,
  hi: bigint,
  lo: bigint,
  shift: number,
) => number;

/** The generated functions that TypeScript calls: see callees.ts. */
export interface Core {
  readonly coreAdd: (
    at: number,
    signA: number,
    a: number,
    bitsA: bigint,
    signB: number,
    b: number,
    bitsB: bigint,
  ) => void;
  readonly coreMul: (at: number, sign: number, exponent: number, a: bigint, b: bigint) => void;
  readonly coreDiv: (at: number, sign: number, exponent: number, a: bigint, b: bigint) => void;
  readonly coreSqrt: (at: number, exponent: number, bits: bigint) => void;
  readonly round: Rounding;
  readonly raise: (flags: number) => void;
  readonly toInteger: (sign: number, bits: bigint, fraction: number) => number;
}

/** A number to be rounded. */
export interface Exact {
  readonly sign: number;
  readonly exponent: number;
  /** Significand of 128 bits, the last one sticky. */
  readonly hi: bigint;
  readonly lo: bigint;
}

/** Where and how a number is rounded. */
export interface Target {
  readonly at: number;
  /** Bits that rounding clears at the end of the significand. */
  readonly shift: number;
  readonly format: Format;
  /** An unmasked overflow or underflow gives the wrapped result; else it gives none. */
  readonly wrap: boolean;
}

const PRECISION_SHIFT = [40, 0, 11, 0];
const ALL_ONES = (1n << 64n) - 1n;

/** State of the x87, and what its slow paths share. */
export class FpuUnit {
  readonly state: CpuState;
  /** The bytes of TEMP. */
  readonly temporary: DataView;
  /** Set when the generated half exists. */
  core!: Core;

  constructor(state: CpuState) {
    this.state = state;
    this.temporary = new DataView(state.bytes.buffer, TEMP, SLOT);
  }

  get status(): number {
    return this.state.get(AT.FPU_STATUS);
  }

  set status(value: number) {
    this.state.set(AT.FPU_STATUS, value);
  }

  get control(): number {
    return this.state.get(AT.FPU_CONTROL);
  }

  get rounding(): number {
    return this.control >> RC.SHIFT & 3;
  }

  /** Bits that rounding by the precision control clears. */
  get precisionShift(): number {
    return PRECISION_SHIFT[this.control >> PC_SHIFT & 3]!;
  }

  // ---- registers -----------------------------------------------------------------------------

  /** Address of ST(`index`). */
  stack(index: number): number {
    return AT.FPU_REGS + ((this.status >> 11) + index & 7) * SLOT;
  }

  isEmpty(at: number): boolean {
    if (at === TEMP) return false;
    return (this.state.get(AT.FPU_TAGS) >> (at - AT.FPU_REGS >> 3) & EMPTY) === EMPTY;
  }

  /** Marks a register as empty or filled. */
  tag(at: number, empty: boolean): void {
    if (at === TEMP) return;
    const mask = EMPTY << (at - AT.FPU_REGS >> 3);
    const tags = this.state.get(AT.FPU_TAGS);
    this.state.set(AT.FPU_TAGS, empty ? tags | mask : tags & ~mask);
  }

  bits(at: number): bigint {
    return this.state.view.getBigUint64(at, true);
  }

  signExponent(at: number): number {
    return this.state.view.getUint16(at + SIGN_EXPONENT, true);
  }

  setSignExponent(at: number, value: number): void {
    this.state.view.setUint16(at + SIGN_EXPONENT, value, true);
  }

  number(at: number): Extended {
    return classify(this.bits(at), this.signExponent(at), at === TEMP);
  }

  /** Writes a number that is not a denormal, and marks the register as filled. */
  set(at: number, { sign, exponent, bits }: Extended): void {
    this.state.view.setBigUint64(at, bits, true);
    this.setSignExponent(at, sign | exponent);
    this.tag(at, false);
  }

  copy(to: number, from: number): void {
    this.state.bytes.copyWithin(to, from, from + SLOT);
    this.tag(to, false);
  }

  turn(by: number): void {
    const { status } = this;
    this.status = (status & ~SW.TOP) | (status + by * SW.TOP_ONE & SW.TOP);
  }

  pop(): void {
    this.tag(this.stack(0), true);
    this.turn(1);
  }

  push(value: Extended): void {
    this.turn(-1);
    this.set(this.stack(0), value);
  }

  clearC1(): void {
    this.status &= ~SW.C1;
  }

  // ---- exceptions ----------------------------------------------------------------------------

  /** Raises exceptions, with C1 as given. @returns whether all of them are masked */
  raise(flags: number): boolean {
    this.core.raise(flags);
    return (flags & SW.EXCEPTIONS & ~this.control) === 0;
  }

  /** Raises a stack fault: C1 tells overflow. @returns whether it is masked */
  stackFault(overflow: boolean): boolean {
    return this.raise(SW.IE | SW.SF | (overflow ? SW.C1 : 0));
  }

  /** An invalid operation: the default NaN as result, if that is masked. */
  invalid(at: number): boolean {
    const masked = this.raise(SW.IE);
    if (masked) this.set(at, INDEFINITE);
    return masked;
  }

  /** Raises DE if one of the numbers is a denormal. @returns whether to go on */
  denormals(...numbers: readonly Extended[]): boolean {
    return !numbers.some(({ kind }) => kind === CLASS.DENORMAL) || this.raise(SW.DE);
  }

  // ---- rounding ------------------------------------------------------------------------------

  /**
   * Rounds to a format whose range the exponent may leave.
   * @returns whether there is a result
   */
  fit(exact: Exact, target: Target): boolean {
    const { at, shift, format, wrap } = target;
    const { sign, exponent, hi, lo } = exact;
    const before = this.status;
    const c1 = this.core.round(at, sign, BIAS, hi, lo, shift) & SW.C1;
    const rounded = exponent + (this.signExponent(at) & MAX_EXPONENT) - BIAS;
    const flag = rounded > format.greatest ? SW.OE : rounded < format.least ? SW.UE : 0;
    this.setSignExponent(at, sign | rounded & MAX_EXPONENT);
    if (!flag) return true;
    if (!(this.control & flag)) {
      if (!wrap) {
        this.status = before;
        this.raise(flag);
        return false;
      }
      this.raise(flag | c1);
      this.#wrap(at, sign, rounded + (flag === SW.OE ? -WRAP : WRAP));
      return true;
    }
    this.status = before;
    if (flag === SW.OE) this.#overflow(sign, target);
    else this.#denormalise(exact, target);
    return true;
  }

  /** An exponent that is still outside after wrapping gives infinity or zero. */
  #wrap(at: number, sign: number, exponent: number): void {
    if (exponent >= MAX_EXPONENT) this.set(at, special(CLASS.INFINITY, sign));
    else if (exponent <= 0) this.set(at, special(CLASS.ZERO, sign));
    else this.setSignExponent(at, sign | exponent);
  }

  #overflow(sign: number, { at, shift, format }: Target): void {
    const { rounding } = this;
    const away = rounding === RC.NEAREST || rounding === (sign ? RC.DOWN : RC.UP);
    const largest = { sign, exponent: format.greatest, bits: ALL_ONES << BigInt(shift) & ALL_ONES };
    this.set(at, away ? special(CLASS.INFINITY, sign) : { kind: CLASS.NORMAL, ...largest });
    this.raise(SW.OE | SW.PE | (away ? SW.C1 : 0));
  }

  #denormalise({ sign, exponent, hi, lo }: Exact, { at, shift, format }: Target): void {
    const { least } = format;
    const count = BigInt(Math.min(least - exponent, 200));
    const whole = hi << 64n | lo;
    const kept = whole >> count;
    const sticky = kept << count === whole ? 0n : 1n;
    const flags = this.core.round(at, sign, BIAS, kept >> 64n, kept & ALL_ONES | sticky, shift);
    this.setSignExponent(at, sign | (this.bits(at) >> 63n ? least : 0));
    if (flags & SW.PE) this.raise(SW.UE | flags & SW.C1);
  }
}

/** SIGN of a product or quotient. */
export const signOfProduct = (x: Extended, y: Extended): number => (x.sign ^ y.sign) & SIGN;
