/**
 * Any interleaving of what xl does to two disks, what their guest does, and drivers that die: whatever
 * comes, nothing of a disk that is gone stays mapped, bound or written, and the toolstack refuses what
 * it refuses by its own list alone.
 */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { UsageError } from "../../../core/errors.ts";
import { VbdFrontend, VbdWorld, type Vdev } from "../../helpers/vbd_world.ts";

const VDEVS: readonly Vdev[] = ["hda", "hdb"];
/** More than the ten seconds of a block-detach. */
const LONG = 11e9;

const ACTIONS = [
  "attach",
  "detach",
  "force",
  "restart",
  "afresh",
  "connect",
  "put",
  "close",
  "reset",
] as const;

/** What happens, and for how long nothing else does. */
interface Event {
  readonly action: typeof ACTIONS[number];
  readonly vdev: Vdev;
  readonly ns: number;
}

const EVENT: fc.Arbitrary<Event> = fc.record({
  action: fc.constantFrom(...ACTIONS),
  vdev: fc.constantFrom(...VDEVS),
  ns: fc.oneof(
    { weight: 4, arbitrary: fc.nat(200_000) },
    { weight: 2, arbitrary: fc.nat(5_000_000) },
    { weight: 1, arbitrary: fc.constant(LONG) },
  ),
});

/** The world, and the frontends that run in it. */
class Model {
  readonly world = new VbdWorld();
  readonly #frontends = new Map<Vdev, VbdFrontend>();
  readonly #ports: number[] = [];
  #attached = VDEVS.length;
  #id = 0;

  apply({ action, vdev, ns }: Event): void {
    const { vbds } = this.world.domain;
    switch (action) {
      case "attach":
        if (this.#refuses(() => this.world.attach(vdev))) assert(this.#isListed(vdev));
        else this.#attached++;
        break;
      case "detach":
      case "force":
        this.#refuses(() => vbds.detach(vdev, action === "force"));
        break;
      case "restart":
      case "afresh":
        this.#refuses(() => vbds.restartDriver(vdev, action === "afresh"));
        break;
      default:
        this.#drive(action, vdev);
    }
    this.world.settle(ns);
  }

  /** Takes all disks away, and looks for what is left of any. */
  finish(): void {
    this.world.settle(LONG);
    for (const vdev of VDEVS) this.#refuses(() => this.world.domain.vbds.detach(vdev, true));
    this.world.settle(LONG);
    assertEquals(this.world.domain.vbds.list(), []);
    assertEquals([this.world.isBusy, this.world.removed.length], [false, this.#attached]);
    const { events } = this.world.domain.xen;
    const states = new Set(this.#ports.map((port) => events.channel(port)?.state));
    assertEquals([...states].filter((state) => state !== "unbound"), []);
    const client = this.world.store.client();
    assertEquals(client.read("/local/domain/0/backend"), undefined);
    assertEquals(client.list("/local/domain/1/device"), ["suspend"]);
  }

  #drive(action: "connect" | "put" | "close" | "reset", vdev: Vdev): void {
    const frontend = this.#frontends.get(vdev);
    if (action === "connect") this.#connect(vdev);
    else if (action === "put" && frontend?.hasRoom) frontend.put(++this.#id, 8 * (this.#id % 12));
    else if (action === "close") { for (const state of [5, 6]) frontend?.setState(state); }
    else if (action === "reset" && this.world.state(vdev) === "6") frontend?.setState(1);
  }

  #connect(vdev: Vdev): void {
    if (this.world.frontendState(vdev) !== "1" || this.world.state(vdev) !== "2") return;
    const frontend = new VbdFrontend(this.world, vdev);
    this.#frontends.set(vdev, frontend);
    this.#ports.push(frontend.port);
  }

  #isListed(vdev: Vdev): boolean {
    const devid = vdev === "hda" ? 768 : 832;
    return this.world.domain.vbds.list().some((vbd) => vbd.devid === devid);
  }

  #refuses(action: () => void): boolean {
    try {
      action();
      return false;
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      return true;
    }
  }
}

Deno.test("Disks that come, go, fail and are driven in any order leave nothing behind", () => {
  fc.assert(
    fc.property(fc.array(EVENT, { maxLength: 30 }), (events) => {
      const model = new Model();
      for (const event of events) model.apply(event);
      model.finish();
    }),
    { numRuns: 30 },
  );
});
