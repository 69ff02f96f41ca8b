/**
 * A guest with two hostile frontends and one that behaves.
 * @module
 */

import { CONSOLE_RING } from "../../../core/hypervisor/console_ring.ts";
import { HVM_PARAM } from "../../../core/hypervisor/hypercalls/hvm_params.ts";
import type { XenOffers } from "../../../core/hypervisor/xen_offers.ts";
import type { Rng } from "../rng.ts";
import { DiskContents, GoodFrontend } from "./good_frontend.ts";
import { HostileFrontend } from "./hostile_frontend.ts";
import { address, CONSOLE_GFN, FRAMES } from "./layout.ts";
import { randomMessage } from "./messages.ts";
import { StoreDriver } from "./store_driver.ts";
import { wild } from "./wild.ts";
import { type DiskPlan, HYPERCALL, type World } from "./world.ts";

/** What a seed decides besides the steps. */
export interface CasePlan {
  readonly disks: readonly DiskPlan[];
  readonly offers: Partial<XenOffers>;
  /** Of the grant table. */
  readonly grantVersion: 1 | 2;
}

/** hda and hdb are hostile, hdd is good. */
const VDEVS = { hostile: [768, 832], good: 5696 } as const;

const [SETUP_TABLE, SET_VERSION] = [2, 8] as const;
/** Pages of the grant table: version 2 has half as many entries in each. */
const TABLE_PAGES = 2;
const FRAME_LIST = address(FRAMES.scratch[1] - 1);
const DOMID_SELF = 0x7ff0;
const TIMER_VIRQ = 0;

/** The guest of one domain. */
export class HostileGuest {
  readonly world: World;
  readonly store: StoreDriver;
  readonly good: GoodFrontend;
  readonly hostile: readonly HostileFrontend[];
  readonly #disk: DiskContents;

  /** @param before the guest of the domain before */
  constructor(world: World, { grantVersion }: CasePlan, before?: HostileGuest) {
    this.world = world;
    this.#disk = before?.contents ?? new DiskContents();
    this.#setUpGrants(grantVersion);
    const storePort = Number(world.domain.xen.params.get(HVM_PARAM.STORE_EVTCHN));
    this.store = new StoreDriver(world, storePort);
    this.good = new GoodFrontend(world, VDEVS.good, this.#disk);
    this.#openPorts();
    this.good.connect(this.store);
    this.hostile = VDEVS.hostile.map((vdev) => new HostileFrontend(world, this.store, vdev));
    for (const frontend of this.hostile) frontend.regrant();
    if (!this.store.flush()) throw new Error("xenstored takes nothing");
  }

  /** What it has written to the good disk. */
  get contents(): DiskContents {
    return this.#disk;
  }

  #setUpGrants(version: 1 | 2): void {
    const { world } = this;
    world.driverCall(HYPERCALL.GRANT_TABLE_OP, SET_VERSION, [version], 1);
    const list = world.handOver(FRAME_LIST);
    world.driverCall(HYPERCALL.GRANT_TABLE_OP, SETUP_TABLE, [DOMID_SELF, TABLE_PAGES, 0, list], 1);
  }

  /** Those below are the toolstack's and the good frontend's; the others any hostile part may close. */
  #openPorts(): void {
    const { world } = this;
    world.spared.clear();
    world.victims.length = 0;
    for (let port = 1; port <= this.good.port; port++) world.spared.add(port);
    for (let i = 0; i < 4; i++) world.victims.push(world.allocateUnbound());
    world.victims.push(world.driverCall(HYPERCALL.EVENT_CHANNEL_OP, 1, [TIMER_VIRQ, 0]));
  }

  /** One of the hostile frontends. */
  frontend(rng: Rng): HostileFrontend {
    return rng.pick(this.hostile);
  }

  /** Any message to xenstored. */
  message(rng: Rng): string {
    return randomMessage(rng, this.store, this.hostile.map(({ home }) => home));
  }

  /** Goes on with the store's ring, or breaks it. */
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

  /** Writes to the console, breaks its ring, or is typed at. */
  useConsole(rng: Rng): string {
    const { console, xen } = this.world.domain;
    if (rng.chance(30) && console.hasRoom) {
      console.receive(rng.below(256));
      return "is typed at";
    }
    const page = address(CONSOLE_GFN);
    const { OUT, IN_CONS, OUT_CONS, OUT_PROD } = CONSOLE_RING;
    for (let i = 0; i < 4; i++) this.world.store32(page + OUT + 4 * rng.below(512), rng.next());
    const ahead = rng.chance(10) ? wild(rng) : rng.below(200);
    this.world.store32(page + OUT_PROD, this.world.memory.read32(page + OUT_CONS) + ahead);
    if (rng.chance(20)) this.world.store32(page + rng.pick([IN_CONS, OUT_CONS]), wild(rng));
    this.world.send(Number(xen.params.get(HVM_PARAM.CONSOLE_EVTCHN)));
    return `writes ${ahead} bytes`;
  }

  /** The good frontend does something. */
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
