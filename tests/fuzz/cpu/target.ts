/**
 * Random code in a random world. The CPU may do anything that is the guest's own harm: it may not
 * throw, touch memory that is not the guest's, take for ever, or depend on how its run is cut.
 * @module
 */

import { hex } from "../../../core/bits.ts";
import { GuestPanic } from "../../../core/errors.ts";
import { builtTiers, type Tier } from "../../helpers/oracle.ts";
import { Rng } from "../rng.ts";
import type { Finding, FuzzTarget } from "../target.ts";
import { FuzzMachine } from "./machine.ts";
import { makeWorld, RAM_BYTES, type World } from "./world.ts";

/** Instructions of a case. */
const BUDGET = 400;
/** A case that takes longer has got stuck in an instruction. */
const SLOW_MS = 2000;

/** How a machine ended. */
interface End {
  readonly machine: FuzzMachine;
  /** Something the CPU says it does not model. */
  readonly panic: string | undefined;
  readonly finding: string | undefined;
}

/** Fuzzes the CPU. */
export class CpuTarget implements FuzzTarget {
  readonly counts: Record<string, number> = {};
  #machines: ReadonlyMap<Tier, FuzzMachine> = makeMachines();
  readonly #start = new Uint8Array(RAM_BYTES);

  run(seed: number): Finding | undefined {
    const rng = new Rng(seed);
    const world = makeWorld(rng, this.#start);
    this.#count(`${world.mode}, paging ${world.paging}`);
    const whole = this.#runIn(world, 1, () => BUDGET);
    if (whole.finding !== undefined) return this.#report(world, whole.finding);
    if (whole.panic !== undefined) {
      this.#count(whole.panic);
      return undefined;
    }
    this.#count("instructions", whole.machine.retired);
    this.#count("exits", whole.machine.exits);
    const seen = whole.machine.visible();
    const memory = whole.machine.ram.slice();
    const last = whole.machine.registers();
    for (const tier of builtTiers()) {
      const cut = this.#runIn(world, tier, () => 1 + rng.below(rng.chance(50) ? 3 : 60));
      const finding = cut.finding ?? cut.panic ?? difference(cut.machine, seen, memory);
      if (finding === undefined) continue;
      const what = `tier ${tier}, in slices: ${finding}`;
      return this.#report(world, what, [`whole:  ${last}`, `slices: ${cut.machine.registers()}`]);
    }
    return undefined;
  }

  #count(name: string, by: number = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + by;
  }

  #runIn(world: World, tier: Tier, slice: () => number): End {
    const machine = this.#machines.get(tier)!;
    machine.ram.set(this.#start);
    machine.enter(world);
    const started = performance.now();
    let panic: string | undefined, finding: string | undefined;
    try {
      for (let left = BUDGET; left > 0 && !machine.stopped;) {
        const budget = Math.min(left, slice());
        machine.run(budget);
        left -= budget;
      }
    } catch (error) {
      if (error instanceof GuestPanic) panic = error.message;
      else finding = thrown(error);
    }
    finding ??= machine.damage();
    if (performance.now() - started > SLOW_MS) finding ??= `takes more than ${SLOW_MS} ms`;
    return { machine, panic, finding };
  }

  #report(world: World, what: string, more: readonly string[] = []): Finding {
    // The CPU that went wrong may be in any state.
    this.#machines = makeMachines();
    const { mode, paging, cpl, state, vectors } = world;
    const code = state.s[1]![1] + state.ip;
    const bytes = this.#start.subarray(code, code + 32);
    const details = [
      `${mode}, paging ${paging}, ring ${cpl}`,
      `code at ${hex(code)}: ${Array.from(bytes, (byte) => hex(byte, 2)).join(" ")}`,
      `state: ${JSON.stringify(state)}`,
      `interrupts: ${JSON.stringify(vectors)}`,
      ...more,
    ];
    return { what, details };
  }
}

function makeMachines(): ReadonlyMap<Tier, FuzzMachine> {
  return new Map(builtTiers().map((tier) => [tier, new FuzzMachine(tier)]));
}

function thrown(error: unknown): string {
  const stack = error instanceof Error ? error.stack ?? error.message : String(error);
  return stack.split("\n", 4).map((line) => line.trim()).join(" ");
}

function difference(
  machine: FuzzMachine,
  seen: readonly number[],
  memory: Uint8Array,
): string | undefined {
  const now = machine.visible();
  const at = now.findIndex((word, n) => word !== seen[n]);
  if (at >= 0) return `state word ${at * 4} is ${hex(now[at]!)} and was ${hex(seen[at]!)}`;
  const [got, want] = [machine.ram, memory].map((bytes) =>
    new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
  ) as [Uint32Array, Uint32Array];
  for (let n = 0; n < got.length; n++) {
    if (got[n] !== want[n]) return `[${hex(n * 4)}] is ${hex(got[n]!)} and was ${hex(want[n]!)}`;
  }
  return undefined;
}
