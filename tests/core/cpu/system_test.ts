import { assertEquals } from "@std/assert";
import { isTrusted, loadSystem } from "../../helpers/oracle_system.ts";
import { oraclePath } from "../../helpers/oracle.ts";

const FAMILIES =
  "alu mov stack shift muldiv bcd bit string ctl flags segload far int io sys selq page df prio ac"
    .split(" ");
/** Of the cases, one in this many. */
const SAMPLE = 4;

for (const family of FAMILIES) {
  Deno.test({
    name: `Cpu.run() does "${family}" from any system state as agreed (../shared/oracles)`,
    ignore: oraclePath(`system/cases/${family}.jsonl.gz`) === undefined,
    async fn() {
      const [machine, cases] = await loadSystem(family);
      const wrong: string[] = [];
      for (const c of cases) {
        if (c.id % SAMPLE !== 0 || !isTrusted(c)) continue;
        const outcome = machine.run(c);
        if ("omitted" in outcome || outcome.differences.length === 0) continue;
        wrong.push(`${c.id} ${c.m} ring ${c.cpl} ${c.b}: ${outcome.differences.join(", ")}`);
      }
      assertEquals(wrong.slice(0, 10), []);
    },
  });
}
