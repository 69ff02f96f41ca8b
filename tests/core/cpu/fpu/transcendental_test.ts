import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { FpuBench, fromDouble, toDouble } from "../../../helpers/fpu.ts";

const bench = new FpuBench();

/** The result on the top of the stack after an instruction on ST(0) and ST(1). */
function result(code: string, x: number, y: number): number {
  bench.reset();
  bench.setSt(0, fromDouble(x));
  bench.setSt(1, fromDouble(y));
  assertEquals(bench.execute(code), -1);
  return toDouble(bench.st(0));
}

const numbers = (least: number, greatest: number): fc.Arbitrary<number> =>
  fc.double({ min: least, max: greatest, noNaN: true }).filter((x) => Math.abs(x) > 1e-100);

/** Instruction, domain of ST(0), and the same in double precision. */
const FUNCTIONS: readonly [
  string,
  string,
  fc.Arbitrary<number>,
  (x: number, y: number) => number,
][] = [
  ["F2XM1", "d9f0", numbers(-1, 1), (x) => Math.expm1(x * Math.LN2)],
  ["FYL2X", "d9f1", numbers(1.5, 1e300), (x, y) => y * Math.log2(x)],
  ["FPATAN", "d9f3", numbers(-1e10, 1e10), (x, y) => Math.atan2(y, x)],
  ["FYL2XP1", "d9f9", numbers(-0.29, 0.41), (x, y) => y * Math.log1p(x) / Math.LN2],
  ["FSIN", "d9fe", numbers(-1.5, 1.5), (x) => Math.sin(x)],
  ["FCOS", "d9ff", numbers(-1.5, 1.5), (x) => Math.cos(x)],
];

for (const [name, code, domain, reference] of FUNCTIONS) {
  Deno.test(`${name} agrees with double precision`, () => {
    fc.assert(
      fc.property(domain, numbers(-1e3, 1e3), (x, y) => {
        const want = reference(x, y);
        const error = Math.abs(result(code, x, y) - want) / Math.abs(want);
        assert(error < 2 ** -48, `${x} ${y}: off by ${error}`);
      }),
      { numRuns: 100 },
    );
  });
}

Deno.test("FSINCOS gives FSIN and FCOS, FPTAN their quotient, to the last bits", () => {
  fc.assert(
    fc.property(numbers(-1e15, 1e15), (x) => {
      result("d9fe", x, 1);
      const sine = bench.st(0);
      result("d9ff", x, 1);
      const cosine = bench.st(0);
      bench.reset();
      bench.setSt(0, fromDouble(x));
      bench.execute("d9fb");
      assertEquals([bench.st(1), bench.st(0)], [sine, cosine]);
      bench.execute("def9"); // fdivp
      const quotient = bench.st(0);
      bench.reset();
      bench.setSt(0, fromDouble(x));
      bench.execute("d9f2");
      const distance = bench.st(1).bits - quotient.bits;
      assert(distance >= -2n && distance <= 2n, `${x}: ${distance}`);
    }),
    { numRuns: 60 },
  );
});

Deno.test("FSIN leaves an angle of 2^63 or more, and says so in C2", () => {
  assertEquals(result("d9fe", 2 ** 63, 1), 2 ** 63);
  assertEquals(bench.status & 0x400, 0x400);
});
