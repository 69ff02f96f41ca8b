import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { setSegment } from "../../../core/cpu/segment.ts";
import { DS, ES, RAM_BASE, RECORDS } from "../../../core/cpu/state.ts";
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
          bench.run(300);
          assertEquals(canary.every((byte) => byte === 0), true);
        },
      ),
      { numRuns: 120 },
    );
    // Nothing lies between the records and RAM.
    assertEquals(RECORDS.END, RAM_BASE);
  });
}

/** REP MOVSB, STOSW, LODSD; a cut CMPS or SCAS may show flags that a whole one takes back. */
const REPEATED = ["f3a4", "66f3ab", "f3ad"];

Deno.test("Cpu.run() retires and does the same in one run and in two, also in a repeated fault", () => {
  const bench = new CpuBench();
  // An odd limit of the data segments makes the instruction fault in its middle.
  const begin = (code: string, count: number, limit: number): void => {
    bench.load("protected32", 0x1000, `${code}f4`);
    bench.cpu.state.regs.set([1, count, 0, 0, 0x8000, 0, 0x4000, 0x4800]);
    for (const segment of [ES, DS]) {
      const at = { selector: 0x10, base: 0, limit, attr: 0x4093, at: 0 };
      setSegment(bench.cpu, segment, at);
    }
  };
  const part = fc.nat({ max: 30 });
  fc.assert(
    fc.property(fc.constantFrom(...REPEATED), part, part, part, (code, count, room, first) => {
      const budget = 40;
      begin(code, count, 0x4800 + room);
      const whole = [bench.run(budget), bench.snapshot()];
      begin(code, count, 0x4800 + room);
      const retired = bench.run(first);
      const rest = bench.cpu.shutdown || bench.cpu.halted ? 0 : bench.run(budget - first);
      assertEquals([retired + rest, bench.snapshot()], whole);
    }),
    { numRuns: 300 },
  );
});
