/**
 * Generated programs in several tiers at once: whatever a guest or its host can see must be the same.
 * @module
 */

import { makeProgram } from "../../helpers/program.ts";
import { compareCuts, compareTiers, makePlan, Rig } from "../../helpers/tiers.ts";
import { Rng } from "../rng.ts";
import type { Finding, FuzzTarget } from "../target.ts";

/** Thresholds of the second tier: some compile blocks one by one, others large units. */
const HEATS = [1, 2, 4, 8, 16, 32, 64];
/** Rigs that are compared with the first tier alone in one case. */
const AT_ONCE = 3;
/** Instructions of a run that is cut. */
const CUT = 6000;

/** Fuzzes the second tier. */
export class TiersTarget implements FuzzTarget {
  readonly counts: Record<string, number> = {};
  #first: Rig = new Rig(0);
  #others: readonly Rig[] = makeRigs();

  run(seed: number): Finding | undefined {
    const rng = new Rng(seed);
    const program = makeProgram(seed);
    const from = rng.below(HEATS.length - AT_ONCE + 1);
    const rigs = [this.#first, ...this.#others.slice(from, from + AT_ONCE)];
    this.#count(program.world.name, 1);
    const found = compareTiers(rigs, program, makePlan(seed)) ??
      (rng.chance(25) ? compareCuts(rigs, program, CUT) : undefined);
    this.#count("instructions", this.#first.host.retired);
    this.#count("exits", this.#first.host.count);
    if (found === undefined) return undefined;
    // Those that went wrong may be in any state.
    this.#first = new Rig(0);
    this.#others = makeRigs();
    const [what = "", ...details] = found;
    return { what, details };
  }

  #count(name: string, by: number): void {
    this.counts[name] = (this.counts[name] ?? 0) + by;
  }
}

function makeRigs(): readonly Rig[] {
  return HEATS.map((heat) => new Rig(heat));
}
