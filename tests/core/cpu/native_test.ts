import { assertEquals } from "@std/assert";
import { loadNative } from "../../helpers/oracle_native.ts";
import { oraclePath } from "../../helpers/oracle.ts";

const FAMILIES = "alu shift muldiv bcd mov bits stack string branch seg misc".split(" ");

for (const family of FAMILIES) {
  Deno.test({
    name: `Cpu.run() does every instruction of "${family}" as a real CPU did (../shared/oracles)`,
    ignore: oraclePath(`native/${family}.jsonl.gz`) === undefined,
    async fn() {
      const [machine, cases] = await loadNative(family);
      const wrong: string[] = [];
      for (const c of cases) {
        for (const real of c.r ? [false, true] : [false]) {
          const differences = machine.run(c, real);
          if (differences.length) wrong.push(`${c.c} ${c.b}: ${differences.join(", ")}`);
        }
      }
      assertEquals(wrong.slice(0, 10), []);
    },
  });
}
