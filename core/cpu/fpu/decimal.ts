/**
 * FBLD and FBSTP: 18 decimal digits, two to a byte, and a sign byte.
 * Source: Intel SDM vol. 1, §4.7.
 * @module
 */

import type { Cpu } from "../cpu.ts";
import { BIAS, SIGN, TEMP } from "./layout.ts";
import { CLASS, INDEFINITE, normalised, special } from "./number.ts";
import { stackUnderflow } from "./special.ts";
import { integerOf, readWide, withStatusLater } from "./store.ts";
import type { FpuUnit } from "./unit.ts";

const DIGIT_BYTES = 9;
const GREATEST = 10n ** 18n - 1n;

/** A digit above 9 counts as what it is: the processor does not check. */
export function loadDecimal(cpu: Cpu, fpu: FpuUnit, linear: number): void {
  readWide(cpu, fpu, linear, 10);
  const { bytes } = cpu.state;
  let value = 0n;
  for (let n = DIGIT_BYTES - 1; n >= 0; n--) {
    const pair = bytes[TEMP + n]!;
    value = value * 100n + BigInt((pair >> 4) * 10 + (pair & 15));
  }
  const sign = bytes[TEMP + DIGIT_BYTES]! & 0x80 ? SIGN : 0;
  fpu.clearC1();
  if (!fpu.isEmpty(fpu.stack(-1))) {
    if (fpu.stackFault(true)) fpu.push(INDEFINITE);
    return;
  }
  fpu.push(value ? normalised(sign, BIAS + 63, value) : special(CLASS.ZERO, sign));
}

/** FBSTP, up to the store. */
export function narrowDecimal(fpu: FpuUnit): number {
  return withStatusLater(fpu, () => {
    const at = fpu.stack(0);
    if (fpu.isEmpty(at)) return stackUnderflow(fpu, TEMP);
    const x = fpu.number(at);
    const value = integerOf(fpu, x, -GREATEST, GREATEST);
    if (value === undefined) return fpu.invalid(TEMP);
    compose(fpu, value < 0n ? -value : value, x.sign);
    return true;
  });
}

function compose({ state: { bytes } }: FpuUnit, magnitude: bigint, sign: number): void {
  let rest = magnitude;
  for (let n = 0; n < DIGIT_BYTES; n++) {
    const pair = Number(rest % 100n);
    bytes[TEMP + n] = Math.floor(pair / 10) << 4 | pair % 10;
    rest /= 100n;
  }
  bytes[TEMP + DIGIT_BYTES] = sign >> 8;
}
