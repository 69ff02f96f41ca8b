import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { AT } from "../../../../core/cpu/state.ts";
import {
  LAYOUTS,
  type Rational,
  rationalOf,
  roundBySearch,
  SseBench,
} from "../../../helpers/sse.ts";

const bench = new SseBench();
const { state } = bench.cpu;
const MASKED = 0x1f80, IE = 1, PE = 32, RESULT_FLAGS = 0x38;
const SIGN_64 = 1n << 63n, SIGN_32 = 1n << 31n;
const ONE_64 = 0x3ffn << 52n;

Deno.test("cvtsd2ss is the exact result rounded once, in every mode", () => {
  bench.load("f2 0f 5a c1");
  // Exponents that single precision has, and some on either side.
  const magnitude = fc.bigInt(ONE_64 - (160n << 52n), ONE_64 + (140n << 52n));
  fc.assert(
    fc.property(magnitude, fc.nat(30), fc.boolean(), fc.nat(3), (bits, zeros, negative, mode) => {
      // Short significands make halves and exact results likely.
      const source = bits >> BigInt(zeros) << BigInt(zeros);
      const value = rationalOf(LAYOUTS[64], source);
      const compare = (to: Rational): number => {
        const rest = value.numerator * to.denominator - to.numerator * value.denominator;
        return rest < 0n ? -1 : rest > 0n ? 1 : 0;
      };
      state.view.setBigUint64(bench.xmm(1), negative ? source | SIGN_64 : source, true);
      state.set(AT.MXCSR, MASKED | mode << 13);
      assertEquals(bench.step(), -1);
      const want = roundBySearch(LAYOUTS[32], compare, negative, mode);
      const got = BigInt(state.view.getUint32(bench.xmm(0), true));
      assertEquals([got, state.get(AT.MXCSR) & RESULT_FLAGS], [
        negative ? want.encoding | SIGN_32 : want.encoding,
        want.flags,
      ]);
    }),
    { numRuns: 3000 },
  );
});

/** A double, and what CVTSD2SI makes of it in modes 0 to 3 (nearest, down, up, to zero). */
const INTEGERS: readonly [number, readonly number[]][] = [
  [0.5, [0, 0, 1, 0]],
  [1.5, [2, 1, 2, 1]],
  [-2.5, [-2, -3, -2, -2]],
  [-0.25, [0, -1, 0, 0]],
  [2 ** 31 - 1.5, [2 ** 31 - 2, 2 ** 31 - 2, 2 ** 31 - 1, 2 ** 31 - 2]],
];

Deno.test("cvtsd2si rounds as MXCSR says, and gives the indefinite integer beyond 32 bits", () => {
  const convert = (value: number, mode: number): number[] => {
    state.view.setFloat64(bench.xmm(1), value, true);
    state.set(AT.MXCSR, MASKED | mode << 13);
    assertEquals(bench.execute("f2 0f 2d c1"), -1);
    return [state.get(AT.REGS), state.get(AT.MXCSR) & (IE | PE)];
  };
  for (const [value, results] of INTEGERS) {
    results.forEach((want, mode) => assertEquals(convert(value, mode), [want, PE], `${value}`));
  }
  for (const value of [2 ** 31, -(2 ** 31) - 1, Infinity, NaN]) {
    assertEquals(convert(value, 3), [-(2 ** 31), IE], `${value}`);
  }
  assertEquals(convert(2 ** 31 - 0.5, 0), [-(2 ** 31), IE]);
  assertEquals(convert(2 ** 31 - 0.5, 3), [2 ** 31 - 1, PE]);
});
