/**
 * Runs all cases of the native families named and prints what differs:
 * `deno run --allow-read tests/helpers/oracle_run.ts alu shift`.
 * @module
 */

import { loadNative } from "./oracle_native.ts";

for (const family of Deno.args) {
  const [machine, cases] = await loadNative(family);
  const start = performance.now();
  let run = 0, bad = 0;
  for (const c of cases) {
    for (const real of c.r ? [false, true] : [false]) {
      run++;
      let differences: string[];
      try {
        differences = machine.run(c, real);
      } catch (error) {
        differences = [String((error as Error).stack ?? error)];
      }
      if (differences.length && ++bad <= 25) {
        console.log(family, c.k, c.c, c.b, real ? "real" : "", JSON.stringify(differences));
      }
    }
  }
  const ms = Math.round(performance.now() - start);
  console.log(`${family}: ${run} run, ${bad} differ, ${ms} ms`);
}
