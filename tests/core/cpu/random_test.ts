import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { RAM_BASE, RECORDS } from "../../../core/cpu/state.ts";
import { GuestPanic } from "../../../core/errors.ts";
import { CpuBench } from "../../helpers/cpu.ts";

/** Pages of guest RAM with nothing behind them: a canary. */
const HOLE = [0x18, 0x19];

for (const mode of ["real16", "protected32"] as const) {
  Deno.test(`Cpu.run() survives any bytes as code and stays inside its memory in ${mode}`, () => {
    const bench = new CpuBench(0x20000, HOLE);
    const canary = bench.ram.subarray(0x18000, 0x1a000);
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.array(fc.integer(), { minLength: 8, maxLength: 8 }),
        (bytes, regs) => {
          bench.load(mode, 0x1000, "");
          bench.ram.set(bytes, 0x1000);
          bench.cpu.state.regs.set(regs);
          runQuietly(bench, 300);
          assertEquals(canary.every((byte) => byte === 0), true);
        },
      ),
      { numRuns: 400 },
    );
    // Nothing lies between the records and RAM.
    assertEquals(RECORDS.END, RAM_BASE);
  });
}

/** Panics are allowed: they name what is not modelled. */
function runQuietly(bench: CpuBench, budget: number): void {
  try {
    bench.run(budget);
  } catch (error) {
    if (!(error instanceof GuestPanic)) throw error;
  }
}
