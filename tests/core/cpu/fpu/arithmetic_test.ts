import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  controls,
  type Exact,
  type Extended80,
  FpuBench,
  normals,
  roundExactly,
  valueOf,
} from "../../../helpers/fpu.ts";

const bench = new FpuBench();
const FLAGS = 0x23f;
const MASKS = 0x3f;

/** `numerator` × 2^`power`, which is not zero. */
function exactly(numerator: bigint, power: number, denominator: bigint = 1n): Exact {
  const negative = numerator < 0n !== denominator < 0n;
  const magnitude = numerator < 0n ? -numerator : numerator;
  const divisor = denominator < 0n ? -denominator : denominator;
  return {
    negative,
    numerator: power > 0 ? magnitude << BigInt(power) : magnitude,
    denominator: power < 0 ? divisor << BigInt(-power) : divisor,
  };
}

function sum(x: Extended80, y: Extended80, sign: bigint): Exact | undefined {
  const a = valueOf(x), b = valueOf(y);
  const power = Math.min(a.power, b.power);
  const total = (a.numerator << BigInt(a.power - power)) +
    sign * (b.numerator << BigInt(b.power - power));
  return total === 0n ? undefined : exactly(total, power);
}

/** Instruction on ST(0) and ST(1), and its exact result; nothing where that is zero. */
const OPERATIONS: readonly [
  string,
  string,
  (x: Extended80, y: Extended80) => Exact | undefined,
][] = [
  ["FADD", "d8c1", (x, y) => sum(x, y, 1n)],
  ["FSUB", "d8e1", (x, y) => sum(x, y, -1n)],
  ["FSUBR", "d8e9", (x, y) => sum(y, x, -1n)],
  ["FMUL", "d8c9", (x, y) => {
    const a = valueOf(x), b = valueOf(y);
    return exactly(a.numerator * b.numerator, a.power + b.power);
  }],
  ["FDIV", "d8f1", (x, y) => {
    const a = valueOf(x), b = valueOf(y);
    return exactly(a.numerator, a.power - b.power, b.numerator);
  }],
  ["FSQRT", "d9fa", (x) => {
    const a = valueOf({ ...x, se: x.se & 0x7fff });
    return { ...exactly(a.numerator, a.power), root: true };
  }],
];

for (const [name, code, exact] of OPERATIONS) {
  const check = (x: Extended80, y: Extended80, control: number): void => {
    const first = name === "FSQRT" ? { ...x, se: x.se & 0x7fff } : x;
    const value = exact(first, y);
    if (!value) return;
    bench.reset(control | MASKS);
    bench.setSt(0, first);
    bench.setSt(1, y);
    bench.execute(code);
    const { se, bits, flags } = roundExactly(value, control);
    assertEquals({ ...bench.st(0), flags: bench.status & FLAGS }, { se, bits, flags });
  };
  const near = normals(0x3fff - 70, 0x3fff + 70);
  Deno.test(`${name} rounds its exact result in every rounding and precision`, () => {
    fc.assert(fc.property(near, near, controls, check), { numRuns: 300 });
  });
  Deno.test(`${name} overflows and underflows by the rules of masked exceptions`, () => {
    const ends = fc.oneof(normals(1, 80), normals(0x7ffe - 80, 0x7ffe), normals(0x3ff0, 0x4010));
    fc.assert(fc.property(ends, ends, controls, check), { numRuns: 60 });
  });
}
