import { assertEquals } from "@std/assert";
import { isBinding } from "../../conformance/judge.ts";
import { oraclePath, readGzip, sampleCases, TIERS } from "../../helpers/oracle.ts";
import { type SystemCase, SystemMachine } from "../../helpers/oracle_system.ts";

const FAMILIES =
  ("ac alu bcd bit ctl debug df far flags int io mov muldiv page prio segload selq " +
    "shift stack string sys task").split(" ");
/** Cases of each family; `deno task conformance` runs all. */
const SAMPLE = 400;

for (const family of FAMILIES) {
  const path = oraclePath(`system/cases/${family}.jsonl.gz`);
  const missing = path ? "" : " (ignored: no cases in ../shared/oracles)";
  Deno.test({
    name: `Cpu.run() does "${family}" from any system state as agreed in both tiers${missing}`,
    ignore: path === undefined,
    async fn() {
      const image = await readGzip(oraclePath("system/cases/image.bin.gz")!);
      const sample = await sampleCases<SystemCase>(path!, SAMPLE);
      const cases = sample.filter(({ v }) => isBinding(v));
      for (const tier of TIERS) {
        const machine = new SystemMachine(image, tier);
        const wrong: string[] = [];
        for (const c of cases) {
          const differences = machine.run(c);
          if (differences.length === 0) continue;
          wrong.push(`${c.id} ${c.m} ring ${c.cpl} ${c.b}: ${differences.join(", ")}`);
        }
        assertEquals(wrong.slice(0, 10), []);
      }
    },
  });
}
