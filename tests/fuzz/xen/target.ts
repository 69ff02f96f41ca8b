/**
 * A guest that lies to everything in Xen that it can reach. Whatever it does, the host goes on, the
 * books close, memory that it has not granted stays what it is, its disks change by requests that
 * were right, and a disk whose frontend behaves is served as if nothing was.
 * @module
 */

import { Rng } from "../rng.ts";
import type { Finding, FuzzTarget } from "../target.ts";
import type { CasePlan } from "./guest.ts";
import { FuzzedMachine } from "./steps.ts";
import type { DiskPlan } from "./world.ts";

const STEPS = 10_000;
/** Between two looks at all of memory. */
const LOOK_EVERY = 100;
/** To shorten a case that went wrong. */
const SHORTEN_MS = 7000;
/** Steps that a finding shows. */
const SHOWN = 40;

/** What went wrong, after which step. */
interface Failure {
  readonly what: string;
  /** Index into the steps that were made. */
  readonly at: number;
  readonly log: readonly string[];
}

/** Fuzzes the interface of Xen. */
export class XenTarget implements FuzzTarget {
  readonly counts: Record<string, number> = {};

  run(seed: number): Finding | undefined {
    const all = Array.from({ length: STEPS }, (_, i) => i);
    const failure = this.#try(seed, all, LOOK_EVERY);
    if (failure === undefined) return undefined;
    const shortest = shorten(
      all.slice(0, failure.at + 1),
      (steps) => this.#try(seed, steps, LOOK_EVERY),
    );
    const { what, log } = this.#try(seed, shortest, 1) ?? failure;
    const details = log.slice(-SHOWN);
    return { what: `${what} (${shortest.length} of ${STEPS} steps do it)`, details };
  }

  /** @param lookEvery steps between two looks at memory */
  #try(seed: number, steps: readonly number[], lookEvery: number): Failure | undefined {
    const log: string[] = [];
    let at = 0;
    try {
      const machine = new FuzzedMachine(makePlan(new Rng(seed)));
      for (; at < steps.length; at++) {
        const text = machine.step(new Rng(seed + Math.imul(steps[at]! + 1, 0x9e3779b1)));
        if (lookEvery === 1) log.push(`${steps[at]} ${text}`);
        if (at % lookEvery === 0) judge(machine);
      }
      judge(machine);
      machine.guest.close();
      judgeEnd(machine);
      this.#record(machine, steps.length);
      return undefined;
    } catch (error) {
      const what = error instanceof Error ? error.stack ?? error.message : String(error);
      return { what, at: Math.min(at, steps.length - 1), log };
    }
  }

  #record({ world }: FuzzedMachine, steps: number): void {
    this.#count("steps", steps);
    for (const [name, count] of Object.entries(world.counts)) this.#count(name, count);
    for (const { counts } of world.models.values()) {
      for (const [name, count] of Object.entries(counts)) this.#count(`requests ${name}`, count);
    }
    for (const reasons of Object.values(world.refusals.counts)) {
      for (const [reason, count] of Object.entries(reasons)) {
        this.#count(`refused: ${reason}`, count);
      }
    }
    this.#count("guest errors", world.accounting.guestErrors);
  }

  #count(name: string, by: number): void {
    this.counts[name] = (this.counts[name] ?? 0) + by;
  }
}

/** What a seed decides besides the steps. */
export function makePlan(rng: Rng): CasePlan {
  const disk = (vdev: string, readOnly: boolean): DiskPlan => {
    const logical = rng.pick([512, 512, 4096]);
    return {
      ...{ vdev, readOnly },
      offers: {
        persistent: rng.chance(60),
        indirect: rng.chance(80),
        ringPages: rng.pick([1, 16, 16]),
        queues: rng.pick([1, 4, 4]),
      },
      backendType: rng.pick(["phy", "file", "tap"] as const),
      blockSize: { logical, physical: 4096 },
    };
  };
  return {
    disks: [disk("hda", false), disk("hdb", rng.chance(50)), disk("hdd", false)],
    offers: { evtchnFifo: rng.chance(50), upcallVector: rng.chance(50) },
    grantVersion: rng.pick([1, 2] as const),
  };
}

function judge({ world }: FuzzedMachine): void {
  const change = world.watch.findChange();
  if (change !== undefined) throw new Error(change);
  world.books.assertClosed();
}

/** After all frontends have said that they are closed, nothing of them is left. */
function judgeEnd(machine: FuzzedMachine): void {
  judge(machine);
  const { mapped } = machine.world.watch;
  if (mapped.length > 0) throw new Error(`grants ${mapped.join(", ")} stay mapped`);
  for (const model of machine.world.models.values()) model.assertIdle();
  machine.world.restart();
}

/**
 * Leaves out what a failure does not need.
 * @param fails tries some of the steps
 */
function shorten(
  steps: readonly number[],
  fails: (steps: readonly number[]) => unknown,
): readonly number[] {
  const end = performance.now() + SHORTEN_MS;
  let shortest = steps;
  for (let piece = steps.length >> 1; piece > 0; piece >>= 1) {
    for (let at = 0; at < shortest.length;) {
      if (performance.now() > end) return shortest;
      const fewer = shortest.slice(0, at).concat(shortest.slice(at + piece));
      if (fewer.length > 0 && fails(fewer) !== undefined) shortest = fewer;
      else at += piece;
    }
  }
  return shortest;
}
