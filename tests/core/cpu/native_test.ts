import { assertEquals } from "@std/assert";
import { oraclePath, sampleCases, TIERS, unhex } from "../../helpers/oracle.ts";
import { type NativeCase, NativeMachine } from "../../helpers/oracle_native.ts";

const FAMILIES = "alu shift muldiv bcd mov bits stack string branch seg misc x87 mmx sse".split(
  " ",
);
/** Cases of each family; `deno task conformance` runs all. */
const SAMPLE = 400;

for (const family of FAMILIES) {
  const path = oraclePath(`native/${family}.jsonl.gz`);
  const missing = path ? "" : " (ignored: no cases in ../shared/oracles)";
  Deno.test({
    name: `Cpu.run() does instructions of "${family}" as a real CPU did in both tiers${missing}`,
    ignore: path === undefined,
    async fn() {
      const index = await Deno.readTextFile(oraclePath("native/index.json")!);
      const { ldt } = JSON.parse(index) as { ldt: string };
      const cases = await sampleCases<NativeCase>(path!, SAMPLE);
      for (const tier of TIERS) {
        const machine = new NativeMachine(unhex(ldt), tier);
        const wrong: string[] = [];
        for (const c of cases) {
          const differences = machine.run(c);
          if (differences.length) wrong.push(`${c.c} ${c.b}: ${differences.join(", ")}`);
        }
        assertEquals(wrong.slice(0, 10), []);
      }
    },
  });
}
