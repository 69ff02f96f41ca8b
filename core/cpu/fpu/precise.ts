/**
 * Elementary functions in fixed point, with far more bits than an extended number holds.
 *
 * A function with a zero is computed as its argument times a factor near a constant, so that the
 * relative error stays small however small the argument is.
 * @module
 */

/** Fraction bits of fixed-point numbers. */
export const FRACTION = 256;
const F = BigInt(FRACTION);
/** One in fixed point. */
export const ONE: bigint = 1n << F;

const times = (a: bigint, b: bigint): bigint => a * b >> F;
const over = (a: bigint, b: bigint): bigint => (a << F) / b;

/** Sum of terms, each made from the one before, until they vanish. */
function series(first: bigint, next: (term: bigint, n: bigint) => bigint): bigint {
  let sum = 0n;
  for (let term = first, n = 1n; term !== 0n && term !== -1n; n++) {
    sum += term;
    term = next(term, n);
  }
  return sum;
}

function squareRoot(x: bigint): bigint {
  if (x === 0n) return 0n;
  const wide = x << F;
  let root = 1n << BigInt(wide.toString(2).length + 1 >> 1);
  for (;;) {
    const better = root + wide / root >> 1n;
    if (better >= root) return root;
    root = better;
  }
}

/** atan(1/n) by Gregory's series. */
function inverseArcTangent(n: bigint): bigint {
  let sum = 0n;
  for (let power = ONE / n, k = 1n; power !== 0n; power /= n * n, k += 2n) {
    sum += k & 2n ? -power / k : power / k;
  }
  return sum;
}

/** π by Machin's formula. */
export const PI: bigint = 16n * inverseArcTangent(5n) - 4n * inverseArcTangent(239n);
/** ln 2, as 2 atanh(1/3). */
export const LN2: bigint = 2n * hyperbolic(ONE / 3n, ONE / 3n);

/** atanh(z), as `first` times atanh(z) / z. */
function hyperbolic(first: bigint, z: bigint): bigint {
  const square = times(z, z);
  let power = first;
  let sum = 0n;
  for (let k = 1n; power !== 0n && power !== -1n; k += 2n) {
    sum += power / k;
    power = times(power, square);
  }
  return sum;
}

/** sin(x) / x, by the square of x. */
export function sineFactor(square: bigint): bigint {
  return series(ONE, (term, n) => -times(term, square) / (2n * n * (2n * n + 1n)));
}

/** cos(x), by the square of x. */
export function cosine(square: bigint): bigint {
  return series(ONE, (term, n) => -times(term, square) / (2n * n * (2n * n - 1n)));
}

/** (e^x − 1) / x. */
export function exponentialFactor(x: bigint): bigint {
  return series(ONE, (term, n) => times(term, x) / (n + 1n));
}

/** log2(1 + x) / x, for 1 + x between ½ and 2. */
export function logarithmFactor(x: bigint): bigint {
  const divisor = 2n * ONE + x;
  const factor = hyperbolic(ONE, over(x, divisor));
  return over(over(2n * factor, divisor), LN2);
}

/** How often {@link arcTangent} halves its argument's angle. */
const HALVINGS = 4n;

/** atan(x) for x from 0 to 1. */
export function arcTangent(x: bigint): bigint {
  let tangent = x;
  for (let n = 0n; n < HALVINGS; n++) {
    tangent = over(tangent, ONE + squareRoot(ONE + times(tangent, tangent)));
  }
  const square = times(tangent, tangent);
  let sum = 0n;
  for (let power = tangent, k = 1n; power !== 0n && power !== -1n; k += 2n) {
    sum += power / k;
    power = -times(power, square);
  }
  return sum << HALVINGS;
}
