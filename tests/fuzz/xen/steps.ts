/**
 * What a hostile guest does, one step after the other. Each step has its own chance, so that a
 * failing case can be shortened to the steps that matter.
 * @module
 */

import type { Rng } from "../rng.ts";
import { GoodFrontend } from "./good_frontend.ts";
import { HostileFrontend } from "./hostile_frontend.ts";
import { randomHypercall } from "./hypercalls.ts";
import { randomMessage } from "./messages.ts";
import { StoreDriver } from "./store_driver.ts";
import { type DiskPlan, VDEVS, World } from "./world.ts";

/** Does it and says what it was. */
type Step = (guest: HostileGuest, rng: Rng) => string;

/** Kinds of steps, and how often each comes, in hundredths of a percent. */
const STEPS: readonly (readonly [name: string, weight: number, step: Step])[] = [
  ["request", 2200, (guest, rng) => guest.frontend(rng).put(rng)],
  ["push", 1400, (guest, rng) => guest.frontend(rng).push(rng)],
  ["respond", 600, (guest, rng) => guest.frontend(rng).reap(rng)],
  ["scribble", 700, (guest, rng) => guest.frontend(rng).scribble(rng)],
  ["grant", 300, (guest, rng) => guest.frontend(rng).changeGrant(rng)],
  ["regrant", 100, (guest, rng) => guest.frontend(rng).regrant()],
  ["event", 200, (guest, rng) => guest.frontend(rng).kick(rng)],
  ["state", 200, (guest, rng) => guest.frontend(rng).changeState(rng)],
  ["hypercall", 1200, (guest, rng) => randomHypercall(rng, guest.world)],
  ["store message", 500, (guest, rng) => guest.message(rng)],
  ["store ring", 600, (guest, rng) => guest.pump(rng)],
  ["time", 1200, (guest, rng) => guest.pass(rng)],
  ["good frontend", 800, (guest, rng) => guest.behave(rng)],
];
const ALL = STEPS.reduce((sum, [, weight]) => sum + weight, 0);

/** The guest: two hostile frontends, and one that behaves. */
export class HostileGuest {
  readonly world: World;
  readonly store: StoreDriver;
  readonly good: GoodFrontend;
  readonly hostile: readonly HostileFrontend[];
  /** Steps by kind. */
  readonly counts: Record<string, number> = {};

  constructor(plans: readonly [DiskPlan, DiskPlan, DiskPlan]) {
    const world = this.world = new World(plans);
    const storePort = Number(world.domain.xen.params.get(2)); // HVM_PARAM_STORE_EVTCHN
    this.store = new StoreDriver(world, storePort);
    const [first, second, last] = plans.map(({ index }) => VDEVS[index]!);
    this.good = new GoodFrontend(world, last!);
    for (let port = 1; port <= this.good.port; port++) world.spared.add(port);
    this.good.connect(this.store);
    this.hostile = [first!, second!].map((vdev) => new HostileFrontend(world, this.store, vdev));
    for (const frontend of this.hostile) frontend.regrant();
    if (!this.store.flush()) throw new Error("xenstored takes nothing");
  }

  /** One step of any kind. @returns what it was */
  step(rng: Rng): string {
    let at = rng.below(ALL);
    const [name, , step] = STEPS.find(([, weight]) => (at -= weight) < 0)!;
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    const what = step(this, rng);
    this.world.pass(0);
    return `${name}: ${what}`;
  }

  /** One of the hostile frontends. */
  frontend(rng: Rng): HostileFrontend {
    return rng.pick(this.hostile);
  }

  message(rng: Rng): string {
    return randomMessage(rng, this.store, this.hostile.map(({ home }) => home));
  }

  pump(rng: Rng): string {
    if (this.store.failed || rng.chance(0.2)) {
      this.store.reconnect();
      return "reconnects";
    }
    if (rng.chance(0.3)) {
      const offset = 2048 + 4 * rng.below(8);
      this.store.scribble(offset, rng.next());
      return `scribbles at ${offset}`;
    }
    this.store.pump();
    return "pumps";
  }

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

  behave(rng: Rng): string {
    this.good.turn(rng);
    return "turns";
  }

  /** Ends all frontends in an orderly way. */
  close(): void {
    this.store.reconnect();
    this.world.pass(1_000_000_000);
    for (let turn = 0; turn < 50 && !this.good.isIdle; turn++) {
      this.world.pass(100_000_000);
      this.good.reap();
    }
    if (!this.good.isIdle) throw new Error("the good frontend gets no answers at the end");
    this.good.disconnect(this.store);
    for (const frontend of this.hostile) frontend.close();
    if (!this.store.flush()) throw new Error("xenstored takes nothing at the end");
    this.world.pass(10_000_000_000);
  }
}
