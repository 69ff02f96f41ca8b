/**
 * Stores of what is not an ordinary number, and accesses to guest memory wider than 4 bytes.
 * @module
 */

import type { Cpu } from "../cpu.ts";
import { checkWritable } from "../wide.ts";
import { BIAS, FORMAT, NEW_STATUS, SW, TEMP } from "./layout.ts";
import { CLASS, type Extended, isNan, quieted } from "./number.ts";
import { stackUnderflow } from "./special.ts";
import type { FpuUnit } from "./unit.ts";

/**
 * Reads `bytes`, an even number, at a linear address.
 * @param unit bytes of each access, and so what #AC demands
 */
export function readBlock(
  cpu: Cpu,
  linear: number,
  bytes: number,
  to: DataView,
  unit: 2 | 4 = 4,
): void {
  const { mmu } = cpu;
  for (let n = 0; n < bytes;) {
    const size = bytes - n >= 4 ? unit : 2;
    const value = mmu.read((linear + n) >>> 0, size);
    if (size === 4) to.setInt32(n, value, true);
    else to.setUint16(n, value, true);
    n += size;
  }
}

/**
 * Writes memory at a linear address: all of it or, after a fault, nothing.
 * @param bytes an even number, below that of a page
 * @param unit as in {@link readBlock}
 */
export function writeBlock(
  cpu: Cpu,
  linear: number,
  bytes: number,
  from: DataView,
  unit: 2 | 4 = 4,
): void {
  const { mmu } = cpu;
  checkWritable(cpu, linear, bytes);
  for (let n = 0; n < bytes;) {
    const size = bytes - n >= 4 ? unit : 2;
    const value = size === 4 ? from.getInt32(n, true) : from.getUint16(n, true);
    mmu.write((linear + n) >>> 0, size, value);
    n += size;
  }
}

/** Memory operand of 8 or 10 bytes to the temporary register. */
export function readWide(cpu: Cpu, fpu: FpuUnit, linear: number, bytes: number): void {
  cpu.mmu.checkAlignment(linear, 8);
  readBlock(cpu, linear, bytes, fpu.temporary);
}

/** Temporary register to a memory operand of 8 or 10 bytes. */
export function writeWide(cpu: Cpu, fpu: FpuUnit, linear: number, bytes: number): void {
  cpu.mmu.checkAlignment(linear, 8);
  writeBlock(cpu, linear, bytes, fpu.temporary);
}

/**
 * Puts the new status word aside until memory has been written.
 * @param convert writes the temporary register; returns whether there is something to store
 */
export function withStatusLater(fpu: FpuUnit, convert: () => boolean): number {
  const before = fpu.status;
  fpu.clearC1();
  if (!convert()) return 0;
  fpu.state.set(TEMP + NEW_STATUS, fpu.status);
  fpu.status = before;
  return 1;
}

/** What a binary format of 4 or 8 bytes holds. */
function pack(bytes: 4 | 8, sign: number, exponent: number, bits: bigint): bigint {
  const { shift, least } = FORMAT[bytes];
  const width = BigInt(63 - shift);
  const biased = exponent === 0 ? 0 : exponent - least + 1;
  const largest = bytes === 4 ? 0xff : 0x7ff;
  const fraction = bits >> BigInt(shift) & (1n << width) - 1n;
  return BigInt(sign >> 15) << BigInt(bytes * 8 - 1) |
    BigInt(Math.min(biased, largest)) << width | fraction;
}

/** The stored form of ST(0), or nothing after an unmasked exception. */
function narrowed(fpu: FpuUnit, bytes: 4 | 8): bigint | undefined {
  const indefinite = bytes === 4 ? 0xffc00000n : 0xfff8000000000000n;
  const at = fpu.stack(0);
  if (fpu.isEmpty(at)) return fpu.stackFault(false) ? indefinite : undefined;
  const x = fpu.number(at);
  if (x.kind === CLASS.UNSUPPORTED) return fpu.raise(SW.IE) ? indefinite : undefined;
  if (isNan(x)) {
    if (x.kind === CLASS.SIGNALING && !fpu.raise(SW.IE)) return undefined;
    return packed(bytes, quieted(x));
  }
  if (x.kind === CLASS.INFINITY || x.kind === CLASS.ZERO) return packed(bytes, x);
  const exact = { sign: x.sign, exponent: x.exponent, hi: x.bits, lo: 0n };
  const format = FORMAT[bytes];
  const target = { at: TEMP, shift: format.shift, format, wrap: false };
  if (!fpu.fit(exact, target)) return undefined;
  const exponent = fpu.signExponent(TEMP) & 0x7fff;
  return pack(bytes, x.sign, exponent, fpu.bits(TEMP));
}

const packed = (bytes: 4 | 8, { sign, exponent, bits }: Extended): bigint =>
  pack(bytes, sign, exponent, bits);

/** See NARROW_SLOW. */
export function narrowSlow(fpu: FpuUnit, bytes: number): number {
  return withStatusLater(fpu, () => {
    if (bytes === 10) return stackUnderflow(fpu, TEMP);
    const result = narrowed(fpu, bytes as 4 | 8);
    if (result !== undefined) fpu.state.view.setBigUint64(TEMP, result, true);
    return result !== undefined;
  });
}

/** A number rounded to an integer between two limits, or nothing. Raises PE alone. */
export function integerOf(
  fpu: FpuUnit,
  x: Extended,
  least: bigint,
  greatest: bigint,
): bigint | undefined {
  if (x.kind === CLASS.ZERO) return 0n;
  const finite = x.kind === CLASS.NORMAL || x.kind === CLASS.DENORMAL;
  const fraction = BIAS + 63 - x.exponent;
  if (!finite || fraction < 0) return undefined;
  const before = fpu.status;
  fpu.core.toInteger(x.sign, x.bits, fraction);
  const magnitude = fpu.bits(TEMP);
  const value = x.sign ? -magnitude : magnitude;
  if (value >= least && value <= greatest) return value;
  fpu.status = before;
  return undefined;
}

/** See NARROW_INTEGER_SLOW. */
export function narrowIntegerSlow(fpu: FpuUnit, bytes: number): number {
  const least = -(1n << BigInt(bytes * 8 - 1));
  return withStatusLater(fpu, () => {
    const at = fpu.stack(0);
    const empty = fpu.isEmpty(at);
    const value = empty ? undefined : integerOf(fpu, fpu.number(at), least, -least - 1n);
    if (value === undefined && !(empty ? fpu.stackFault(false) : fpu.raise(SW.IE))) return false;
    fpu.state.view.setBigInt64(TEMP, value ?? least, true);
    return true;
  });
}
