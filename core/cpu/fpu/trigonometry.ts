/**
 * FSIN, FCOS, FSINCOS, FPTAN. Source: Intel SDM vol. 2; vol. 1, §8.3.8 (π).
 * @module
 */

import { BIAS, SIGN, SW } from "./layout.ts";
import { CLASS, type Extended, INDEFINITE, isNan, quieted } from "./number.ts";
import { cosine, FRACTION, sineFactor } from "./precise.ts";
import { deliver, fixed, product, quotient, type Scaled, scaled, topNumber } from "./scaled.ts";
import { nans, one } from "./special.ts";
import type { FpuUnit } from "./unit.ts";

const { ZERO, INFINITY } = CLASS;

/** Half of the π that processors reduce by: 66 bits. */
const HALF_PI_BITS = 0xc90fdaa22168c234cn;
const HALF_PI_SCALE = -67;
/** From this exponent on nothing is reduced. */
const UNREDUCED = BIAS + 63;

/** An angle: a multiple of π/2 and a rest of at most π/4. */
interface Angle {
  readonly quadrant: number;
  readonly rest: Scaled;
}

function reduced(x: Extended): Angle {
  const { sign, bits, scale } = scaled(x);
  if (x.exponent < BIAS - 1) return { quadrant: 0, rest: { sign, bits, scale } };
  const common = Math.min(scale, HALF_PI_SCALE);
  const value = bits << BigInt(scale - common);
  const unit = HALF_PI_BITS << BigInt(HALF_PI_SCALE - common);
  const turns = (2n * value + unit) / (2n * unit);
  const rest = value - turns * unit;
  const quadrant = Number(turns & 3n);
  return {
    quadrant: sign ? 4 - quadrant & 3 : quadrant,
    rest: { sign: rest < 0n ? sign ^ SIGN : sign, bits: rest < 0n ? -rest : rest, scale: common },
  };
}

interface SineCosine {
  readonly sine: Scaled;
  readonly cosine: Scaled;
}

function sineCosine(x: Extended): SineCosine {
  const { quadrant, rest } = reduced(x);
  const magnitude = fixed(rest);
  const square = magnitude * magnitude >> BigInt(FRACTION);
  const sine = product(rest, sineFactor(square));
  const other = { sign: 0, bits: cosine(square) - 1n, scale: -FRACTION };
  const negated = (s: Scaled): Scaled => ({ ...s, sign: s.sign ^ SIGN });
  switch (quadrant) {
    case 0:
      return { sine, cosine: other };
    case 1:
      return { sine: other, cosine: negated(sine) };
    case 2:
      return { sine: negated(sine), cosine: negated(other) };
    default:
      return { sine: negated(other), cosine: sine };
  }
}

/** The operand of a trigonometric instruction; sets C2 where it is too large. */
function angleOperand(fpu: FpuUnit): Extended | undefined {
  fpu.status &= ~(SW.C1 | SW.C2);
  const x = topNumber(fpu);
  if (!x) return undefined;
  if (x.kind === INFINITY) {
    fpu.invalid(fpu.stack(0));
    return undefined;
  }
  if (x.kind !== ZERO && x.exponent >= UNREDUCED) {
    fpu.status |= SW.C2;
    return undefined;
  }
  return fpu.denormals(x) ? x : undefined;
}

/** FSIN. */
export function fsin(fpu: FpuUnit): void {
  const x = angleOperand(fpu);
  if (x && x.kind !== ZERO) deliver(fpu, fpu.stack(0), sineCosine(x).sine);
}

/** FCOS. */
export function fcos(fpu: FpuUnit): void {
  const x = angleOperand(fpu);
  if (!x) return;
  if (x.kind === ZERO) fpu.set(fpu.stack(0), one(0));
  else deliver(fpu, fpu.stack(0), sineCosine(x).cosine);
}

/**
 * FSINCOS and FPTAN: ST(0) becomes the first result and the second is pushed. After a stack fault
 * or an invalid operand both are the default NaN; a NaN is both.
 */
function pushing(fpu: FpuUnit, compute: (x: Extended, at: number) => void): void {
  fpu.status &= ~(SW.C1 | SW.C2);
  const at = fpu.stack(0);
  const underflow = fpu.isEmpty(at);
  if (underflow || !fpu.isEmpty(fpu.stack(-1))) {
    if (!fpu.stackFault(!underflow)) return;
    fpu.set(at, INDEFINITE);
    return fpu.push(INDEFINITE);
  }
  const given = fpu.number(at);
  if (given.kind === INFINITY || given.kind === CLASS.UNSUPPORTED) {
    if (fpu.invalid(at)) fpu.push(INDEFINITE);
  } else if (isNan(given)) {
    if (nans(fpu, at, given)) fpu.push(quieted(given));
  } else {
    const x = angleOperand(fpu);
    if (x) compute(x, at);
  }
}

/** FSINCOS. */
export const fsincos = (fpu: FpuUnit): void =>
  pushing(fpu, (x, at) => {
    if (x.kind === ZERO) return fpu.push(one(0));
    const { sine, cosine } = sineCosine(x);
    deliver(fpu, at, sine);
    fpu.turn(-1);
    deliver(fpu, fpu.stack(0), cosine);
  });

/** FPTAN. */
export const fptan = (fpu: FpuUnit): void =>
  pushing(fpu, (x, at) => {
    if (x.kind !== ZERO) {
      const { sine, cosine } = sineCosine(x);
      deliver(fpu, at, quotient(sine, cosine));
    }
    fpu.push(one(0));
  });
