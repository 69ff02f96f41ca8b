import { assertEquals } from "@std/assert";
import fc from "fast-check";
import * as callees from "../../../../core/cpu/fpu/callees.ts";
import { TEMP } from "../../../../core/cpu/fpu/layout.ts";
import { fpuFunctions } from "../../../../core/cpu/fpu/module.ts";
import { OPERATIONS } from "../../../../core/cpu/fpu/operations.ts";
import { AT } from "../../../../core/cpu/state.ts";
import type { Callee } from "../../../../core/cpu/wasm.ts";
import { anyRegister, controls, type Extended80, FpuBench } from "../../../helpers/fpu.ts";

const bench = new FpuBench();
const { cpu } = bench.machine;
const functions = fpuFunctions(cpu, {
  read16: (linear: number) => cpu.mmu.read(linear, 2),
  read32: (linear: number) => cpu.mmu.read(linear, 4),
  write16: (linear: number, value: number) => cpu.mmu.write(linear, 2, value),
  write32: (linear: number, value: number) => cpu.mmu.write(linear, 4, value),
}) as Record<string, (...args: number[]) => number | undefined>;

const ST0 = AT.FPU_REGS, ST1 = AT.FPU_REGS + 16;

/** Visible state, the temporary register and the result after a call. */
function after(
  x: Extended80,
  y: Extended80,
  control: number,
  { name }: Callee,
  ...args: number[]
): unknown[] {
  bench.reset(control);
  bench.setSt(0, x);
  bench.setSt(1, y);
  const result = functions[name]!(...args);
  return [bench.visible(), result];
}

function same(
  fast: readonly [Callee, ...number[]],
  slow: readonly [Callee, ...number[]],
): void {
  fc.assert(
    fc.property(anyRegister, anyRegister, controls, (x, y, control) => {
      assertEquals(after(x, y, control, ...fast), after(x, y, control, ...slow));
    }),
    { numRuns: 300 },
  );
}

OPERATIONS.forEach((operation, n) => {
  Deno.test(`x87 ${operation}: the generated path gives what the slow one gives`, () => {
    same(
      [callees.ARITHMETIC[operation], ST0, ST0, ST1, 1],
      [callees.ARITHMETIC_SLOW, n, ST0, ST0, ST1, 1],
    );
  });
});

Deno.test("x87 comparison: the generated path gives what the slow one gives", () => {
  same([callees.COMPARE, ST1, 0, 2], [callees.COMPARE_SLOW, ST1, 0, 2]);
  same([callees.COMPARE, ST1, 1, 1], [callees.COMPARE_SLOW, ST1, 1, 1]);
});

/** As {@link after}, with what would be stored. */
function stored(x: Extended80, control: number, bytes: number, callee: Callee): unknown[] {
  const seen = after(x, x, control, callee, bytes);
  const { view } = bench.state;
  const image = Array.from({ length: bytes }, (_, n) => view.getUint8(TEMP + n));
  return [...seen, seen[1] ? [image, bench.state.get(TEMP + 12)] : []];
}

for (const bytes of [4, 8] as const) {
  Deno.test(`x87 store of ${bytes} bytes: the generated path gives what the slow one gives`, () => {
    fc.assert(
      fc.property(anyRegister, controls, (x, control) => {
        const [fast, slow] = [callees.NARROW[bytes], callees.NARROW_SLOW];
        assertEquals(stored(x, control, bytes, fast), stored(x, control, bytes, slow));
      }),
      { numRuns: 500 },
    );
  });
}

for (const bytes of [2, 4, 8] as const) {
  Deno.test(`x87 integer of ${bytes} bytes: the generated path gives what the slow one gives`, () => {
    fc.assert(
      fc.property(anyRegister, controls, (x, control) => {
        const [fast, slow] = [callees.NARROW_INTEGER[bytes], callees.NARROW_INTEGER_SLOW];
        assertEquals(stored(x, control, bytes, fast), stored(x, control, bytes, slow));
      }),
      { numRuns: 500 },
    );
  });
}
