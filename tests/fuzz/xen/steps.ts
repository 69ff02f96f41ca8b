/**
 * What a hostile guest does, one step after the other, and what xl and the host do to it. Each step
 * has its own chance, so that a failing case can be shortened to the steps that matter.
 * @module
 */

import { UsageError } from "../../../core/errors.ts";
import type { Rng } from "../rng.ts";
import { type CasePlan, HostileGuest } from "./guest.ts";
import { randomHypercall } from "./hypercalls.ts";
import { World } from "./world.ts";

/** Does it and says what it was. */
type Step = (machine: FuzzedMachine, rng: Rng) => string;

/** Kinds of steps, and how often each comes. */
const STEPS: readonly (readonly [name: string, weight: number, step: Step])[] = [
  ["request", 2200, ({ guest }, rng) => guest.frontend(rng).put(rng)],
  ["push", 1400, ({ guest }, rng) => guest.frontend(rng).push(rng)],
  ["respond", 600, ({ guest }, rng) => guest.frontend(rng).reap(rng)],
  ["scribble", 700, ({ guest }, rng) => guest.frontend(rng).scribble(rng)],
  ["grant", 300, ({ guest }, rng) => guest.frontend(rng).changeGrant(rng)],
  ["regrant", 100, ({ guest }, rng) => guest.frontend(rng).regrant()],
  ["event", 200, ({ guest }, rng) => guest.frontend(rng).kick(rng)],
  ["state", 200, ({ guest }, rng) => guest.frontend(rng).changeState(rng)],
  ["hypercall", 1200, ({ world }, rng) => randomHypercall(rng, world)],
  ["store message", 500, ({ guest }, rng) => guest.message(rng)],
  ["store ring", 600, ({ guest }, rng) => guest.pump(rng)],
  ["console", 200, ({ guest }, rng) => guest.useConsole(rng)],
  ["time", 1200, (machine, rng) => machine.pass(rng)],
  ["good frontend", 800, ({ guest }, rng) => guest.behave(rng)],
  ["attach or detach", 8, (machine, rng) => machine.plug(rng)],
  ["driver restart", 8, (machine, rng) => machine.restartDriver(rng)],
  ["domain restart", 3, (machine) => machine.restart()],
];
const ALL = STEPS.reduce((sum, [, weight]) => sum + weight, 0);

/** A machine with a hostile guest. */
export class FuzzedMachine {
  readonly world: World;
  readonly #plan: CasePlan;
  #guest: HostileGuest;

  constructor(plan: CasePlan) {
    this.#plan = plan;
    this.world = new World(plan.disks, plan.offers);
    this.#guest = new HostileGuest(this.world, plan);
  }

  /** The guest of the domain that there is. */
  get guest(): HostileGuest {
    return this.#guest;
  }

  /** One step of any kind. @returns what it was */
  step(rng: Rng): string {
    let at = rng.below(ALL);
    const [name, , step] = STEPS.find(([, weight]) => (at -= weight) < 0)!;
    this.world.count(`steps: ${name}`);
    const what = step(this, rng);
    this.world.pass(0);
    if (this.world.hasCrashed) this.restart();
    return `${name}: ${what}`;
  }

  /** Lets time pass: mostly little, seldom a minute, in which Linux lets idle grants go. */
  pass(rng: Rng): string {
    const kind = rng.below(1000);
    const ns = kind < 600
      ? rng.below(20_000)
      : kind < 985
      ? rng.below(2_000_000)
      : kind < 999
      ? rng.below(200_000_000)
      : 61_000_000_000;
    this.world.pass(ns);
    return `${ns} ns`;
  }

  /** xl attaches or detaches one of the hostile disks. */
  plug(rng: Rng): string {
    const vdev = rng.pick(["hda", "hdb"] as const);
    const { vbds } = this.world.domain;
    const force = rng.chance(40);
    const isAttach = rng.chance(60);
    try {
      if (isAttach) vbds.attach(this.world.disk(vdev));
      else vbds.detach(vdev, force);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      return error.message;
    }
    return isAttach ? `attaches ${vdev}` : `detaches ${vdev}${force ? " with force" : ""}`;
  }

  /** The backend driver of a disk dies; that of the good frontend so that it does not notice. */
  restartDriver(rng: Rng): string {
    const vdev = rng.pick(["hda", "hdb", "hdd"] as const);
    const afresh = vdev !== "hdd" && rng.chance(50);
    try {
      this.world.domain.vbds.restartDriver(vdev, afresh);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      return error.message;
    }
    this.world.models.get(vdev)!.forget();
    return `restarts the driver of ${vdev}${afresh ? " afresh" : ""}`;
  }

  /** xl destroys the domain and builds it again. */
  restart(): string {
    this.world.restart();
    this.#guest = new HostileGuest(this.world, this.#plan, this.#guest);
    return "the next domain";
  }
}
