import { assertEquals, assertNotEquals } from "@std/assert";
import { Rng } from "../rng.ts";
import { FuzzMachine } from "./machine.ts";
import { CpuTarget } from "./target.ts";
import { HOLES, RAM_BYTES } from "./layout.ts";
import { makeWorld } from "./world.ts";

/** First seeds of runs of cases; each run takes well under a second. */
const SEEDS = [1, 0x1000, 0x80000000, 0xfffffff0];
const CASES = 40;

for (const first of SEEDS) {
  Deno.test(`Cpu survives random worlds, and slices and tiers agree, from seed ${first}`, () => {
    const target = new CpuTarget();
    for (let n = 0; n < CASES; n++) {
      const seed = (first + n) >>> 0;
      assertEquals(target.run(seed), undefined, `deno task fuzz cpu --seed ${seed}`);
    }
  });
}

Deno.test("Rng repeats itself for the same seed and not for another", () => {
  const numbers = (seed: number) =>
    Array.from({ length: 9 }, ((rng) => () => rng.next())(new Rng(seed)));
  assertEquals(numbers(5), numbers(5));
  assertNotEquals(numbers(5), numbers(6));
  assertNotEquals(numbers(0), numbers(1));
});

Deno.test("FuzzMachine.damage() finds a changed byte where the guest has no memory", () => {
  const machine = new FuzzMachine(1);
  machine.enter(makeWorld(1, machine.ram));
  assertEquals(machine.damage(), undefined);
  machine.ram[HOLES[0]! * 4096 + 5]!++;
  assertNotEquals(machine.damage(), undefined);
});

Deno.test("makeWorld() makes the same world for the same seed", () => {
  const ram = [new Uint8Array(RAM_BYTES), new Uint8Array(RAM_BYTES)] as const;
  const worlds = ram.map((bytes) => makeWorld(99, bytes));
  assertEquals(worlds[0], worlds[1]);
  assertEquals(ram[0].every((byte, n) => byte === ram[1][n]), true);
});
