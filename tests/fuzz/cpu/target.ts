/**
 * Random code in a random world. The CPU may do anything that is the guest's own harm: it may not
 * throw, touch memory that is not the guest's, take for ever, or depend on the tier or on how its run
 * is cut.
 * @module
 */

import { hex } from "../../../core/bits.ts";
import { type Tier, TIERS } from "../../helpers/oracle.ts";
import { Rng } from "../rng.ts";
import type { Finding, FuzzTarget } from "../target.ts";
import { RAM_BYTES } from "./layout.ts";
import { FuzzMachine } from "./machine.ts";
import { makeWorld, type World } from "./world.ts";

/** Instructions of a case. */
const BUDGET = 400;
/** A case that takes longer has got stuck in an instruction. */
const SLOW_MS = 2000;

/** How a run ended. */
interface End {
  readonly finding: string | undefined;
  /** All that can be compared. */
  readonly visible: readonly number[];
  readonly memory: Uint32Array;
  /** For the reader. */
  readonly registers: string;
  /** The run was cut where another cut may make a difference. */
  readonly cutInRepetition: boolean;
}

/** Fuzzes the CPU. */
export class CpuTarget implements FuzzTarget {
  readonly counts: Record<string, number> = {};
  #machines: ReadonlyMap<Tier, FuzzMachine> = makeMachines();
  readonly #start = new Uint8Array(RAM_BYTES);

  run(seed: number): Finding | undefined {
    const rng = new Rng(seed);
    const world = makeWorld(seed, this.#start);
    this.#count(`${world.mode}, paging ${world.paging}`);
    const whole = this.#runIn(world, 1, [BUDGET]);
    if (whole.finding !== undefined) return this.#report(world, whole.finding);
    this.#count("instructions", this.#machines.get(1)!.retired);
    this.#count(this.#machines.get(1)!.fate);
    this.#count("exits", this.#machines.get(1)!.exits);
    return this.#compareRuns(world, whole, makeSlices(rng));
  }

  /** The same in slices, and the same slices in the other tier. */
  #compareRuns(world: World, whole: End, slices: readonly number[]): Finding | undefined {
    let known = whole;
    for (const tier of TIERS) {
      const end = this.#runIn(world, tier, slices);
      const comparable = known !== whole || !end.cutInRepetition;
      const finding = end.finding ?? (comparable ? difference(end, known) : undefined);
      if (finding !== undefined) {
        const more = [`one way: ${known.registers}`, `another: ${end.registers}`];
        return this.#report(world, `tier ${tier}, in slices: ${finding}`, more);
      }
      known = end;
    }
    return undefined;
  }

  #count(name: string, by: number = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + by;
  }

  #runIn(world: World, tier: Tier, slices: readonly number[]): End {
    const machine = this.#machines.get(tier)!;
    machine.ram.set(this.#start);
    machine.enter(world);
    const started = performance.now();
    let finding: string | undefined;
    let cutInRepetition = false;
    try {
      for (const slice of slices) {
        if (machine.stopped) break;
        machine.run(slice);
        cutInRepetition ||= machine.atRepetition;
      }
    } catch (error) {
      finding = thrown(error);
    }
    finding ??= machine.damage();
    if (performance.now() - started > SLOW_MS) finding ??= `takes more than ${SLOW_MS} ms`;
    return {
      finding,
      cutInRepetition,
      visible: machine.visible(),
      memory: new Uint32Array(machine.ram.slice().buffer),
      registers: machine.registers(),
    };
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
  return new Map(TIERS.map((tier) => [tier, new FuzzMachine(tier)]));
}

function thrown(error: unknown): string {
  const stack = error instanceof Error ? error.stack ?? error.message : String(error);
  return stack.split("\n", 4).map((line) => line.trim()).join(" ");
}

/** Budgets that add up to a case's; many are of a few instructions. */
function makeSlices(rng: Rng): number[] {
  const slices: number[] = [];
  for (let left = BUDGET; left > 0;) {
    const slice = Math.min(left, 1 + rng.below(rng.chance(50) ? 3 : 60));
    slices.push(slice);
    left -= slice;
  }
  return slices;
}

function difference(now: End, before: End): string | undefined {
  const at = now.visible.findIndex((word, n) => word !== before.visible[n]);
  if (at >= 0) {
    return `state word ${at * 4} is ${hex(now.visible[at]!)} and was ${hex(before.visible[at]!)}`;
  }
  const [got, want] = [now.memory, before.memory];
  for (let n = 0; n < got.length; n++) {
    if (got[n] !== want[n]) return `[${hex(n * 4)}] is ${hex(got[n]!)} and was ${hex(want[n]!)}`;
  }
  return undefined;
}
