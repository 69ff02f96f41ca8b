/**
 * Runs all cases of the families named and prints what differs:
 * `deno run --allow-read tests/helpers/oracle_run.ts native/alu system/far`.
 * @module
 */

import { loadNative } from "./oracle_native.ts";
import { isTrusted, loadSystem } from "./oracle_system.ts";

const SHOWN = 25;

async function differences(name: string): Promise<[run: number, omitted: number, string[]]> {
  const found: string[] = [];
  let run = 0, omitted = 0;
  const [set, family] = name.split("/");
  if (set === "native") {
    const [machine, cases] = await loadNative(family!);
    for (const c of cases) {
      for (const real of c.r ? [false, true] : [false]) {
        run++;
        const list = machine.run(c, real);
        if (list.length) found.push(`${c.c} ${real ? "real " : ""}${c.b} ${list.join(", ")}`);
      }
    }
  } else {
    const [machine, cases] = await loadSystem(family!);
    for (const c of cases.filter(isTrusted)) {
      run++;
      const outcome = machine.run(c);
      if ("omitted" in outcome) omitted++;
      else if (outcome.differences.length) {
        found.push(`${c.id} ${c.m} ring ${c.cpl} ${c.b} ${outcome.differences.join(", ")}`);
      }
    }
  }
  return [run, omitted, found];
}

for (const name of Deno.args) {
  const [run, omitted, found] = await differences(name);
  for (const line of found.slice(0, SHOWN)) console.log(name, line.slice(0, 300));
  console.log(`${name}: ${run} run, ${omitted} omitted, ${found.length} differ`);
}
