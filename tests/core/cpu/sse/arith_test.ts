import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { AT } from "../../../../core/cpu/state.ts";
import {
  type FloatLayout,
  LAYOUTS,
  type Rational,
  rationalOf,
  roundBySearch,
  SseBench,
} from "../../../helpers/sse.ts";

const bench = new SseBench();

/** All exceptions masked; DE is not looked at here. */
const MASKED = 0x1f80, RESULT_FLAGS = 0x38;

/** Sign of `a` minus `b`. */
function order(a: Rational, b: Rational): number {
  const difference = a.numerator * b.denominator - b.numerator * a.denominator;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

interface Signed {
  readonly negative: boolean;
  /** Sign of the exact magnitude minus a rational. */
  readonly compare: (to: Rational) => number;
}

interface Operand extends Rational {
  readonly negative: boolean;
}

const signed = (x: Operand): bigint => x.negative ? -x.numerator : x.numerator;

/** A result given as a quotient; `undefined` for zero, whose sign has rules of its own. */
function quotient(numerator: bigint, denominator: bigint): Signed | undefined {
  if (numerator === 0n) return undefined;
  const value = { numerator: numerator < 0n ? -numerator : numerator, denominator };
  return { negative: numerator < 0n, compare: (to) => order(value, to) };
}

/** Opcode, and the exact result where it is a number other than zero. */
const OPERATIONS: readonly [string, string, (x: Operand, y: Operand) => Signed | undefined][] = [
  ["add", "58", (x, y) => quotient(signed(x) + signed(y), x.denominator)],
  ["sub", "5c", (x, y) => quotient(signed(x) - signed(y), x.denominator)],
  ["mul", "59", (x, y) => quotient(signed(x) * signed(y), x.denominator * y.denominator)],
  ["div", "5e", (x, y) => {
    if (y.numerator === 0n) return undefined;
    return quotient(signed(x) * (y.negative ? -1n : 1n), y.numerator);
  }],
  ["sqrt", "51", (_x, y) => {
    if (y.negative || y.numerator === 0n) return undefined;
    const square = ({ numerator, denominator }: Rational): Rational => ({
      numerator: numerator ** 2n,
      denominator: denominator ** 2n,
    });
    return { negative: false, compare: (to) => order(y, square(to)) };
  }],
];

/** Finite encodings: anywhere, near one, and at the edges of the format. */
function encodings({ fractionBits, infinity }: FloatLayout): fc.Arbitrary<bigint> {
  const one = infinity / 2n & infinity;
  const normal = 1n << BigInt(fractionBits);
  const around = (n: bigint): fc.Arbitrary<bigint> =>
    fc.bigInt(-4n, 4n).map((offset) => n + offset < 0n ? 0n : n + offset);
  return fc.oneof(
    fc.bigInt(0n, infinity - 1n),
    fc.bigInt(one - 4n * normal, one + 4n * normal),
    fc.bigInt(0n, 2n * normal),
    around(normal),
    around(infinity - 5n),
    around(one),
  );
}

for (const bits of [32, 64] as const) {
  const layout = LAYOUTS[bits];
  const sign = 1n << BigInt(bits - 1);
  const operand = (bits: bigint): Operand => ({
    ...rationalOf(layout, bits & ~sign),
    negative: (bits & sign) !== 0n,
  });
  const number = fc.tuple(encodings(layout), fc.boolean()).map(([n, s]) => s ? n | sign : n);
  for (const [name, opcode, exact] of OPERATIONS) {
    Deno.test(`${name} of ${bits} bits is the exact result rounded once, in every mode`, () => {
      bench.load(`${bits === 32 ? "f3" : "f2"} 0f ${opcode} c1`);
      fc.assert(
        fc.property(number, number, fc.nat({ max: 3 }), (a, b, mode) => {
          const result = exact(operand(a), operand(b));
          if (!result) return;
          const want = roundBySearch(layout, result.compare, result.negative, mode);
          assertEquals(run(bits, a, b, mode), {
            encoding: want.encoding | (result.negative ? sign : 0n),
            flags: want.flags,
          });
        }),
        { numRuns: 1500 },
      );
    });
  }
}

Deno.test("mul raises UE for a tiny result that becomes the smallest normal number", () => {
  bench.load("f3 0f 59 c1");
  // (1 - 2^-24) × 2^-126 has 24 bits, but not with this exponent.
  assertEquals(run(32, 0x3f7f_ffffn, 0x0080_0000n, 0), { encoding: 0x0080_0000n, flags: 0x30 });
});

/** Opcode, and the function that is approximated. */
const APPROXIMATIONS: readonly [string, string, (x: number) => number][] = [
  ["rcpss", "53", (x) => 1 / x],
  ["rsqrtss", "52", (x) => 1 / Math.sqrt(x)],
];
for (const [name, opcode, exact] of APPROXIMATIONS) {
  Deno.test(`${name} is within 1.5 × 2^-12 of the exact result, and raises nothing`, () => {
    const { state } = bench.cpu;
    bench.load(`f3 0f ${opcode} c1`);
    state.set(AT.MXCSR, 0);
    fc.assert(fc.property(fc.float({ min: 2 ** -120, max: 2 ** 120, noNaN: true }), (x) => {
      state.view.setFloat32(bench.xmm(1), x, true);
      assertEquals(bench.step(), -1);
      const error = state.view.getFloat32(bench.xmm(0), true) / exact(x) - 1;
      assertEquals(Math.abs(error) <= 1.5 * 2 ** -12, true, `${x}`);
    }));
    assertEquals(state.get(AT.MXCSR), 0);
  });
}

/** Executes the instruction that is loaded, on the low lanes of XMM0 and XMM1. */
function run(bits: 32 | 64, a: bigint, b: bigint, mode: number): object {
  const { state } = bench.cpu;
  const at = bench.xmm(0), from = bench.xmm(1);
  state.view.setBigUint64(at, a, true);
  state.view.setBigUint64(from, b, true);
  state.set(AT.MXCSR, MASKED | mode << 13);
  assertEquals(bench.step(), -1);
  return {
    encoding: BigInt.asUintN(bits, state.view.getBigUint64(at, true)),
    flags: state.get(AT.MXCSR) & RESULT_FLAGS,
  };
}
